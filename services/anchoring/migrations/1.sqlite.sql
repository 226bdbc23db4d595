CREATE TABLE IF NOT EXISTS block (
    place INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    hashes BLOB NOT NULL,
    UNIQUE (stream, number)
);
CREATE UNIQUE INDEX IF NOT EXISTS block_first ON block (stream, first);
CREATE TABLE IF NOT EXISTS checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
);
