CREATE TABLE allocation_secret (
    study BYTEA NOT NULL,
    allocation TEXT NOT NULL,
    commitment BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (study, allocation, commitment)
);
CREATE TABLE matching_key (
    study BYTEA PRIMARY KEY,
    sealed BYTEA NOT NULL
);
