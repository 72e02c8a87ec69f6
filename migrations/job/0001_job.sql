-- The job: whose it is, what came in, what came of it, what its runs have cost.
-- Applied by position, never edited once released; later changes are later files.

-- One row: which job this is, the corp it belongs to, and who holds the file.
CREATE TABLE job (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    job_id      TEXT NOT NULL,      -- random; copies of the file share it
    corp_id     TEXT,               -- the upstream corp; NULL until the first credentials
    watermark   INTEGER NOT NULL,   -- every subject up to here has an outcome
    holder_pid  INTEGER,            -- the process that holds the lock, while it does
    held_since  INTEGER,            -- ms since the epoch
    clean       INTEGER NOT NULL DEFAULT 1,     -- 0 while held, and after a holder that was killed
    revision    INTEGER NOT NULL DEFAULT 0,     -- grows with whatever results would say otherwise
    changes_since INTEGER           -- --changes has not written links that began or ended since
                                    -- (seconds since the epoch); NULL before its first use
) STRICT;
INSERT INTO job (id, job_id, watermark) VALUES (1, lower(hex(randomblob(16))), 0);

-- Input files that were read to their end; imported_at is NULL while one is being read.
CREATE TABLE sources (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,    -- as it was given; of a workbook with the sheet
    path          TEXT,             -- of its file, from the root; NULL for a stream
    digest        BLOB,             -- of the bytes and of the options they were read with
    first_subject INTEGER NOT NULL,
    lines         INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    subjects      INTEGER NOT NULL DEFAULT 0,   -- those seen here for the first time
    rejected_then INTEGER NOT NULL DEFAULT 0,   -- when it was imported, before any were mended
    subjects_then INTEGER NOT NULL DEFAULT 0,   -- likewise, without those of earlier files of the name
    imported_at   INTEGER           -- ms since the epoch
) STRICT;

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

-- Corps, named once: downstream corps of links and of filters.
CREATE TABLE corps (
    id     INTEGER PRIMARY KEY,
    corpid TEXT NOT NULL UNIQUE,    -- empty for contacts whose corp was not told
    name   TEXT                     -- NULL if it is not known
) STRICT;

-- Subjects in order of first appearance. Append-only, and no unique index: random keys under a
-- growing table halve its speed every few million rows. key_chunks finds the duplicates.
CREATE TABLE subjects (
    id      INTEGER PRIMARY KEY,
    unionid TEXT NOT NULL,
    openid  TEXT NOT NULL,
    corp    INTEGER REFERENCES corps (id)       -- look only there
) STRICT;

-- Sorted runs of (hash of a subject, its id), a few thousand pairs a row; see store::import::key_runs.
CREATE TABLE key_chunks (
    id    INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL,
    pairs BLOB NOT NULL
) STRICT;
CREATE INDEX key_chunks_by_run ON key_chunks (run);

-- What asking came to; a subject without a row is queued.
CREATE TABLE outcomes (
    subject  INTEGER PRIMARY KEY REFERENCES subjects (id),
    state    INTEGER NOT NULL,      -- 1 linked, 2 unlinked, 3 rejected, 4 parked
    errcode  INTEGER,               -- NULL if no reply could be read
    attempts INTEGER NOT NULL,
    at       INTEGER NOT NULL,      -- seconds since the epoch
    pass     INTEGER NOT NULL       -- the newest pass when it was asked last; 0 before there was any
) STRICT;

-- The parked and the rejected, who are few: to ask or to count them without reading all the others.
CREATE INDEX refused_outcomes ON outcomes (state) WHERE state IN (3, 4);

-- Links and when they stood, in seconds since the epoch. An answer writes only what it changes.
CREATE TABLE links (
    subject         INTEGER NOT NULL,
    corp            INTEGER NOT NULL REFERENCES corps (id),
    external_userid TEXT NOT NULL,
    since           INTEGER NOT NULL,   -- the first answer with it
    until           INTEGER,            -- the first answer without it; NULL while it stands
    source          INTEGER NOT NULL DEFAULT 0,     -- 0 lookups, 1 a pending_id
    PRIMARY KEY (subject, corp, external_userid, since)
) STRICT, WITHOUT ROWID;

-- The pending_ids of subjects that were unlinked when they were asked for (D97357). Times are in seconds
-- since the epoch.
CREATE TABLE pending_ids (
    subject    INTEGER PRIMARY KEY,
    pending_id TEXT,                -- NULL if none was ever obtained
    previous   TEXT,                -- another one that was obtained before
    expires    INTEGER,             -- the end of the 90 days of the id
    errcode    INTEGER,             -- of the last reply; NULL if none could be read
    attempts   INTEGER NOT NULL,
    at         INTEGER NOT NULL,    -- of the last reply
    due        INTEGER NOT NULL     -- when it is asked for again, if the subject is unlinked then
) STRICT;

