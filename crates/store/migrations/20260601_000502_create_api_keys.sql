CREATE TABLE nodetool_api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    prefix TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);

CREATE UNIQUE INDEX nodetool_api_keys_by_hash ON nodetool_api_keys (hash);
CREATE INDEX nodetool_api_keys_by_user ON nodetool_api_keys (user_id, created_at, id);
