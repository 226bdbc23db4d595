-- One row for each reference, for ever: its key, or an empty mark that it was destroyed. The vacuum comes at its next turn
-- for a single dead row, because that row is a key that must not stay.
CREATE TABLE data_key (
    reference BYTEA PRIMARY KEY,
    wrapped BYTEA NOT NULL
) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
CREATE TABLE doomed (
    reference BYTEA NOT NULL,
    stream BYTEA NOT NULL,
    request BYTEA NOT NULL,
    noted BIGINT NOT NULL,
    PRIMARY KEY (reference, request)
);
