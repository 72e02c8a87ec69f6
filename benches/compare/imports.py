"""Rows into a state file."""

from job import remove, take_in
from settings import ROWS, TWICE
from table import have, row
from used import Used, in_turn, median, ratio


def imports():
    def theirs():
        remove("theirs.db")
        return Used(["sqlite3", "theirs.db", "CREATE TABLE t(unionid TEXT, openid TEXT)", ".mode csv", ".import --skip 1 rows.csv t"])

    def ours():
        remove("ours.db")
        return take_in("ours.db", "rows.csv")

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
