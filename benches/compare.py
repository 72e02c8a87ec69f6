"""Compares idferry with its peers; `cargo bench --bench compare` starts it (see compare.rs).

ROWS=1000000    rows of the input table
CALLS=200000    calls of a timed run
ROUNDS=3        turns of each contender; the table shows medians
ONLY=a,b        sections: speed tls quota import grow state export rehearse huge
BASELINE=PATH   another idferry; only the two binaries, in turns (sections speed and import)
HUGE=100000000  rows of the section huge, which runs only if ONLY names it (40 GB of disk, two hours)
WATCH=120       seconds to watch each quota; two windows of a minute by default
BENCH_DIR=DIR   parent of the temporary folder with all files

The peer aio.py runs where python3 has aiohttp and uvloop: in an activated virtual environment.
"""

import atexit, contextlib, datetime, importlib.util, itertools, json, math, operator, os, random, re, select
import shutil, signal, sqlite3, ssl, statistics, subprocess, sys, tempfile, time, traceback
from functools import partial
from types import SimpleNamespace
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

AIOHTTP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aio.py")
IDFERRY, COMPARE = os.environ["IDFERRY"], os.environ["COMPARE"]
BASELINE = os.environ.get("BASELINE") and os.path.abspath(os.environ["BASELINE"])
ROWS = int(os.environ.get("ROWS", 1_000_000))
CALLS = min(ROWS, int(os.environ.get("CALLS", 200_000)))
FEW = max(1, CALLS // 4)  # calls of a slow contender
ROUNDS = int(os.environ.get("ROUNDS", 3))
ONLY = [name for name in os.environ.get("ONLY", "").split(",") if name]
HUGE = int(os.environ.get("HUGE", 100_000_000))
WATCH = int(os.environ.get("WATCH", 120))
REPEATED = 30  # of 1,000 rows repeat an earlier one

rows, notes = [], []
reader, CLOSED_PIPE = os.pipe()  # an export to it ends at its first write
os.close(reader)


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(what, measured, target="", value=None):
    """Judges the value by a target such as "≥ 0.4"; a value of True or False is the verdict."""
    if target and not isinstance(value, bool):
        sign, limit = target.split()[:2]
        value = {"≥": operator.ge, "≤": operator.le, "<": operator.lt}[sign](value, float(limit))
    rows.append((what, measured, target, ("met" if value else "**missed**") if target else ""))
    say("| " + " | ".join(rows[-1]) + " |")


def note(text):
    say(f"  note: {text}")
    notes.append(text)


def have(tools):
    found = all(shutil.which(tool) or importlib.util.find_spec(tool) for tool in tools.split())
    if not found:
        note(f"not installed, so left out: {tools}")
    return found


def print_table():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")
    names = ("ROWS", "CALLS", "ROUNDS", "ONLY", "BASELINE", "HUGE", "WATCH")
    settings = "".join(f"{name}={os.environ[name]} " for name in names if name in os.environ)
    machine = f"{os.cpu_count()} cores of {model}, Linux {os.uname().release}, load {os.getloadavg()[2]:.1f}"
    print(f"{datetime.date.today()}, {machine}, medians of {ROUNDS}; `{settings}cargo bench --bench compare`:\n")
    print("| what | measured | target | |\n| --- | --- | --- | --- |")
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    for text in notes:
        print(f"\n{text}")


# Processes and what they cost.

class Process:
    """A process that has ended: seconds, CPU seconds, peak memory in MB, output."""

    def __init__(self, command, allow=(0,), env=None, stdout=None):
        with open("process.out", "w+b") as out:
            started = time.monotonic()
            child = subprocess.Popen(command, stdout=stdout or out, stderr=out, env=env)
            self.mb = wait_for_end(child.pid)
            self.seconds = time.monotonic() - started
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            self.text = out.read().decode(errors="replace")
        self.cpu = usage.ru_utime + usage.ru_stime
        if child.returncode not in allow:
            raise RuntimeError(f"{command}: exit {child.returncode}\n{self.text[-2000:]}")

    def __repr__(self):
        return f"{self.seconds:.2f} s, CPU {self.cpu:.2f} s, {self.mb:.0f} MB"


def wait_for_end(pid):
    """Returns the peak memory in MB. ru_maxrss would include that of this process, through the fork."""
    ended, mb = os.pidfd_open(pid), 0.0
    while not select.select([ended], [], [], 0.02)[0]:
        with contextlib.suppress(OSError, StopIteration), open(f"/proc/{pid}/status") as status:
            mb = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    os.close(ended)
    return mb


def in_turns(contenders):
    """Runs every contender once a round: {name: [result of each round]}."""
    results = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name, contender in contenders.items():
            results[name].append(contender())
            say(f"  {turn + 1}/{ROUNDS} {name}: {results[name][-1]}")
    return results


def median(results, what="seconds"):
    return statistics.median(getattr(result, what) for result in results)


def ratio(results, others, what="seconds"):
    """The median of the rounds' own ratios: a slow minute is slow for both."""
    return statistics.median(getattr(a, what) / getattr(b, what) for a, b in zip(results, others))


# The server, idferry's commands, their files.

class Server(contextlib.AbstractContextManager):
    """A simulator without faults, in a process of its own: `idferry simulate`, or over TLS the same in compare.rs."""

    def __init__(self, limits="none", latency="0s", tls=False):
        command = [IDFERRY, "simulate", "--faults", "none", "--limits", limits, "--latency", latency, "--concurrent", "0"]
        certificate, key = certify() if tls else (None, None)
        if tls:
            command = [COMPARE, "tls-serve", certificate, key]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.child.kill)
        self.url, *words = self.child.stdout.readline().split()[:3]
        self.corp, self.secret = (word.split("=", 1)[1] for word in words)
        self.env = dict(os.environ, WECOM_CORP_ID=self.corp, WECOM_CORP_SECRET=self.secret)
        if tls:
            self.env["SSL_CERT_FILE"] = certificate
        self.opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=certificate)))
        token = self.get(f"/cgi-bin/gettoken?corpid={self.corp}&corpsecret={self.secret}")["access_token"]
        self.lookup = f"{self.url}/cgi-bin/corpgroup/unionid_to_external_userid?access_token={token}"

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def get(self, path):
        with self.opener.open(self.url + path) as reply:
            return json.load(reply)

    def stats(self):
        """The server's own counters of lookups."""
        lanes = self.get("/_sim/stats")["lanes"]
        return next((lane for path, lane in lanes.items() if "unionid" in path), {"calls": 0})

    def calls(self):
        return self.stats()["calls"]


