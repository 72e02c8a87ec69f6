"""Results out of a state file."""

import os

from settings import IDFERRY, ROWS
from states import states
from table import have, row
from used import Used, in_turn, median, ratio

JOIN = """SELECT s.unionid, s.openid, c.corpid, l.external_userid, '' pending_id,
 CASE o.state WHEN 1 THEN 'linked' WHEN 2 THEN 'unlinked' WHEN 3 THEN 'rejected' ELSE 'parked' END,
 o.errcode, strftime('%Y-%m-%dT%H:%M:%S+08:00', o.at + 28800, 'unixepoch')
 FROM subjects s LEFT JOIN outcomes o ON o.subject = s.id LEFT JOIN links l ON l.subject = s.id
 LEFT JOIN corps c ON c.id = l.corp ORDER BY s.id"""


def exports():
    if not os.path.exists("big.db"):
        states()
    contenders = {"idferry": lambda: Used([IDFERRY, "export", "--state", "big.db", "--output", "ours.csv"])}
    if have("sqlite3"):
        contenders["sqlite3"] = lambda: Used(["sqlite3", "-csv", "big.db", ".output theirs.csv", JOIN])
    got = in_turn(contenders)
    if "sqlite3" in got:
        seconds = {name: [used.seconds for used in turns] for name, turns in got.items()}
        by = ratio(seconds["sqlite3"], seconds["idferry"])
        row(f"export of {ROWS:,} results ({median(seconds['idferry']):.1f} s) ÷ sqlite3 -csv of the same join ({median(seconds['sqlite3']):.1f} s)", f"{by:.2f}", "≥ 1.5", by >= 1.5)
        os.remove("theirs.csv")
    os.remove("ours.csv")
