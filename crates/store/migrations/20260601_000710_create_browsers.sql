-- Browsers that steps work in: each session has cookies of its own, a pool names some of its user's sessions.
CREATE TABLE nodetool_browser_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    config TEXT NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX nodetool_browser_sessions_by_user ON nodetool_browser_sessions (user_id, created_at, id);

-- The config of a pool is the list of its sessions.
CREATE TABLE nodetool_browser_pools (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    config TEXT NOT NULL DEFAULT '[]',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX nodetool_browser_pools_by_user ON nodetool_browser_pools (user_id, created_at, id);

-- Pauses between visits to a domain, for all sessions of a pool together.
CREATE TABLE nodetool_browser_throttle_rules (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    delay_ms BIGINT NOT NULL,
    enabled BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX nodetool_browser_throttle_rules_by_pool ON nodetool_browser_throttle_rules (pool_id, domain);