def certify():
    """A certificate that is not an authority, so that clients can trust it as one of the system's roots."""
    certificate, key = os.path.abspath("server.pem"), os.path.abspath("server.key")
    extensions = ("basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1", "extendedKeyUsage=serverAuth")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=idferry bench", *(word for extension in extensions for word in ("-addext", extension)),
                    "-keyout", key, "-out", certificate],
                   check=True, capture_output=True, env=dict(os.environ, OPENSSL_CONF="/dev/null"))
    return certificate, key


def run_command(server, state, csv, *more, pace=("--quota", "none", "--concurrency", "64"), binary=IDFERRY):
    """`idferry run`; without a `csv` it resumes what is queued."""
    return [binary, "run", *([csv] if csv else []), "--state", state, *pace, "--progress", "none", "--ticket", "none",
            "--rejects", "rejects.csv", "--base-url", server.url if server else "http://127.0.0.1:1", *more]


def run(server, state, csv, *more, binary=IDFERRY, **how):
    """A run to a closed pipe, unless `more` names an output."""
    if "--output" not in more:
        more, how = (*more, "--output", "-"), dict(how, stdout=CLOSED_PIPE)
    return Process(run_command(server, state, csv, *more, binary=binary), env=server.env if server else None, **how)


def import_only(state, csv, server=None, binary=IDFERRY):
    return run(server, state, csv, "--budget", "0", allow=(0, 75), binary=binary)


