CREATE TABLE nodetool_workflows (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL DEFAULT '',
    access TEXT NOT NULL DEFAULT 'private',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    tool_name TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    description TEXT DEFAULT '',
    package_name TEXT DEFAULT '',
    thumbnail TEXT,
    thumbnail_url TEXT,
    graph TEXT NOT NULL DEFAULT '{}',
    settings TEXT DEFAULT '{}',
    receive_clipboard BIGINT NOT NULL DEFAULT 0,
    run_mode TEXT,
    workspace_id TEXT,
    html_app TEXT
);

CREATE INDEX nodetool_workflows_by_user ON nodetool_workflows (user_id, updated_at, id);
CREATE INDEX nodetool_workflows_by_access ON nodetool_workflows (access, updated_at, id);
CREATE INDEX nodetool_workflows_by_update ON nodetool_workflows (updated_at, id);
