-- What a workflow has as a loop: beside its row, since most workflows are none.
CREATE TABLE nodetool_loops (
    workflow_id TEXT PRIMARY KEY NOT NULL,
    dialect TEXT NOT NULL DEFAULT 'dataflow',
    workflow_type TEXT NOT NULL DEFAULT 'production',
    category TEXT,
    status TEXT NOT NULL DEFAULT 'inactive',
    restart TEXT NOT NULL DEFAULT 'never',
    env TEXT NOT NULL DEFAULT '{}',
    runtime_state TEXT NOT NULL DEFAULT '{}',
    runs_count BIGINT NOT NULL DEFAULT 0,
    last_run BIGINT,
    next_run BIGINT,
    last_job_id TEXT
);

-- The values a node was last given and gave while its workflow was being built.
CREATE TABLE nodetool_node_data (
    workflow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    input_data TEXT NOT NULL DEFAULT '{}',
    output_data TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (workflow_id, node_id)
);

CREATE TABLE nodetool_node_files (
    id TEXT PRIMARY KEY NOT NULL,
    workflow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    key TEXT NOT NULL,
    file_name TEXT NOT NULL,
    blob TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX nodetool_node_files_by_key ON nodetool_node_files (workflow_id, node_id, key);
CREATE INDEX nodetool_node_files_by_node ON nodetool_node_files (node_id, key);
CREATE UNIQUE INDEX nodetool_node_files_by_blob ON nodetool_node_files (blob);

-- Tokens that wait between loops of a run that is taken up again.
CREATE TABLE nodetool_loop_tokens (
    workflow_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    number BIGINT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (workflow_id, queue, number)
);

-- How the newest run stands; kept for an hour after its end.
CREATE TABLE nodetool_loop_states (
    workflow_id TEXT PRIMARY KEY NOT NULL,
    updated_at BIGINT NOT NULL,
    state TEXT NOT NULL
);

-- What steps could not work on, newest kept.
CREATE TABLE nodetool_dead_letters (
    id TEXT PRIMARY KEY NOT NULL,
    workflow_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    error TEXT NOT NULL,
    token TEXT NOT NULL
);

CREATE INDEX nodetool_dead_letters_by_workflow ON nodetool_dead_letters (workflow_id, created_at, id);

CREATE TABLE nodetool_webhook_secrets (
    user_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, webhook_id)
);

CREATE INDEX nodetool_webhook_secrets_by_webhook ON nodetool_webhook_secrets (webhook_id, created_at, user_id);

-- People who sign in with a name and a password, and the tokens they renew their access with.
CREATE TABLE nodetool_people (
    id BIGINT PRIMARY KEY NOT NULL,
    username TEXT NOT NULL,
    email TEXT NOT NULL DEFAULT '',
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX nodetool_people_by_username ON nodetool_people (username);

CREATE TABLE nodetool_refresh_tokens (
    id TEXT PRIMARY KEY NOT NULL,
    person_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
