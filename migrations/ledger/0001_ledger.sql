-- The ledger of all corps of a user on this machine: calls charged, lockouts, tickets.
-- Applied by position, never edited once released; later changes are later files.
-- Counters only grow, and are merged by taking the larger. Times without a unit are ledger time, in
-- ms; corp ids are compared without regard to case (D39442).

-- One row: the number of the last change, and the clocks at that change.
CREATE TABLE ledger (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    revision       INTEGER NOT NULL,
    read_at        INTEGER,     -- ledger time, ms,
    read_wall      INTEGER,     -- the date, ms since the epoch,
    read_boot      INTEGER,     -- which boot of the machine,
    read_monotonic INTEGER,     -- and ms since some moment of it
    read_remote    INTEGER,     -- the remote's date less ledger time, ms,
    read_remote_boot INTEGER    -- and in which boot it was heard
) STRICT;
INSERT INTO ledger (id, revision) VALUES (1, 0);

-- Who charges: a run of a job, or another system under a name. Calls in flight are those charged
-- less those done (completed or given back); those up to landed are taken for done, as others have
-- put them into the slots after the writer gave no sign of life.
CREATE TABLE writers (
    corp                TEXT NOT NULL COLLATE NOCASE,
    api                 INTEGER NOT NULL,
    writer              INTEGER NOT NULL,
    name                TEXT NOT NULL,      -- the path of the job file, or the name of the system
    pid                 INTEGER,
    seen_at             INTEGER NOT NULL,   -- its last exchange
    lands_at            INTEGER NOT NULL,   -- no call that it has paid for is on its way after this
    charged_standard    INTEGER NOT NULL DEFAULT 0,
    charged_with_ticket INTEGER NOT NULL DEFAULT 0,
    done_standard       INTEGER NOT NULL DEFAULT 0,
    done_with_ticket    INTEGER NOT NULL DEFAULT 0,
    landed_standard     INTEGER NOT NULL DEFAULT 0,
    landed_with_ticket  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (corp, api, writer)
) STRICT, WITHOUT ROWID;

-- Calls completed in one slot of a period (1 minute, 2 hour, 3 day, 4 month). The sum over all corps
-- is what counts for the IP of this machine.
CREATE TABLE charges (
    api         INTEGER NOT NULL,
    period      INTEGER NOT NULL,
    slot        INTEGER NOT NULL,           -- its start
    corp        TEXT NOT NULL COLLATE NOCASE,
    writer      INTEGER NOT NULL,
    standard    INTEGER NOT NULL,
    with_ticket INTEGER NOT NULL,
    revision    INTEGER NOT NULL,           -- the change that it was last part of
    PRIMARY KEY (api, period, slot, corp, writer)
) STRICT, WITHOUT ROWID;
CREATE INDEX charges_by_revision ON charges (revision);

-- The lockout of an API (45009), if one is in force.
CREATE TABLE lockouts (
    corp        TEXT NOT NULL COLLATE NOCASE,
    api         INTEGER NOT NULL,
    level       INTEGER NOT NULL,           -- 0 none, 1 minute, 2 hour, 3 day, 4 month
    until       INTEGER NOT NULL,           -- when one probe may be sent
    days        INTEGER NOT NULL,           -- natural days it was taken for one of the day
    probe_until INTEGER NOT NULL,           -- the probe under way; 0 for none
    -- What the account held as its first call was refused; 0 for what tells nothing.
    refused_with_ticket INTEGER NOT NULL,
    refused_minute      INTEGER NOT NULL,
    refused_hour        INTEGER NOT NULL,
    refused_day         INTEGER NOT NULL,
    PRIMARY KEY (corp, api)
) STRICT, WITHOUT ROWID;

-- Windows that the remote refused to fill to their limit. Refused several times in a row at about the
-- same number of calls, that number is the limit.
CREATE TABLE observed_limits (
    corp         TEXT NOT NULL COLLATE NOCASE,
    api          INTEGER NOT NULL,
    quota_window TEXT NOT NULL,             -- its name
    calls        INTEGER NOT NULL,          -- at which it was refused
    times        INTEGER NOT NULL,          -- in a row
    seen_at      INTEGER NOT NULL,          -- the last time
    PRIMARY KEY (corp, api, quota_window)
) STRICT, WITHOUT ROWID;

-- Corps whose lookups and calls for pending_ids count together in the business windows, as a refusal
-- has told that nothing else explains.
CREATE TABLE shared_counters (
    corp    TEXT PRIMARY KEY COLLATE NOCASE,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The mass_call_ticket of a corp: a row for the one application that may ever be made, written before
-- the request is sent, and one for each ticket that was imported. The latest row of a corp counts.
CREATE TABLE tickets (
    id          INTEGER PRIMARY KEY,
    corp        TEXT NOT NULL COLLATE NOCASE,
    is_imported INTEGER NOT NULL,           -- 0: applied for
    obtained_at INTEGER NOT NULL,           -- when it was applied for or obtained, ms since the epoch
    status      INTEGER,                    -- HTTP status of the reply; NULL while none has come
    reply       BLOB,                       -- its body as received; before that, room for it
    errcode     INTEGER,                    -- with which the application was refused
    ticket      TEXT,                       -- NULL if none came, or it was forgotten
    expires_at  INTEGER,                    -- ms since the epoch
    doubted_at  INTEGER,                    -- since when it is not known whether it works
    without     INTEGER NOT NULL DEFAULT 0, -- whether a call without it was answered since
    dead_at     INTEGER                     -- when it was found not to work any more
) STRICT;
CREATE UNIQUE INDEX one_application ON tickets (corp) WHERE is_imported = 0;

-- The latest refusal of gettoken, to each secret, that a restart must not repeat.
CREATE TABLE token_refusals (
    corp       TEXT NOT NULL COLLATE NOCASE,
    secret     INTEGER NOT NULL,            -- digest of the secret that was refused; 0 for every one
    errcode    INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    until      INTEGER NOT NULL,            -- no token is fetched before
    PRIMARY KEY (corp, secret)
) STRICT, WITHOUT ROWID;
