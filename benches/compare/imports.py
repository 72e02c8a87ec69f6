"""Rows into a state file."""

import os

from job import everybody, make, remove, take_in
from settings import ROUNDS, ROWS, TWICE, say
from table import have, row
from used import Used, in_turn, median, ratio


def imports():
    csv = everybody()

    def theirs():
        remove("theirs.db")
        return Used(["sqlite3", "theirs.db", "CREATE TABLE t(unionid TEXT, openid TEXT)", ".mode csv", f".import --skip 1 {csv} t"])

    def ours():
        remove("ours.db")
        return take_in("ours.db", csv)

    contenders = {"idferry": ours}
    if have("sqlite3"):
        contenders["sqlite3"] = theirs
    got = in_turn(contenders)
    seconds = {name: [used.seconds for used in turns] for name, turns in got.items()}
    mb = max(used.mb for used in got["idferry"])
    if "sqlite3" in got:
        by = ratio(seconds["sqlite3"], seconds["idferry"])
        row(f"import of {ROWS:,} rows, {TWICE / 10:.0f} % repeated ({median(seconds['idferry']):.1f} s) ÷ sqlite3 .import into a bare table ({median(seconds['sqlite3']):.1f} s)", f"{by:.2f}", "≥ 1.0", by >= 1.0)
        cpu = ratio([x.cpu for x in got["sqlite3"]], [x.cpu for x in got["idferry"]])
        row("the same by CPU time", f"{cpu:.2f}")
    row("peak memory of it", f"{mb:.0f} MB", "< 128 MB", mb < 128)
    remove("theirs.db", "ours.db")


def grow():
    """Twice the rows in three files, and the rate of the last quarter ÷ that of the first. Those
    who repeat in the later files stood mostly in the earlier ones."""
    part, middle = ROWS // 2, ROWS
    rows = [part, middle, part]
    for place, many in enumerate(rows):
        make("part", sum(rows[:place]), many, TWICE, f"part{place}.csv")
    shares, rates = [], []
    for turn in range(ROUNDS):
        remove("grown.db")
        took = [take_in("grown.db", f"part{place}.csv") for place in range(3)]
        rates.append([many / used.seconds for many, used in zip(rows, took)])
        shares.append(rates[-1][2] / rates[-1][0])
        say(f"  {turn + 1}/{ROUNDS} " + ", ".join(f"{rate:,.0f}/s" for rate in rates[-1]))
    by, (first, between, last) = median(shares), map(median, zip(*rates))
    row(f"import rate in the last {part:,} of {sum(rows):,} rows ({last:,.0f}/s) ÷ the first ({first:,.0f}/s; between them {between:,.0f}/s)", f"{by:.2f}", "≥ 0.75", by >= 0.75)
    remove("grown.db")
    for place in range(3):
        os.remove(f"part{place}.csv")
