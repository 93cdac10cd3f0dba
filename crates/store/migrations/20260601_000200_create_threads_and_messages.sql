CREATE TABLE nodetool_threads (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL DEFAULT '',
    title TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX nodetool_threads_by_user ON nodetool_threads (user_id, created_at, id);

CREATE TABLE nodetool_messages (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL DEFAULT '',
    thread_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    role TEXT NOT NULL DEFAULT '',
    name TEXT,
    content TEXT,
    tool_call_id TEXT,
    tool_calls TEXT,
    workflow_id TEXT,
    graph TEXT,
    tools TEXT,
    collections TEXT,
    input_files TEXT,
    output_files TEXT,
    provider TEXT,
    model TEXT,
    cost DOUBLE PRECISION,
    agent_mode BIGINT,
    help_mode BIGINT,
    agent_execution_id TEXT,
    execution_event_type TEXT,
    workflow_target TEXT
);

CREATE INDEX nodetool_messages_by_thread ON nodetool_messages (user_id, thread_id, created_at, id);
