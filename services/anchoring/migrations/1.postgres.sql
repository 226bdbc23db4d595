CREATE TABLE block (
    place BIGINT PRIMARY KEY,
    stream BYTEA NOT NULL,
    number BIGINT NOT NULL,
    first BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    hashes BYTEA NOT NULL,
    UNIQUE (stream, number)
);
CREATE UNIQUE INDEX block_first ON block (stream, first);
CREATE TABLE checkpoint (
    size BIGINT PRIMARY KEY,
    note TEXT NOT NULL
);
