ALTER TABLE cosigned ADD COLUMN cosignatures TEXT;
ALTER TABLE evidence ADD COLUMN proof TEXT;
ALTER TABLE evidence ADD COLUMN pair BLOB;
ALTER TABLE evidence ADD COLUMN kept INTEGER;
CREATE UNIQUE INDEX evidence_pair ON evidence (origin, pair);
CREATE TABLE unreached (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    held INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    UNIQUE (origin, size, root)
);
