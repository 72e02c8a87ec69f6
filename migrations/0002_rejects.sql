-- Lines that cannot be subjects stay with their source: the rejects file is written from here at
-- every run, so that no run can lose what an earlier one found.
CREATE TABLE rejects (
    source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,    -- in the order of the source
    line   INTEGER NOT NULL,
    field  TEXT NOT NULL,       -- the offending column as the header names it
    reason TEXT NOT NULL,
    fields TEXT NOT NULL,       -- the line as it was, a JSON array
    PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;
