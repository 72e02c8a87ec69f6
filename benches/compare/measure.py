"""Conducts `cargo bench --bench compare`; see main.rs. Standard library only.

ROWS=1000000  rows of the table       ROUNDS=3    turns each contender takes
CALLS=200000  calls of a timed run    ONLY=a,b    sections: speed import export state rehearse
BENCH_DIR     where files go          BENCH_PIP=1 install aiohttp and uvloop into a venv there
"""

import atexit, datetime, json, os, re, shutil, signal, sqlite3, statistics, subprocess, sys, tempfile, threading, time

IDFERRY, COMPARE = os.environ["IDFERRY"], os.environ["COMPARE"]
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers")
ROWS = int(os.environ.get("ROWS", 1_000_000))
ROUNDS = int(os.environ.get("ROUNDS", 3))
CALLS = min(ROWS, int(os.environ.get("CALLS", 200_000)))
ONLY = set(filter(None, os.environ.get("ONLY", "").split(",")))
TWICE = 30  # of a thousand rows repeat an earlier one
DIR = tempfile.mkdtemp(prefix="idferry-bench-", dir=os.environ.get("BENCH_DIR"))
atexit.register(shutil.rmtree, DIR, ignore_errors=True)
os.chdir(DIR)
table, notes = [], []


def say(text):
    print(text, file=sys.stderr, flush=True)


def note(text):
    say(f"  note: {text}")
    notes.append(text)


class Used:
    """What a process cost: seconds, CPU seconds, peak memory in MB, exit code, output."""

    def __init__(self, command, allow=(0,), quit_output=False, env=None):
        with open("out.txt", "w+b") as out:
            stdout = out
            if quit_output:  # a reader who has left ends the export at once
                ends = os.pipe()
                os.close(ends[0])
                stdout = ends[1]
            started = time.monotonic()
            child = subprocess.Popen(command, stdout=stdout, stderr=out if quit_output else subprocess.STDOUT, env=env)
            # Not ru_maxrss: a child inherits this process's own through the fork, and that is more
            # than most of what is measured here.
            self.mb, done = 0.0, threading.Event()
            watcher = threading.Thread(target=self.watch, args=(child.pid, done))
            watcher.start()
            _, status, usage = os.wait4(child.pid, 0)
            self.seconds = time.monotonic() - started
            done.set()
            watcher.join()
            if quit_output:
                os.close(stdout)
            child.returncode = self.code = os.waitstatus_to_exitcode(status)
            out.seek(0)
            self.text = out.read().decode(errors="replace")
        self.cpu = usage.ru_utime + usage.ru_stime
        if self.code not in allow:
            raise SystemExit(f"{command}: exit {self.code}\n{self.text[-2000:]}")

    def watch(self, pid, done):
        """Peak memory: the kernel's own high-water mark, read 50 times a second."""
        while not done.wait(0.02):
            try:
                with open(f"/proc/{pid}/status") as status:
                    peak = next((line for line in status if line.startswith("VmHWM")), None)
            except OSError:
                return
            if peak:
                self.mb = max(self.mb, int(peak.split()[1]) / 1024)


def median(values):
    return statistics.median(values)


def in_turn(contenders):
    """Every contender once a round, {name: [result of each round]}."""
    results = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name, contender in contenders.items():
            results[name].append(contender())
            say(f"  {turn + 1}/{ROUNDS} {name}: {results[name][-1]}")
    return results


def ratio(ours, theirs):
    """The median of the rounds' own ratios: a slow minute is slow for both."""
    return median([a / b for a, b in zip(ours, theirs)])


def row(what, measured, target="", met=None):
    verdict = {True: "met", False: "**missed**", None: ""}[met]
    table.append((what, measured, target, verdict))
    say(f"| {what} | {measured} | {target} | {verdict} |")


def wanted(section):
    if ONLY and section not in ONLY:
        return False
    say(f"== {section}")
    return True


def have(tool):
    found = shutil.which(tool)
    if not found:
        note(f"{tool} is not installed: left out")
    return found


