"""How much of a quota is used, and that it is never exceeded.

At a steady limit, what is divided is

    calls that the server counted between two looks, two windows of a minute apart
    ÷ the limit of a minute × the minutes between the looks.

A client that waits for a full window to empty loses time at each turn of it. The span begins once
the run has found its pace and well before its first window is full, so it holds two turns. The
server holds the same limit and counts each call on arrival, to the millisecond, so an overrun is
both seen (the most calls in any 60 s) and punished (45009).

An hour's window is too long to sit through: that one is played in virtual time, and what is
divided is ten windows' calls ÷ what is allowed in the time until the call after them could leave.
"""

import json, math, os, signal, subprocess, time

from job import command, make, remove
from server import Server
from settings import IDFERRY, say
from table import note, row
from used import Used

QUICK = bool(os.environ.get("QUICK"))
SETTLE, LOOK = (2, 15) if QUICK else (5, 120)


def quotas():
    if QUICK:
        note(f"QUICK: quotas were watched for {LOOK} s, less than one window")
    # 100,000 an hour are 27.8 a second.
    for rate in (1000, 27.8):
        steady(rate)
    hours()


def steady(rate):
    minute = round(rate * 60)
    server = Server(["--faults", "none", "--limits", f"none,basic.minute={minute}", "--latency", "50ms-150ms", "--concurrent", "0"])
    make("rows", math.ceil(rate * (SETTLE + LOOK + 15)), 0, "quota.csv")
    remove("quota.db")
    # At 100 ms a reply, 1,000 calls a second are 100 in the air.
    pace = ["--quota", "none", "--quota", f"basic.minute={minute}", "--margin", "0", "--concurrency", "256"]
    child = subprocess.Popen(command(server, "quota.db", "quota.csv", "--output", "quota.out", pace=pace),
                             env=server.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not server.asked() and child.poll() is None:
        time.sleep(0.01)
    time.sleep(SETTLE)
    began, before = time.monotonic(), server.asked()
    time.sleep(LOOK)
    took, lane = time.monotonic() - began, server.lane()
    if child.poll() is not None:
        raise SystemExit(f"the run at {rate} calls a second ended before its time: {child.returncode}")
    child.send_signal(signal.SIGTERM)
    child.wait()
    server.stop()
    used = (lane["calls"] - before) / (minute * took / 60)
    tell(f"{rate:,} calls/s, for {took:.0f} s", used, lane["windows"]["basic.minute"]["peak"], minute, lane["refused_45009"])


def hours():
    """Subjects for ten windows and one call more: it ends when the eleventh window opens."""
    limit, windows = 100_000, 10
    quota = ["--quota", "none", "--quota", "basic.minute=10000", "--quota", f"business.hour={limit}", "--margin", "0"]
    used = Used([IDFERRY, "rehearse", "--subjects", str(limit * windows + 1), *quota, "--faults", "none", "--ticket", "none", "--seed", "1", "--json"])
    got = json.loads(used.text.splitlines()[-1])
    say(f"  {used}: {got}")
    share = windows * 3600 / got["virtual_seconds"]
    tell(f"{limit:,} calls/h, {windows} hours in virtual time", share, got["peaks"]["business.hour"], limit, got["refused"]["45009"])


def tell(what, used, peak, limit, refused):
    within = 0.97 <= used <= 1 and peak <= limit and not refused
    row(f"quota used ÷ allowed at {what}", f"{used:.3f}; at most {peak:,} of {limit:,}, {refused} refused", "0.97 to 1.00, never over", within)
