CREATE TABLE trigger_schedules (
    workflow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    spec TEXT NOT NULL DEFAULT '{}',
    salt TEXT NOT NULL DEFAULT '',
    active BIGINT NOT NULL DEFAULT 1,
    by_hand BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL,
    next_due BIGINT,
    last_fired BIGINT,
    fired BIGINT NOT NULL DEFAULT 0,
    last_job_id TEXT,
    last_error TEXT,
    revision BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    cursor TEXT,
    PRIMARY KEY (workflow_id, node_id)
);

CREATE INDEX trigger_schedules_by_user ON trigger_schedules (user_id, workflow_id, node_id);
CREATE INDEX trigger_schedules_due ON trigger_schedules (next_due) WHERE active = 1 AND next_due IS NOT NULL;

CREATE TABLE trigger_inputs (
    id TEXT PRIMARY KEY NOT NULL,
    input_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    processed BIGINT NOT NULL DEFAULT 0,
    processed_at BIGINT,
    cursor TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    payload_json TEXT NOT NULL DEFAULT '{}'
);

CREATE INDEX trigger_inputs_by_run ON trigger_inputs (run_id, node_id, processed);
CREATE INDEX trigger_inputs_waiting ON trigger_inputs (created_at, id) WHERE processed = 0;
CREATE INDEX trigger_inputs_processed ON trigger_inputs (processed_at) WHERE processed = 1;
