"""Restart, memory, size, second run, nightly: what a big state file costs."""

import os, shutil, sqlite3

from job import answer, everybody, make, one, remove, restart, run, take_in
from server import Server
from settings import CALLS, ROUNDS, ROWS, TWICE, say
from table import note, row
from used import median


def states():
    server = Server()
    remove("big.db")
    take_in("big.db", everybody())
    peak = asked_to_the_end(server)
    memory(server, peak)
    size()
    second_run(server)
    nightly()
    server.stop()


def asked_to_the_end(server):
    """Kills it half-way some times on the road; answers the peak memory of the runs in MB."""
    subjects, last = one("big.db", "SELECT count(*) FROM subjects"), one("big.db", "SELECT max(id) FROM subjects")
    all_asked = ROWS <= 1_000_000
    if not all_asked:
        note(f"of these {subjects:,} subjects, {2 * CALLS:,} were asked; the other answers were put into the state file as a run writes them")
        answer("big.db", last // 2)
    budget = subjects // 2 if all_asked else CALLS
    first = run(server, "big.db", "rows.csv", "--output", "-", "--budget", str(budget), quit_output=True, allow=(75,))
    # The first restart follows a clean end.
    took = median([restart(server, "big.db") for _ in range(ROUNDS + 1)][1:])
    row(f"kill -9 at {subjects:,} rows, half answered: start to the first call", f"{took:.2f} s", "≤ 0.3 s", took <= 0.3)
    if not all_asked:
        answer("big.db", last - CALLS)
    say("  asking the rest")
    rest = run(server, "big.db", "rows.csv", "--output", "-", quit_output=True)
    peak = max(first.mb, rest.mb)
    row(f"peak memory of a run at {subjects:,} rows", f"{peak:.0f} MB", "< 64 MB", peak < 64)
    return peak


def memory(server, peak):
    """Whether memory grows with the rows."""
    if ROWS <= 1_000_000:
        return
    make("rows", 1_000_000, TWICE, "small.csv")
    remove("small.db")
    take_in("small.db", "small.csv")
    small = run(server, "small.db", "small.csv", "--output", "-", quit_output=True)
    by = peak / small.mb
    row("÷ at 1,000,000 rows", f"{by:.2f}", "≤ 1.15", by <= 1.15)
    remove("small.db")
    os.remove("small.csv")


def size():
    with sqlite3.connect("big.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    subjects, links = one("big.db", "SELECT count(*) FROM subjects"), one("big.db", "SELECT count(*) FROM links")
    bytes = os.path.getsize("big.db") / subjects
    row(f"state file, a finished row ({links / subjects:.2f} links each)", f"{bytes:.0f} bytes", "≤ 160 bytes", bytes <= 160)


def second_run(server):
    """The same command once more, after one that has written the results it finds there."""
    say("  writing again.csv")
    run(server, "big.db", "rows.csv", "--output", "again.csv")
    before = server.asked()
    again = [run(server, "big.db", "rows.csv", "--output", "again.csv") for _ in range(ROUNDS)]
    seconds, calls = median([used.seconds for used in again]), server.asked() - before
    row("a second run of the same finished file, its results written by the first", f"{seconds:.2f} s, {calls} calls", "< 2 s, no call", seconds < 2 and not calls)
    again = [run(server, "big.db", "rows.csv", "--output", "-", quit_output=True) for _ in range(ROUNDS)]
    row("the same to a reader who has left", f"{median([used.seconds for used in again]):.2f} s")
    os.remove("again.csv")


def nightly():
    lines = min(100_000, ROWS)
    make("nightly", ROWS, TWICE, lines, "night.csv")
    nights = []
    for _ in range(ROUNDS):
        shutil.copy("big.db", "night.db")
        nights.append(take_in("night.db", "night.csv"))
        say(f"  nightly {nights[-1]}")
    remove("night.db")
    seconds = median([used.seconds for used in nights])
    row(f"import of a nightly file of {lines:,} rows, 1 % new, into it", f"{seconds:.2f} s", "< 3 s", seconds < 3)
