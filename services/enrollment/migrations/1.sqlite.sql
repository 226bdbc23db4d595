CREATE TABLE IF NOT EXISTS allocation_secret (
    study BLOB NOT NULL,
    allocation TEXT NOT NULL,
    commitment BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (study, allocation, commitment)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS matching_key (
    study BLOB PRIMARY KEY,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
