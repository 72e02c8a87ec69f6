"""What the environment asks for, and the folder in which everything happens."""

import atexit, os, shutil, sys, tempfile

IDFERRY, COMPARE = os.environ["IDFERRY"], os.environ["COMPARE"]
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers")
ROWS = int(os.environ.get("ROWS", 1_000_000))
HUGE = int(os.environ.get("HUGE", 100_000_000))
ROUNDS = int(os.environ.get("ROUNDS", 3))
CALLS = min(ROWS, int(os.environ.get("CALLS", 200_000)))
ONLY = set(filter(None, os.environ.get("ONLY", "").split(",")))
TWICE = 30  # of a thousand rows repeat an earlier one
DIR = tempfile.mkdtemp(prefix="idferry-bench-", dir=os.environ.get("BENCH_DIR"))
atexit.register(shutil.rmtree, DIR, ignore_errors=True)
os.chdir(DIR)


def say(text):
    print(text, file=sys.stderr, flush=True)


def settings():
    """The settings that were given, as one would type them."""
    names = ("ROWS", "ROUNDS", "CALLS", "HUGE", "ONLY", "QUICK", "BENCH_PIP")
    return " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