def remove(*states):
    for state in states:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(state + suffix):
                os.remove(state + suffix)


def per_second(values):
    return f"{median(values):,.0f}/s"


# ---------------------------------------------------------------- the server and idferry


class Server:
    def __init__(self):
        command = [IDFERRY, "simulate", "--faults", "none", "--limits", "none", "--latency", "0s", "--concurrent", "0"]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.child.kill)
        words = self.child.stdout.readline().split()
        self.url = words[0]
        self.corp, self.secret = (word.split("=", 1)[1] for word in words[1:3])

    def lookups(self):
        """The address of a lookup with a token that works."""
        query = f"{self.url}/cgi-bin/gettoken?corpid={self.corp}&corpsecret={self.secret}"
        from urllib.request import ProxyHandler, build_opener

        with build_opener(ProxyHandler({})).open(query) as reply:
            token = json.load(reply)["access_token"]
        return f"{self.url}/cgi-bin/corpgroup/unionid_to_external_userid?access_token={token}"

    def env(self):
        return dict(os.environ, WECOM_CORP_ID=self.corp, WECOM_CORP_SECRET=self.secret)


def idferry_run(server, state, csv, *more, **how):
    where = ["--base-url", server.url] if server else ["--base-url", "http://127.0.0.1:1"]
    command = [IDFERRY, "run", csv, "--state", state, "--quota", "none", "--concurrency", "64",
               "--progress", "none", "--ticket", "none", "--rejects", "rejects.csv", *where, *more]
    return Used(command, env=server.env() if server else None, **how)


def take_in(state, csv):
    """Import only: no call, and the reader of the results is gone before they are written."""
    return idferry_run(None, state, csv, "--budget", "0", "--output", "-", quit_output=True, allow=(75, 0))


def make(kind, *words):
    subprocess.run([COMPARE, kind, *map(str, words)], check=True)


# ---------------------------------------------------------------- sections


