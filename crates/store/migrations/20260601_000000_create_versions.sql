-- Large texts move to the end of a workflow's row, so that lists without them never touch their pages;
-- the schemas of inputs and outputs are kept beside the graph they were made of.
CREATE TABLE nodetool_workflows_next (
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
    settings TEXT DEFAULT '{}',
    receive_clipboard BIGINT NOT NULL DEFAULT 0,
    run_mode TEXT,
    workspace_id TEXT,
    input_schema TEXT,
    output_schema TEXT,
    html_app TEXT,
    graph TEXT NOT NULL DEFAULT '{}'
);

INSERT INTO nodetool_workflows_next (id, user_id, access, created_at, updated_at, name, tool_name, tags, description,
    package_name, thumbnail, thumbnail_url, settings, receive_clipboard, run_mode, workspace_id, html_app, graph)
SELECT id, user_id, access, created_at, updated_at, name, tool_name, tags, description,
    package_name, thumbnail, thumbnail_url, settings, receive_clipboard, run_mode, workspace_id, html_app, graph
FROM nodetool_workflows;

DROP TABLE nodetool_workflows;

ALTER TABLE nodetool_workflows_next RENAME TO nodetool_workflows;

CREATE INDEX nodetool_workflows_by_user ON nodetool_workflows (user_id, updated_at, id);
CREATE INDEX nodetool_workflows_by_access ON nodetool_workflows (access, updated_at, id);
CREATE INDEX nodetool_workflows_by_update ON nodetool_workflows (updated_at, id);

CREATE TABLE nodetool_workflow_versions (
    id TEXT PRIMARY KEY NOT NULL,
    workflow_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    save_type TEXT NOT NULL DEFAULT 'manual' CHECK (save_type IN ('autosave', 'manual', 'checkpoint', 'restore')),
    autosave_metadata TEXT NOT NULL DEFAULT '{}',
    graph TEXT NOT NULL DEFAULT '{}'
);

CREATE UNIQUE INDEX nodetool_workflow_versions_by_number ON nodetool_workflow_versions (workflow_id, version);
CREATE INDEX nodetool_workflow_versions_by_kind ON nodetool_workflow_versions (workflow_id, save_type, version, created_at);
