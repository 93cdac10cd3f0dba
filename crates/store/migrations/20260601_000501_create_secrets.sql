CREATE TABLE nodetool_secrets (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    encrypted_value TEXT NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (user_id, key)
);

CREATE TABLE nodetool_secrets_key (
    id BIGINT PRIMARY KEY NOT NULL,
    fingerprint TEXT NOT NULL,
    since BIGINT NOT NULL
);