def start(server, command):
    """Starts a run in the background and waits for its first call."""
    before = server.calls()
    child = subprocess.Popen(command, env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while server.calls() == before and child.poll() is None:
        time.sleep(0.002)
    return child


def stop(child, sign):
    if child.poll() is not None:
        raise RuntimeError(f"{child.args}: ended early, exit {child.returncode}")
    child.send_signal(sign)
    child.wait()


def restart_seconds(server, state):
    """From the start of a run to its first call; kill -9 ends it 0.3 s later. The first turn follows a clean end."""
    took, before = [], None
    for _ in range(ROUNDS + 1):
        while before != (before := server.calls()):  # the last calls of a killed run may still arrive
            time.sleep(0.1)
        started = time.monotonic()
        child = start(server, run_command(server, state, None, "--output", "-"))
        took.append(time.monotonic() - started)
        time.sleep(0.3)
        stop(child, signal.SIGKILL)
    return statistics.median(took[1:])


def generate(path, first, count, repeated=REPEATED):
    """Rows `first` and on of the table that compare.rs defines."""
    subprocess.run([COMPARE, "rows", str(first), str(count), str(repeated), path], check=True)
    return path


def remove(*paths):
    for path, suffix in itertools.product(paths, ("", "-wal", "-shm")):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path + suffix)


def query(state, question):
    with contextlib.closing(sqlite3.connect(state)) as db:
        return db.execute(question).fetchone()[0]


# Calls a second: idferry, its own client in a bare loop, and what people would run instead.

def timed(calls, seconds, cpu=0.0):
    """A timed turn: calls a second, CPU microseconds a call."""
    return SimpleNamespace(rate=calls / seconds, cpu=cpu / calls * 1e6)


def idferry_turn(server, binary=IDFERRY):
    """A run of rows that are already imported, less the same run without a call."""
    remove("run.db")
    import_only("run.db", "calls.csv", binary=binary)
    idle = import_only("run.db", "calls.csv", server, binary)
    used = run(server, "run.db", "calls.csv", binary=binary)
    return timed(CALLS, used.seconds - idle.seconds, used.cpu - idle.cpu)


def bare_turn(server):
    used = Process([COMPARE, "bare", "calls.csv", server.url, server.corp, server.secret, str(CALLS), "64"], env=server.env)
    return timed(CALLS, float(used.text), used.cpu)


def wrk_turn(server):
    with open("lookup.lua", "w") as script:
        script.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                     """wrk.body = '{"unionid":"oUnionUnionUnionUnionUnion12","openid":"oOpenOpenOpenOpenOpenOpen123"}'\n""")
    used = Process(["wrk", "-t2", "-c64", "-d4s", "-s", "lookup.lua", server.lookup])
    if "Non-2xx" in used.text:
        raise RuntimeError(f"the server refused wrk:\n{used.text}")
    return timed(float(re.search(r"Requests/sec:\s+([\d.]+)", used.text)[1]), 1)


def aiohttp_turn(server):
    remove("aio.db")
    script = [sys.executable, AIOHTTP, "calls.csv", "aio.db", server.lookup]
    idle, used = Process([*script, "0"]), Process([*script, str(FEW)])  # the start of Python does not count
    return timed(FEW, float(used.text), used.cpu - idle.cpu)


def curl_turn(server):
    with open("calls.csv") as lines, open("curl.txt", "w") as config:
        for n, line in enumerate(itertools.islice(lines, 1, FEW + 1)):
            body = json.dumps(dict(zip(("unionid", "openid"), line.strip().split(",")))).replace('"', '\\"')
            config.write("next\n" * (n > 0) + f'url = "{server.lookup}"\ndata = "{body}"\n')
            config.write('header = "content-type: application/json"\n')
    used = Process(["curl", "-s", "--parallel", "--parallel-max", "64", "-K", "curl.txt"])
    return timed(FEW, used.seconds, used.cpu)


