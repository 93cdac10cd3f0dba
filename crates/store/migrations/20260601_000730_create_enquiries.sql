-- What people write to those who run a server: requests for a demo, and messages.
CREATE TABLE nodetool_enquiries (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    company TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'new',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX nodetool_enquiries_by_kind ON nodetool_enquiries (kind, created_at, id);