def speed():
    server = Server()
    url = server.lookups()
    make("rows", CALLS, 0, "calls.csv")
    few = max(1, CALLS // 4)

    def wrk():
        script = os.path.join(PEERS, "lookup.lua")
        used = Used(["wrk", "-t2", "-c64", "-d4s", "-s", script, url])
        return float(re.search(r"Requests/sec:\s+([\d.]+)", used.text)[1])

    def ours():
        remove("run.db")
        take_in("run.db", "calls.csv")
        idle = idferry_run(server, "run.db", "calls.csv", "--budget", "0", "--output", "-", quit_output=True, allow=(75,))
        used = idferry_run(server, "run.db", "calls.csv", "--output", "-", quit_output=True)
        return {"rate": CALLS / (used.seconds - idle.seconds), "cpu": (used.cpu - idle.cpu) / CALLS * 1e6, "mb": used.mb}

    def bare():
        used = Used([COMPARE, "bare", "calls.csv", server.url, server.corp, server.secret, str(CALLS), "64"])
        return {"rate": CALLS / json.loads(used.text)["millis"] * 1000, "cpu": used.cpu / CALLS * 1e6}

    def asyncio_script():
        remove("aio.db")
        script = [aiohttp, os.path.join(PEERS, "aio.py"), "calls.csv", "aio.db", url]
        # Starting Python and loading aiohttp is not what a row costs.
        idle = Used([*script, "0"])
        used = Used([*script, str(few)])
        seconds = float(used.text.split()[-1])
        return {"rate": few / seconds, "cpu": (used.cpu - idle.cpu) / few * 1e6}

    def curl():
        with open("calls.csv") as lines, open("curl.txt", "w") as config:
            next(lines)
            for n, line in zip(range(few), lines):
                unionid, openid = line.strip().split(",")
                body = json.dumps({"unionid": unionid, "openid": openid}).replace('"', '\\"')
                config.write("next\n" * (n > 0) + f'url = "{url}"\ndata = "{body}"\nheader = "content-type: application/json"\n')
        used = Used(["curl", "-s", "--parallel", "--parallel-max", "64", "-K", "curl.txt"])
        return {"rate": few / used.seconds, "cpu": used.cpu / few * 1e6}

    def parallel():
        rows = 300
        used = Used(["bash", os.path.join(PEERS, "parallel.sh"), "calls.csv", url, str(rows)])
        return {"rate": rows / used.seconds}

    contenders = {"idferry": ours, "bare": bare}
    if have("wrk"):
        contenders["wrk"] = wrk
    if aiohttp := python_with_aiohttp():
        contenders["asyncio"] = asyncio_script
    if have("curl"):
        contenders["curl"] = curl
        if have("parallel"):
            contenders["parallel"] = parallel
    got = in_turn(contenders)
    rates = {name: [x if isinstance(x, float) else x["rate"] for x in turns] for name, turns in got.items()}
    cpus = {name: [x["cpu"] for x in turns] for name, turns in got.items() if name in ("idferry", "bare", "asyncio", "curl")}
    row(f"idferry, {CALLS:,} rows end to end", f"{per_second(rates['idferry'])}, {median(cpus['idferry']):.1f} µs of CPU a row")

    def against(name, what, least):
        if name in rates:
            by = ratio(rates["idferry"], rates[name])
            row(f"÷ {what} ({per_second(rates[name])})", f"{by:.2f}", f"≥ {least}", by >= least)

    against("wrk", "wrk -t2 -c64 on the same server", 0.40)
    against("bare", "the same client loop without a database", 0.85)
    by = ratio(cpus["idferry"], cpus["bare"])
    row(f"CPU a row ÷ that loop's ({median(cpus['bare']):.1f} µs)", f"{by:.2f}", "≤ 1.25", by <= 1.25)
    against("asyncio", "aiohttp + uvloop", 5)
    if "asyncio" in cpus:
        by = ratio(cpus["idferry"], cpus["asyncio"])
        row(f"CPU a row ÷ its ({median(cpus['asyncio']):.0f} µs)", f"{by:.2f}", "≤ 0.2", by <= 0.2)
    against("curl", "curl --parallel", 1.5)
    against("parallel", "GNU parallel + curl", 200)
    server.child.kill()


def python_with_aiohttp():
    """A Python that has aiohttp and uvloop, if there is one or BENCH_PIP allows one."""
    python = sys.executable
    if os.environ.get("BENCH_PIP"):
        subprocess.run([sys.executable, "-m", "venv", "venv"], check=True)
        python = os.path.join(DIR, "venv/bin/python")
        subprocess.run([python, "-m", "pip", "install", "-q", "aiohttp", "uvloop"], check=True)
    if subprocess.run([python, "-c", "import aiohttp, uvloop"], capture_output=True).returncode:
        note("aiohttp + uvloop are not installed: left out (BENCH_PIP=1 installs them)")
        return None
    return python


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
    got = in_turn_used(contenders)
    seconds = {name: [used.seconds for used in turns] for name, turns in got.items()}
    mb = max(used.mb for used in got["idferry"])
    if "sqlite3" in got:
        by = ratio(seconds["sqlite3"], seconds["idferry"])
        row(f"import of {ROWS:,} rows, {TWICE / 10:.0f} % repeated ({median(seconds['idferry']):.1f} s) ÷ sqlite3 .import into a bare table ({median(seconds['sqlite3']):.1f} s)", f"{by:.2f}", "≥ 1.0", by >= 1.0)
        cpu = ratio([x.cpu for x in got["sqlite3"]], [x.cpu for x in got["idferry"]])
        row("the same by CPU time", f"{cpu:.2f}")
    row("peak memory of it", f"{mb:.0f} MB", "< 128 MB", mb < 128)
    remove("theirs.db", "ours.db")


def in_turn_used(contenders):
    results = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name, contender in contenders.items():
            used = contender()
            say(f"  {turn + 1}/{ROUNDS} {name}: {used.seconds:.2f} s, CPU {used.cpu:.2f} s, {used.mb:.0f} MB")
            results[name].append(used)
    return results


def answer(state, upto):
    """Writes answers up to a subject as a run would have left them: asking millions takes long,
    and neither restart nor export can tell."""
    with sqlite3.connect(state) as db:
        db.execute("PRAGMA synchronous = off")
        db.execute("INSERT OR IGNORE INTO corps (corpid) VALUES ('wpDownstream00000000000000000A'), ('wpDownstream00000000000000000B')")
        corps = [corp for (corp,) in db.execute("SELECT id FROM corps ORDER BY id DESC LIMIT 2")]
        which = f"id <= {upto} AND id > (SELECT watermark FROM job) AND id NOT IN (SELECT subject FROM outcomes WHERE subject > (SELECT watermark FROM job))"
        db.execute(f"CREATE TEMP TABLE asked AS SELECT id FROM subjects WHERE {which} ORDER BY id")
        db.execute("INSERT INTO outcomes SELECT id, CASE WHEN id % 100 < 62 THEN 1 ELSE 2 END, 0, 1, 1795000000 + id / 100 FROM asked")
        for corp, share in zip(corps, (62, 16)):
            db.execute(f"INSERT INTO links SELECT id, {corp}, 'wm' || substr(unionid, 2) || 'AAA' FROM subjects JOIN asked USING (id) WHERE id % 100 < {share}")
        db.execute(f"UPDATE job SET watermark = {upto}")
        db.execute("UPDATE tallies SET subjects = (SELECT count(*) FROM outcomes o WHERE o.state = tallies.state) WHERE state > 0")
        db.execute("UPDATE tallies SET subjects = (SELECT count(*) FROM subjects) - (SELECT count(*) FROM outcomes) WHERE state = 0")


def states():
    """Restart, second run, nightly, size, memory: what a big state file costs."""
    server = Server()
    remove("big.db")
    take_in("big.db", "rows.csv")
    with sqlite3.connect("big.db") as db:
        subjects = db.execute("SELECT count(*) FROM subjects").fetchone()[0]
        last = db.execute("SELECT max(id) FROM subjects").fetchone()[0]
    half, all_asked = subjects // 2, ROWS <= 1_000_000
    if not all_asked:
        note(f"of these {subjects:,} subjects, {2 * CALLS:,} were asked; the other answers were put into the state file as a run writes them")
        answer("big.db", last // 2)
    run = [IDFERRY, "run", "rows.csv", "--state", "big.db", "--quota", "none", "--concurrency", "64", "--progress", "none",
           "--ticket", "none", "--rejects", "rejects.csv", "--output", "-", "--base-url", server.url]
    first = Used([*run, "--budget", str(half if all_asked else CALLS)], env=server.env(), quit_output=True, allow=(75,))

    def asked():
        from urllib.request import ProxyHandler, build_opener

        with build_opener(ProxyHandler({})).open(server.url + "/_sim/stats") as reply:
            return sum(lane["calls"] for path, lane in json.load(reply)["lanes"].items() if "unionid" in path)

    def settled():
        """How many calls the server has had, once those of a dead process have arrived."""
        seen = None
        while (now := asked()) != seen:
            seen = now
            time.sleep(0.1)
        return seen

    restarts = []
    for turn in range(ROUNDS + 1):
        before = settled()
        started = time.monotonic()
        child = subprocess.Popen(run[:2] + run[3:], env=server.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while asked() == before and child.poll() is None:
            time.sleep(0.002)
        took = time.monotonic() - started
        time.sleep(0.3)
        alive = child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        if not alive:
            raise SystemExit(f"a restarted run ended by itself: {child.returncode}")
        say(f"  restart {took:.3f} s")
        if turn:  # the first one follows a clean end
            restarts.append(took)
    row(f"kill -9 at {subjects:,} rows, half answered: start to the first call", f"{median(restarts):.2f} s", "≤ 0.3 s", median(restarts) <= 0.3)
    if not all_asked:
        answer("big.db", last - CALLS)
    say("  asking the rest")
    rest = Used(run, env=server.env(), quit_output=True)
    peak = max(first.mb, rest.mb)
    row(f"peak memory of a run at {subjects:,} rows", f"{peak:.0f} MB", "< 64 MB", peak < 64)
    if ROWS > 1_000_000:
        make("rows", 1_000_000, TWICE, "small.csv")
        remove("small.db")
        take_in("small.db", "small.csv")
        small = idferry_run(server, "small.db", "small.csv", "--output", "-", quit_output=True)
        by = peak / small.mb
        row("÷ at 1,000,000 rows", f"{by:.2f}", "≤ 1.15", by <= 1.15)
        remove("small.db")
    with sqlite3.connect("big.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        links = db.execute("SELECT count(*) FROM links").fetchone()[0]
    size = os.path.getsize("big.db") / subjects
    row(f"state file, a finished row ({links / subjects:.2f} links each)", f"{size:.0f} bytes", "≤ 160 bytes", size <= 160)

    before = asked()
    command = [word if word != "-" else "again.csv" for word in run]
    again = [Used(command, env=server.env()) for _ in range(ROUNDS)]
    seconds = median([used.seconds for used in again])
    row("a second run of the same finished file, its results written again", f"{seconds:.2f} s, {asked() - before} calls", "< 2 s, no call", seconds < 2 and asked() == before)
    again = [Used(run, env=server.env(), quit_output=True) for _ in range(ROUNDS)]
    row("the same without writing results", f"{median([used.seconds for used in again]):.2f} s")
    os.remove("again.csv")
    lines = min(100_000, ROWS)
    nights = []
    for n in range(ROUNDS):
        shutil.copy("big.db", "night.db")
        make("nightly", ROWS, TWICE, lines, f"night.csv")
        nights.append(take_in("night.db", "night.csv"))
        say(f"  nightly {nights[-1].seconds:.2f} s, {nights[-1].mb:.0f} MB")
    remove("night.db")
    seconds = median([used.seconds for used in nights])
    row(f"import of a nightly file of {lines:,} rows, 1 % new, into it", f"{seconds:.2f} s", "< 3 s", seconds < 3)
    server.child.kill()


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
    got = in_turn_used(contenders)
    if "sqlite3" in got:
        seconds = {name: [used.seconds for used in turns] for name, turns in got.items()}
        by = ratio(seconds["sqlite3"], seconds["idferry"])
        row(f"export of {ROWS:,} results ({median(seconds['idferry']):.1f} s) ÷ sqlite3 -csv of the same join ({median(seconds['sqlite3']):.1f} s)", f"{by:.2f}", "≥ 1.5", by >= 1.5)
    os.remove("ours.csv")


def rehearsals():
    got = in_turn_used({"idferry": lambda: Used([IDFERRY, "rehearse", "--subjects", "1000000", "--seed", "1", "--json"], allow=(0, 3, 75))})
    seconds = median([used.seconds for used in got["idferry"]])
    row("rehearsal of 1,000,000 subjects", f"{seconds:.1f} s", "< 20 s", seconds < 20)


def machine():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release}, load {os.getloadavg()[2]:.1f}"


def main():
    say(f"{ROWS:,} rows in {DIR}, {ROUNDS} rounds")
    make("rows", ROWS, TWICE, "rows.csv")
    if wanted("speed"):
        speed()
    if wanted("import"):
        imports()
    if wanted("state"):
        states()
    if wanted("export"):
        exports()
    if wanted("rehearse"):
        rehearsals()
    settings = " ".join(f"{name}={os.environ[name]}" for name in ("ROWS", "ROUNDS", "CALLS", "ONLY", "BENCH_PIP") if name in os.environ)
    print(f"{datetime.date.today()}, {machine()}, `{(settings + ' cargo bench --bench compare').strip()}`, medians of {ROUNDS}:\n")
    print("| what | measured | target | |\n| --- | --- | --- | --- |")
    for cells in table:
        print("| " + " | ".join(cells) + " |")
    for text in notes:
        print(f"\n{text}")


main()