# Needed tools, name, turn, target of rows/s, target of CPU a row; "" sets no target, None leaves the row out.
PEERS = (
    ("", "the same client loop without a database", bare_turn, "≥ 0.85", "≤ 1.25"),
    ("wrk", "wrk -t2 -c64 on the same server", wrk_turn, "≥ 0.4", None),
    ("aiohttp uvloop", "aiohttp + uvloop", aiohttp_turn, "≥ 5", "≤ 0.2"),
    ("curl", "curl --parallel", curl_turn, "≥ 1.5", None),
)
TLS_PEERS = (
    ("", "the same client loop over TLS without a database", bare_turn, "", None),
    ("wrk", "wrk -t2 -c64 on the same server over TLS", wrk_turn, "≥ 0.35", None),
)
OLDER = (("", "BASELINE", partial(idferry_turn, binary=BASELINE), "", ""),)


def race(server, what, peers):
    generate("calls.csv", 0, CALLS, repeated=0)
    peers = [peer for peer in peers if have(peer[0])]
    got = in_turns({name: partial(turn, server) for _, name, turn, *_ in (("", what, idferry_turn), *peers)})
    ours = got[what]
    row(f"{what}, {CALLS:,} rows end to end", f"{median(ours, 'rate'):,.0f}/s, {median(ours, 'cpu'):.1f} µs of CPU a row")
    for _, name, _, rate, cpu in peers:
        if rate is not None:
            by = ratio(ours, got[name], "rate")
            row(f"rows/s ÷ {name} ({median(got[name], 'rate'):,.0f}/s)", f"{by:.2f}", rate, by)
        if cpu is not None:
            by = ratio(ours, got[name], "cpu")
            row(f"CPU a row ÷ {name} ({median(got[name], 'cpu'):.1f} µs)", f"{by:.2f}", cpu, by)


def speed():
    with Server() as server:
        race(server, "idferry", OLDER if BASELINE else PEERS)


def tls():
    if have("openssl"):
        with Server(tls=True) as server:
            race(server, "idferry over TLS", TLS_PEERS)


# Quotas: how much of one is used, and that none is exceeded.

def quota():
    for rate in (1000, 27.8):  # 100,000 an hour are 27.8 a second
        watched_quota(rate)
    limit, windows = 100_000, 10  # in virtual time: the run ends as the eleventh window opens
    quotas = ("--quota", "none", "--quota", "basic.minute=10000", "--quota", f"business.hour={limit}", "--margin", "0")
    used = Process([IDFERRY, "rehearse", "--subjects", str(limit * windows + 1), *quotas,
                    "--faults", "none", "--ticket", "none", "--seed", "1", "--json"])
    got = json.loads(used.text.splitlines()[-1])
    quota_row(f"{limit:,} calls/h, {windows} hours in virtual time", windows * 3600 / got["virtual_seconds"],
              got["peaks"]["business.hour"], limit, got["refused"]["45009"])


def watched_quota(rate):
    """Calls that the server counts in WATCH seconds ÷ what the limit allows. It holds the same limit, to the millisecond."""
    settle, minute = 5, round(rate * 60)
    generate("quota.csv", 0, math.ceil(rate * (settle + WATCH + 15)), repeated=0)
    remove("quota.db")
    pace = ("--quota", "none", "--quota", f"basic.minute={minute}", "--margin", "0", "--concurrency", "256")
    with Server(f"none,basic.minute={minute}", "50ms-150ms") as server:
        child = start(server, run_command(server, "quota.db", "quota.csv", "--output", "quota.out", pace=pace))
        time.sleep(settle)
        began, before = time.monotonic(), server.calls()
        time.sleep(WATCH)
        took, stats = time.monotonic() - began, server.stats()
        stop(child, signal.SIGTERM)
    used = (stats["calls"] - before) / (minute * took / 60)
    quota_row(f"{rate:,} calls/s, for {took:.0f} s", used, stats["windows"]["basic.minute"]["peak"], minute, stats["refused_45009"])


