CREATE TABLE nodetool_oauth_credentials (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    account_id TEXT NOT NULL,
    username TEXT,
    encrypted_access_token TEXT NOT NULL,
    encrypted_refresh_token TEXT,
    token_type TEXT NOT NULL DEFAULT 'Bearer',
    scope TEXT,
    received_at BIGINT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX nodetool_oauth_credentials_by_account
    ON nodetool_oauth_credentials (user_id, provider, account_id);
CREATE INDEX nodetool_oauth_credentials_by_user
    ON nodetool_oauth_credentials (user_id, provider, received_at, id);
