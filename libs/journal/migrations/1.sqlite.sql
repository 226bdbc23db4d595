CREATE TABLE IF NOT EXISTS stream (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS commit_group (
    id INTEGER PRIMARY KEY,
    note TEXT NOT NULL,
    hashes BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    stream INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    stored BLOB NOT NULL,
    commit_group INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request (
    stream INTEGER NOT NULL,
    request BLOB NOT NULL,
    number INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    PRIMARY KEY (stream, request)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (
    stream INTEGER NOT NULL,
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (stream, key, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS map_node (
    hash BLOB PRIMARY KEY,
    leaf INTEGER NOT NULL,
    first BLOB NOT NULL,
    second BLOB NOT NULL
) WITHOUT ROWID;
