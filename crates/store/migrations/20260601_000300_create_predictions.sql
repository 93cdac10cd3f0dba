CREATE TABLE nodetool_predictions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    node_id TEXT NOT NULL DEFAULT '',
    provider TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL,
    workflow_id TEXT,
    error TEXT,
    logs TEXT,
    status TEXT NOT NULL DEFAULT 'starting',
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    cost DOUBLE PRECISION,
    duration DOUBLE PRECISION,
    hardware TEXT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    total_tokens BIGINT,
    cached_tokens BIGINT,
    reasoning_tokens BIGINT,
    input_size BIGINT,
    output_size BIGINT,
    parameters TEXT,
    metadata TEXT
);

CREATE INDEX nodetool_predictions_by_user ON nodetool_predictions (user_id, created_at, id);
CREATE INDEX nodetool_predictions_by_provider ON nodetool_predictions (user_id, provider, created_at, id);
CREATE INDEX nodetool_predictions_by_model ON nodetool_predictions (user_id, model, created_at, id);
