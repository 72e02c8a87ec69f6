"""idferry's commands, its inputs and its state file."""

import os, signal, sqlite3, subprocess, time

from settings import COMPARE, IDFERRY, ROWS, TWICE, say
from used import Used

FAST = ["--quota", "none", "--concurrency", "64"]


def command(server, state, csv, *more, pace=FAST):
    """`idferry run`; without a `csv` it goes on with what is queued."""
    where = server.url if server else "http://127.0.0.1:1"
    return [IDFERRY, "run", *([csv] if csv else []), "--state", state, *pace, "--progress", "none",
            "--ticket", "none", "--rejects", "rejects.csv", "--base-url", where, *more]


def run(server, state, csv, *more, **how):
    return Used(command(server, state, csv, *more), env=server.env() if server else None, **how)


def take_in(state, csv, **how):
    """Import only: no call, and the reader of the results is gone before they are written."""
    return run(None, state, csv, "--budget", "0", "--output", "-", quit_output=True, allow=(75, 0), **how)


def restart(server, state):
    """Seconds from the start of a run to its first call; then it is killed, 0.3 s into its work."""
    before = server.settled()
    started = time.monotonic()
    going_on = command(server, state, None, "--output", "-")
    child = subprocess.Popen(going_on, env=server.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while server.asked() == before and child.poll() is None:
        time.sleep(0.002)
    took = time.monotonic() - started
    time.sleep(0.3)
    alive = child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    if not alive:
        raise SystemExit(f"a restarted run ended by itself: {child.returncode}")
    say(f"  restart {took:.3f} s")
    return took


def make(kind, *words):
    """An input, from the generator in rows.rs."""
    subprocess.run([COMPARE, kind, *map(str, words)], check=True)


def everybody():
    """The table of ROWS rows that most sections work on, made once."""
    if not os.path.exists("rows.csv"):
        make("rows", ROWS, TWICE, "rows.csv")
    return "rows.csv"


def remove(*states):
    for state in states:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(state + suffix):
                os.remove(state + suffix)


def one(state, question):
    with sqlite3.connect(state) as db:
        return db.execute(question).fetchone()[0]


def answer(state, upto):
    """Writes answers up to a subject as a run would have left them: asking millions takes long,
    and neither restart nor export can tell."""
    with sqlite3.connect(state) as db:
        db.execute("PRAGMA synchronous = off")
        db.execute("INSERT OR IGNORE INTO corps (corpid) VALUES ('wpDownstream00000000000000000A'), ('wpDownstream00000000000000000B')")
        corps = [corp for (corp,) in db.execute("SELECT id FROM corps ORDER BY id DESC LIMIT 2")]
        which = f"id <= {upto} AND id > (SELECT watermark FROM job) AND id NOT IN (SELECT subject FROM outcomes WHERE subject > (SELECT watermark FROM job))"
        db.execute(f"CREATE TEMP TABLE asked AS SELECT id FROM subjects WHERE {which} ORDER BY id")
        db.execute("INSERT INTO outcomes (subject, state, errcode, attempts, at) SELECT id, CASE WHEN id % 100 < 62 THEN 1 ELSE 2 END, 0, 1, 1795000000 + id / 100 FROM asked")
        for corp, share in zip(corps, (62, 16)):
            db.execute(f"INSERT INTO links (subject, corp, external_userid) SELECT id, {corp}, 'wm' || substr(unionid, 2) || 'AAA' FROM subjects JOIN asked USING (id) WHERE id % 100 < {share}")
        db.execute(f"UPDATE job SET watermark = {upto}")
        db.execute("UPDATE tallies SET subjects = (SELECT count(*) FROM outcomes o WHERE o.state = tallies.state) WHERE state > 0")
        db.execute("UPDATE tallies SET subjects = (SELECT count(*) FROM subjects) - (SELECT count(*) FROM outcomes) WHERE state = 0")