def quota_row(what, used, peak, limit, refused):
    row(f"quota used ÷ allowed at {what}", f"{used:.3f}; at most {peak:,} of {limit:,}, {refused} refused",
        "0.97 to 1.00, never over", 0.97 <= used <= 1 and peak <= limit and not refused)


# Import, job file, export.

def race_by_time(what, ours, peer, theirs, target):
    """Seconds of idferry ÷ seconds of a peer; returns the turns of idferry."""
    got = in_turns({"idferry": ours, peer: theirs})
    ours, theirs = got.values()
    by = ratio(ours, theirs)
    row(f"{what} ({median(ours):.2f} s) ÷ {peer} ({median(theirs):.2f} s)", f"{by:.2f}", target, by)
    row("the same by CPU time", f"{ratio(ours, theirs, 'cpu'):.2f}")
    return ours


def imports():
    def turn(binary=IDFERRY):
        remove("import.db")
        return import_only("import.db", csv, binary=binary)

    def sqlite3_turn():
        remove("sqlite.db")
        return Process(["sqlite3", "sqlite.db", "CREATE TABLE t(a TEXT, b TEXT)", ".mode csv", f".import --skip 1 {csv} t"])

    csv, what = generate("rows.csv", 0, ROWS), f"import of {ROWS:,} rows, {REPEATED / 10:.0f} % repeated"
    if BASELINE:
        race_by_time(what, turn, "BASELINE", lambda: turn(BASELINE), "")
    elif have("sqlite3"):
        mb = max(used.mb for used in race_by_time(what, turn, "sqlite3 .import into a bare table", sqlite3_turn, "≤ 1.0"))
        row("peak memory of the import", f"{mb:.0f} MB", "< 128 MB", mb)
    remove("sqlite.db", "import.db")


def grow():
    """Twice the rows in three files: the rate of the last quarter ÷ that of the first."""
    half, rates = ROWS // 2, []
    parts = [(generate(f"part{first}.csv", first, count), count) for first, count in ((0, half), (half, ROWS), (half + ROWS, half))]
    for _ in range(ROUNDS):
        remove("grown.db")
        rates.append([count / import_only("grown.db", csv).seconds for csv, count in parts])
    by, (first, middle, last) = statistics.median(turn[2] / turn[0] for turn in rates), map(statistics.median, zip(*rates))
    row(f"import rate of the last {half:,} of {2 * ROWS:,} rows ({last:,.0f}/s) ÷ the first ({first:,.0f}/s; between them "
        f"{middle:,.0f}/s)", f"{by:.2f}", "≥ 0.75", by)
    remove("grown.db", *(csv for csv, _ in parts))


