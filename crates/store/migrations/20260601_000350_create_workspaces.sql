CREATE TABLE nodetool_workspaces (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    is_default BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX nodetool_workspaces_by_user ON nodetool_workspaces (user_id, updated_at, id);
CREATE UNIQUE INDEX nodetool_workspaces_default ON nodetool_workspaces (user_id) WHERE is_default = 1;
CREATE INDEX nodetool_workflows_by_workspace ON nodetool_workflows (workspace_id, user_id)
    WHERE workspace_id IS NOT NULL;
