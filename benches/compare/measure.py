"""Conducts `cargo bench --bench compare`; see main.rs. Standard library only.

ROWS=1000000  rows of the table       ROUNDS=3    turns each contender takes
CALLS=200000  calls of a timed run    ONLY=a,b    sections: speed tls quota import grow
BENCH_DIR     where files go                      export state rehearse
BENCH_PIP=1   install aiohttp and uvloop into a venv there
QUICK=1       does not sit through the windows of the quota: a try, not a measurement

settings.py is what was asked for, used.py what a process cost, server.py and job.py the two sides
of a call, table.py the result; each section has a file of its own.
"""

import table
from exports import exports
from imports import grow, imports
from job import make
from quota import quotas
from rehearsals import rehearsals
from settings import DIR, ROUNDS, ROWS, TWICE, say
from speed import speed, tls
from states import states
from table import wanted


def main():
    say(f"{ROWS:,} rows in {DIR}, {ROUNDS} rounds")
    make("rows", ROWS, TWICE, "rows.csv")
    if wanted("speed"):
        speed()
    if wanted("tls"):
        tls()
    if wanted("quota"):
        quotas()
    if wanted("import"):
        imports()
    if wanted("grow"):
        grow()
    if wanted("state"):
        states()
    if wanted("export"):
        exports()
    if wanted("rehearse"):
        rehearsals()
    table.show()


main()
