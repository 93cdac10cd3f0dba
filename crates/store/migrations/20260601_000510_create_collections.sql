CREATE TABLE nodetool_collections (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    embedding_provider TEXT NOT NULL,
    embedding_model TEXT NOT NULL,
    dimensions BIGINT NOT NULL DEFAULT 0,
    documents BIGINT NOT NULL DEFAULT 0,
    revision BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX nodetool_collections_by_name ON nodetool_collections (user_id, name);

CREATE TABLE nodetool_collection_documents (
    collection_id TEXT NOT NULL,
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL,
    vector BYTEA NOT NULL,
    source TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (collection_id, id)
);

CREATE UNIQUE INDEX nodetool_collection_documents_by_place ON nodetool_collection_documents (collection_id, place);
CREATE INDEX nodetool_collection_documents_by_source ON nodetool_collection_documents (collection_id, source);
