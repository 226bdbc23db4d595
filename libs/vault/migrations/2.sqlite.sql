-- One row for each reference, for ever: its key, or the mark that it was destroyed. So two processes that make and destroy
-- a key at the same time meet at one row.
INSERT INTO data_key (reference, wrapped) SELECT reference, x'' FROM destroyed WHERE TRUE
    ON CONFLICT (reference) DO UPDATE SET wrapped = excluded.wrapped;
ALTER TABLE doomed ADD COLUMN noted INTEGER NOT NULL DEFAULT 0;