-- External_userids of downstream corps that are to be matched with subjects by their pending_ids. The
-- key is the order in which they are asked about.
CREATE TABLE contacts (
    corp            INTEGER NOT NULL REFERENCES corps (id),
    chat_id         TEXT NOT NULL,      -- the group chat by which it may be seen; empty for none
    external_userid TEXT NOT NULL,
    pending_id      TEXT,               -- NULL while none is known
    errcode         INTEGER,            -- with which it was refused
    at              INTEGER,            -- when it was asked about, in seconds since the epoch
    PRIMARY KEY (corp, chat_id, external_userid)
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_by_pending_id ON contacts (pending_id) WHERE pending_id IS NOT NULL;

-- Answers to be asked for again, in the order of subjects. A subject is due in a pass if its outcome is
-- one of those chosen and older than the pass (outcomes.pass < id).
CREATE TABLE passes (
    id        INTEGER PRIMARY KEY,
    origin    TEXT NOT NULL,        -- retry, or of a resync: parked, unlinked, linked
    states    TEXT NOT NULL,        -- of the outcomes, a JSON array of numbers
    errcodes  TEXT NOT NULL,        -- likewise; empty for any
    before    INTEGER,              -- outcomes known before this, in seconds since the epoch
    upto      INTEGER NOT NULL,     -- the last subject
    subjects  INTEGER NOT NULL,     -- due when it was opened
    opened_at INTEGER NOT NULL,     -- ms since the epoch
    asked     INTEGER NOT NULL DEFAULT 0,
    cursor    INTEGER NOT NULL DEFAULT 0,   -- no subject up to here is due any more
    closed_at INTEGER               -- ms since the epoch
) STRICT;

-- How many subjects stand in each state, kept with every commit so that nobody has to count.
CREATE TABLE tallies (
    state    INTEGER PRIMARY KEY,
    subjects INTEGER NOT NULL
) STRICT;
INSERT INTO tallies VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);

-- What the runs of this job have charged, as the ledger has it: counters that only grow, written
-- with the answers. A lost ledger is rebuilt from here. Calls in flight are those charged less those
-- done (completed or given back).
CREATE TABLE writers (
    writer              INTEGER NOT NULL,
    api                 INTEGER NOT NULL,
    charged_standard    INTEGER NOT NULL DEFAULT 0,
    charged_with_ticket INTEGER NOT NULL DEFAULT 0,
    done_standard       INTEGER NOT NULL DEFAULT 0,
    done_with_ticket    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (writer, api)
) STRICT, WITHOUT ROWID;

-- Calls completed in one slot of a period (1 minute, 2 hour, 3 day, 4 month).
CREATE TABLE charges (
    writer      INTEGER NOT NULL,
    api         INTEGER NOT NULL,
    period      INTEGER NOT NULL,
    slot        INTEGER NOT NULL,   -- its start in ledger time, ms
    standard    INTEGER NOT NULL,
    with_ticket INTEGER NOT NULL,
    PRIMARY KEY (writer, api, period, slot)
) STRICT, WITHOUT ROWID;

-- One row a run, renewed while it goes on: what status reads.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    writer      INTEGER NOT NULL,   -- as which it charges
    command     TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,   -- ms since the epoch
    seen_at     INTEGER NOT NULL,
    ended_at    INTEGER,
    exit_code   INTEGER,
    calls       INTEGER NOT NULL DEFAULT 0,
    quota       TEXT NOT NULL DEFAULT '',       -- limits it held, as JSON
    activity    TEXT,               -- what it does before its calls, such as importing a file
    hold        TEXT,               -- why it waits
    hold_code   TEXT,               -- the same as a code, such as `window business.day`
    hold_until  INTEGER,            -- ms since the epoch, by the wall
    next_command TEXT,              -- the command line that resumes it
    summary     TEXT                -- what was said at its end, as JSON
) STRICT;

-- How the runs went: one row a minute and reason for waiting, written with the progress of a run.
-- Of fifteen minutes once a day old, of an hour once 32 days old, gone after 400 days.
CREATE TABLE samples (
    at       INTEGER NOT NULL,  -- the beginning, ms since the epoch, by the wall
    hold     TEXT NOT NULL,     -- hold_code of the run; empty while it did not wait
    millis   INTEGER NOT NULL,  -- how long
    calls    INTEGER NOT NULL,  -- completed
    answered INTEGER NOT NULL,  -- subjects that got an outcome
    PRIMARY KEY (at, hold)
) STRICT, WITHOUT ROWID;

-- What operators ask of a run while it goes on, written beside it; at most one of a kind.
CREATE TABLE wishes (
    wish     TEXT PRIMARY KEY,  -- pause, rate, concurrency, stop
    number   INTEGER,           -- calls a minute, or calls in flight
    asked_by TEXT NOT NULL,     -- user@host
    pid      INTEGER NOT NULL,
    asked_at INTEGER NOT NULL   -- ms since the epoch
) STRICT, WITHOUT ROWID;

-- Results that were written, and as what they were left: a run that changed nothing leaves them
-- where they are, for ten million lines take seconds.
CREATE TABLE published (
    path     TEXT PRIMARY KEY,
    mark     TEXT NOT NULL,     -- which file it was, and when it was last touched
    revision INTEGER NOT NULL,
    lines    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
