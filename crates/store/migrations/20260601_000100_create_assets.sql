CREATE TABLE nodetool_assets (
    id TEXT PRIMARY KEY NOT NULL,
    type TEXT NOT NULL DEFAULT 'asset',
    user_id TEXT NOT NULL DEFAULT '',
    workflow_id TEXT,
    parent_id TEXT NOT NULL,
    file_id TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    content_type TEXT NOT NULL DEFAULT '',
    size BIGINT,
    metadata TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    duration DOUBLE PRECISION,
    node_id TEXT,
    job_id TEXT
);

CREATE INDEX nodetool_assets_by_user ON nodetool_assets (user_id, id);
CREATE INDEX nodetool_assets_by_parent ON nodetool_assets (user_id, parent_id, id);
CREATE INDEX nodetool_assets_by_workflow ON nodetool_assets (user_id, workflow_id, id);
CREATE INDEX nodetool_assets_by_job ON nodetool_assets (user_id, job_id, id);
