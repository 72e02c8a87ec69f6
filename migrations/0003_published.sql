-- A run that changed nothing leaves the results where they are: ten million lines take seconds.

-- Grows with whatever results would say otherwise.
ALTER TABLE job ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- Results that were written, and as what they were left.
CREATE TABLE published (
    path     TEXT PRIMARY KEY,
    mark     TEXT NOT NULL,     -- which file it was, and when it was last touched
    revision INTEGER NOT NULL,
    lines    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The parked and the rejected, who are few: to ask or to count them without reading all the others.
CREATE INDEX refused_outcomes ON outcomes (state) WHERE state IN (3, 4);
