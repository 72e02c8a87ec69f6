"""A table so long that whatever grows with it shows. A table of its own; run only if asked for."""

import os, shutil, time

from job import make, one, remove, restart, run, take_in
from server import Server
from settings import DIR, HUGE, IDFERRY, ROUNDS, TWICE, say
from table import HUGE as UNDER, note, row
from used import Used, median

BYTES_A_ROW = 300  # the table, the state file and what the import sorts in, all at once


def huge():
    free = shutil.disk_usage(DIR).free
    if free < HUGE * BYTES_A_ROW:
        note(f"huge: {HUGE:,} rows want {HUGE * BYTES_A_ROW / 1e9:.0f} GB of disk, {free / 1e9:.0f} GB are free: left out")
        return
    make("rows", HUGE, TWICE, "huge.csv")
    tell(f"{HUGE:,} rows, {TWICE / 10:.0f} % repeated", size("huge.csv"))
    taken_in()
    asked()
    again = take_in("huge.db", "huge.csv")
    tell("a second run finds the input imported", f"{again.seconds:.1f} s, {again.mb:.0f} MB")
    os.remove("huge.csv")  # the disk is better used by what follows
    looked_at()
    nights()
    remove("huge.db")


def tell(what, measured):
    row(what, measured, under=UNDER)


def size(*paths):
    return f"{sum(os.path.getsize(path) for path in paths) / 1e9:.2f} GB"


class Reading:
    """How far a process has read a file: one list of (moment, bytes) for each time it began."""

    def __init__(self, path):
        self.path, self.passes = os.path.abspath(path), []
        self.free = self.least = shutil.disk_usage(DIR).free

    def look(self, pid):
        self.least = min(self.least, shutil.disk_usage(DIR).free)
        try:
            fds = [fd for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}") == self.path]
            if fds:
                with open(f"/proc/{pid}/fdinfo/{fds[-1]}") as fdinfo:
                    self.at(int(fdinfo.readline().split()[1]))
        except OSError:
            pass  # closed meanwhile, or the process has ended

    def at(self, bytes):
        if not self.passes or bytes < self.passes[-1][-1][1]:
            self.passes.append([])
        # It may keep the file open after the end.
        if not self.passes[-1] or bytes > self.passes[-1][-1][1]:
            self.passes[-1].append((time.monotonic(), bytes))

    def tenths(self):
        """Seconds for each tenth of the last pass."""
        whole, marks = os.path.getsize(self.path), []
        for moment, bytes in self.passes[-1]:
            if bytes >= whole * len(marks) / 10:
                marks.append(moment)
        return [after - before for before, after in zip(marks, marks[1:])]

    def disk(self):
        """What it took of the disk at most; that of others too, if they write meanwhile."""
        return f"{(self.free - self.least) / 1e9:.1f} GB"


def taken_in():
    reading = Reading("huge.csv")
    used = take_in("huge.db", "huge.csv", look=reading.look)
    ended = time.monotonic()
    say(f"  {used}")
    tell("import", f"{used.seconds:.0f} s, {HUGE / used.seconds:,.0f} rows/s, CPU {used.cpu:.0f} s")
    tell("peak memory of it", f"{used.mb:.0f} MB")
    if len(reading.passes) == 2:  # one for the digest, one for the rows
        ends = [times[-1][0] for times in reading.passes]
        digest, rows = (times[-1][0] - times[0][0] for times in reading.passes)
        tell("of which digest, reading and sorting, appending", f"{digest:.1f} s, {rows:.1f} s, {ended - ends[-1]:.1f} s")
        tenths = ", ".join(f"{seconds:.1f}" for seconds in reading.tenths())
        tell(f"reading and sorting, each {HUGE // 10:,} rows", f"{tenths} s")
    tell("disk that it took at most", reading.disk())
    subjects = one("huge.db", "SELECT count(*) FROM subjects")
    tell(f"state file of {subjects:,} subjects", f"{size('huge.db')}, {os.path.getsize('huge.db') / subjects:.0f} bytes each")


def asked():
    server, calls = Server(), min(10_000, HUGE // 2)
    used = run(server, "huge.db", None, "--output", "-", "--budget", str(calls), quit_output=True, allow=(75,))
    tell(f"a run of the first {calls:,} calls", f"{used.seconds:.1f} s, {used.mb:.0f} MB")
    took = [restart(server, "huge.db") for _ in range(ROUNDS + 1)][1:]
    tell("kill -9: start to the first call", f"{median(took):.2f} s")
    server.stop()


def looked_at():
    states = [Used([IDFERRY, "status", "--state", "huge.db"]) for _ in range(ROUNDS)]
    tell("status", f"{median([used.seconds for used in states]):.2f} s")
    used = Used([IDFERRY, "export", "--state", "huge.db", "--output", "huge.links.csv"])
    tell("export of what there is", f"{used.seconds:.0f} s, {used.mb:.0f} MB, {size('huge.links.csv')}")
    os.remove("huge.links.csv")


def nights():
    """Each night's file knows those of the nights before."""
    lines, nights = min(100_000, HUGE), []
    for night in range(ROUNDS):
        make("nightly", HUGE + night * lines, TWICE, lines, "night.csv")
        nights.append(take_in("huge.db", "night.csv"))
        say(f"  nightly {nights[-1]}")
    seconds, mb = median([used.seconds for used in nights]), max(used.mb for used in nights)
    tell(f"import of a nightly file of {lines:,} rows, 1 % new, into it", f"{seconds:.2f} s, {mb:.0f} MB")
