CREATE TABLE nodetool_jobs (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL DEFAULT '',
    job_type TEXT NOT NULL DEFAULT '',
    workflow_id TEXT NOT NULL DEFAULT '',
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    status TEXT NOT NULL DEFAULT 'scheduled',
    version BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT,
    completed_at BIGINT,
    failed_at BIGINT,
    error TEXT,
    error_message TEXT,
    cost DOUBLE PRECISION,
    suspended_node_id TEXT,
    suspension_reason TEXT,
    execution_strategy TEXT,
    execution_id TEXT,
    worker_id TEXT,
    heartbeat_at BIGINT,
    retry_count BIGINT NOT NULL DEFAULT 0,
    max_retries BIGINT NOT NULL DEFAULT 3,
    suspension_state_json TEXT NOT NULL DEFAULT '{}',
    suspension_metadata_json TEXT NOT NULL DEFAULT '{}',
    metadata_json TEXT NOT NULL DEFAULT '{}',
    logs TEXT,
    params TEXT NOT NULL DEFAULT '{}',
    graph TEXT NOT NULL DEFAULT '{}'
);

CREATE INDEX nodetool_jobs_by_user ON nodetool_jobs (user_id, started_at, id);
CREATE INDEX nodetool_jobs_by_workflow ON nodetool_jobs (user_id, workflow_id, started_at, id);
CREATE INDEX nodetool_jobs_unfinished ON nodetool_jobs (status) WHERE finished_at IS NULL;