def state(count=ROWS):
    """Restart, memory, second run, size and nightly import of a large job file."""
    remove("big.db")
    used = import_only("big.db", generate("rows.csv", 0, count))
    subjects = query("big.db", "SELECT count(*) FROM subjects")
    row(f"a job file of {subjects:,} subjects: import", f"{used}, {count / used.seconds:,.0f} rows/s")
    with Server() as server:
        half = run(server, "big.db", "rows.csv", "--budget", str(subjects // 2), allow=(75,))
        seconds = restart_seconds(server, "big.db")
        row("kill -9, half answered: start to the first call", f"{seconds:.2f} s", "≤ 0.3 s", seconds)
        mb = max(half.mb, run(server, "big.db", "rows.csv").mb)
        row("peak memory of the run", f"{mb:.0f} MB", "< 64 MB", mb)
        run(server, "big.db", "rows.csv", "--output", "again.csv")
        before = server.calls()
        seconds = median([run(server, "big.db", "rows.csv", "--output", "again.csv") for _ in range(ROUNDS)])
        calls = server.calls() - before
        row("a second run of the finished job, its results unchanged", f"{seconds:.2f} s, {calls} calls",
            "< 2 s, no call", seconds < 2 and not calls)
    query("big.db", "PRAGMA wal_checkpoint(TRUNCATE)")
    size, links = os.path.getsize("big.db") / subjects, query("big.db", "SELECT count(*) FROM links") / subjects
    row(f"job file, an answered subject ({links:.2f} links each)", f"{size:.0f} bytes", "≤ 160 bytes", size)
    nightly("big.db", "rows.csv", count)


def nightly(state, csv, count):
    """Imports files of known rows with one new row in a hundred, other new ones each night."""
    lines, nights = min(100_000, count), []
    new = math.ceil(lines / 100)
    with open(csv) as table:
        known = list(itertools.islice(table, 1, None, math.ceil(count / (lines - new))))
    for night in range(ROUNDS):
        generate("night.csv", count + night * new, new, repeated=0)
        random.Random(night).shuffle(known)
        with open("night.csv", "a") as table:
            table.writelines(known)
        nights.append(import_only(state, "night.csv"))
    row(f"import of a nightly file of {new + len(known):,} rows, 1 % new, into it",
        f"{median(nights):.2f} s, {median(nights, 'mb'):.0f} MB", "< 3 s", median(nights))


JOIN = """SELECT s.unionid, s.openid, c.corpid, l.external_userid, '' pending_id,
 CASE o.state WHEN 1 THEN 'linked' WHEN 2 THEN 'unlinked' WHEN 3 THEN 'rejected' ELSE 'parked' END,
 o.errcode, strftime('%Y-%m-%dT%H:%M:%S+08:00', o.at + 28800, 'unixepoch')
 FROM subjects s JOIN outcomes o ON o.subject = s.id LEFT JOIN links l ON l.subject = s.id
 LEFT JOIN corps c ON c.id = l.corp ORDER BY s.id"""


def export():
    if not have("sqlite3"):
        return
    if not os.path.exists("big.db"):
        state()
    race_by_time(f"export of {ROWS:,} rows' results",
                 lambda: Process([IDFERRY, "export", "--state", "big.db", "--output", "ours.csv"]), "sqlite3 -csv of the same join",
                 lambda: Process(["sqlite3", "-csv", "big.db", ".output theirs.csv", JOIN]), "≤ 0.67")
    remove("ours.csv", "theirs.csv")


def rehearse():
    command = [IDFERRY, "rehearse", "--subjects", "1000000", "--seed", "1", "--json"]
    seconds = median([Process(command, allow=(0, 3, 75)) for _ in range(ROUNDS)])
    row("rehearsal of 1,000,000 subjects", f"{seconds:.1f} s", "< 20 s", seconds)


SECTIONS = {
    "speed": speed, "tls": tls, "quota": quota, "import": imports, "grow": grow,
    "state": state, "export": export, "rehearse": rehearse, "huge": partial(state, HUGE),
}


def main():
    wanted = ONLY or (["speed", "import"] if BASELINE else [name for name in SECTIONS if name != "huge"])
    if unknown := set(wanted) - set(SECTIONS):
        raise SystemExit(f"ONLY: {', '.join(sorted(unknown))} is not among {', '.join(SECTIONS)}")
    folder = tempfile.mkdtemp(prefix="idferry-bench-", dir=os.environ.get("BENCH_DIR"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chdir(folder)
    failed = []
    for name in (name for name in SECTIONS if name in wanted):
        say(f"== {name}")
        try:
            SECTIONS[name]()
        except Exception as why:  # the other sections' hours are not lost
            traceback.print_exc()
            note(f"**{name} failed: {why}**")
            failed.append(name)
    print_table()
    sys.exit(bool(failed))


main()
