"""Conducts `cargo bench --bench compare`; see main.rs. Standard library only.

ROWS=1000000   rows of the table       ROUNDS=3   turns each contender takes
CALLS=200000   calls of a timed run    ONLY=a,b   sections: speed tls quota import grow state
BENCH_DIR      where files go                     export rehearse huge
HUGE=100000000 rows of the section huge, which runs only if ONLY names it: 30 GB of disk
QUICK=1        does not sit through the windows of the quota: a try, not a measurement
BENCH_PIP=1    install aiohttp and uvloop into a venv there

settings.py is what was asked for, used.py what a process cost, server.py and job.py the two sides
of a call, table.py the result; each section has a file of its own.
"""

import traceback

import table
from exports import exports
from huge import huge
from imports import grow, imports
from quota import quotas
from rehearsals import rehearsals
from settings import DIR, ROUNDS, ROWS, say
from speed import speed, tls
from states import states
from table import note, wanted


SECTIONS = {
    "speed": speed, "tls": tls, "quota": quotas, "import": imports, "grow": grow,
    "state": states, "export": exports, "rehearse": rehearsals, "huge": huge,
}


def main():
    say(f"{ROWS:,} rows in {DIR}, {ROUNDS} rounds")
    broken = []
    for name, section in SECTIONS.items():
        if not wanted(name, unasked=section is not huge):
            continue
        try:
            section()
        except (Exception, SystemExit) as why:  # the others' hours of work are not lost for it
            traceback.print_exc()
            note(f"**{name} broke off: {why}**")
            broken.append(name)
    table.show()
    if broken:
        raise SystemExit(f"broke off: {', '.join(broken)}")


main()
