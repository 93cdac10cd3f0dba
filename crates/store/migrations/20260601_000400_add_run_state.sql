ALTER TABLE nodetool_jobs ADD COLUMN result TEXT;
ALTER TABLE nodetool_jobs ADD COLUMN event_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodetool_jobs ADD COLUMN queued_at BIGINT;
ALTER TABLE nodetool_jobs ADD COLUMN checkpoint BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodetool_jobs ADD COLUMN assets TEXT;
ALTER TABLE nodetool_jobs ADD COLUMN trigger_event TEXT;

CREATE TABLE nodetool_blobs (
    hash TEXT PRIMARY KEY NOT NULL,
    size BIGINT NOT NULL,
    refs BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX nodetool_blobs_unused ON nodetool_blobs (hash) WHERE refs = 0;

CREATE TABLE run_node_state (
    run_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    invocation BIGINT NOT NULL DEFAULT -1,
    status TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    outputs BYTEA,
    outputs_ref TEXT,
    PRIMARY KEY (run_id, node_id, invocation)
);
