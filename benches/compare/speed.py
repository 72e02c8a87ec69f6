"""Calls a second: idferry, its own client in a bare loop, and what people would run instead."""

import json, os, re, subprocess, sys

from job import make, remove, run, take_in
from server import Server, TlsServer
from settings import CALLS, COMPARE, DIR, PEERS
from table import have, note, row
from used import Used, in_turn, median, per_second, ratio

FEW = max(1, CALLS // 4)  # the slow ones are asked for a quarter


def idferry(server):
    def turn():
        remove("run.db")
        take_in("run.db", "calls.csv")
        idle = run(server, "run.db", "calls.csv", "--budget", "0", "--output", "-", quit_output=True, allow=(75,))
        used = run(server, "run.db", "calls.csv", "--output", "-", quit_output=True)
        return {"rate": CALLS / (used.seconds - idle.seconds), "cpu": (used.cpu - idle.cpu) / CALLS * 1e6, "mb": used.mb}

    return turn


def bare(server):
    def turn():
        used = Used([COMPARE, "bare", "calls.csv", server.url, server.corp, server.secret, str(CALLS), "64"], env=server.env())
        return {"rate": CALLS / json.loads(used.text)["millis"] * 1000, "cpu": used.cpu / CALLS * 1e6}

    return turn


def wrk(server):
    url, script = server.lookups(), os.path.join(PEERS, "lookup.lua")

    def turn():
        used = Used(["wrk", "-t2", "-c64", "-d4s", "-s", script, url])
        if "Non-2xx" in used.text:
            raise SystemExit(f"wrk was not answered:\n{used.text}")
        return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", used.text)[1])}

    return turn


def asyncio_script(server, python):
    url = server.lookups()

    def turn():
        remove("aio.db")
        script = [python, os.path.join(PEERS, "aio.py"), "calls.csv", "aio.db", url]
        # Starting Python and loading aiohttp is not what a row costs.
        idle = Used([*script, "0"])
        used = Used([*script, str(FEW)])
        return {"rate": FEW / float(used.text.split()[-1]), "cpu": (used.cpu - idle.cpu) / FEW * 1e6}

    return turn


def curl(server):
    url = server.lookups()

    def turn():
        with open("calls.csv") as lines, open("curl.txt", "w") as config:
            next(lines)
            for n, line in zip(range(FEW), lines):
                unionid, openid = line.strip().split(",")
                body = json.dumps({"unionid": unionid, "openid": openid}).replace('"', '\\"')
                config.write("next\n" * (n > 0) + f'url = "{url}"\ndata = "{body}"\nheader = "content-type: application/json"\n')
        used = Used(["curl", "-s", "--parallel", "--parallel-max", "64", "-K", "curl.txt"])
        return {"rate": FEW / used.seconds, "cpu": used.cpu / FEW * 1e6}

    return turn


def parallel(server):
    url, rows = server.lookups(), 300

    def turn():
        used = Used(["bash", os.path.join(PEERS, "parallel.sh"), "calls.csv", url, str(rows)])
        return {"rate": rows / used.seconds}

    return turn


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


class Race:
    """The contenders' turns, and ratios of their medians round by round."""

    def __init__(self, contenders):
        self.got = in_turn(contenders)

    def of(self, name, what="rate"):
        return [turn[what] for turn in self.got[name]]

    def first(self, what):
        row(what, f"{per_second(self.of('idferry'))}, {median(self.of('idferry', 'cpu')):.1f} µs of CPU a row")

    def against(self, name, what, least=None):
        if name in self.got:
            by = ratio(self.of("idferry"), self.of(name))
            target = ("", None) if least is None else (f"≥ {least}", by >= least)
            row(f"÷ {what} ({per_second(self.of(name))})", f"{by:.2f}", *target)

    def by_cpu(self, name, what, most):
        if name in self.got:
            by = ratio(self.of("idferry", "cpu"), self.of(name, "cpu"))
            row(f"CPU a row ÷ {what} ({median(self.of(name, 'cpu')):.1f} µs)", f"{by:.2f}", f"≤ {most}", by <= most)


def speed():
    server = Server()
    make("rows", CALLS, 0, "calls.csv")
    contenders = {"idferry": idferry(server), "bare": bare(server)}
    if have("wrk"):
        contenders["wrk"] = wrk(server)
    if python := python_with_aiohttp():
        contenders["asyncio"] = asyncio_script(server, python)
    if have("curl"):
        contenders["curl"] = curl(server)
        if have("parallel"):
            contenders["parallel"] = parallel(server)
    race = Race(contenders)
    race.first(f"idferry, {CALLS:,} rows end to end")
    race.against("wrk", "wrk -t2 -c64 on the same server", 0.40)
    race.against("bare", "the same client loop without a database", 0.85)
    race.by_cpu("bare", "that loop's", 1.25)
    race.against("asyncio", "aiohttp + uvloop", 5)
    race.by_cpu("asyncio", "its", 0.2)
    race.against("curl", "curl --parallel", 1.5)
    race.against("parallel", "GNU parallel + curl", 200)
    server.stop()


def tls():
    """HTTP/1.1, keep-alive, 64 connections, as plain: what the operator's calls really go over."""
    if not have("openssl"):
        return
    server = TlsServer()
    make("rows", CALLS, 0, "calls.csv")
    contenders = {"idferry": idferry(server), "bare": bare(server)}
    if have("wrk"):
        contenders["wrk"] = wrk(server)
    race = Race(contenders)
    race.first(f"idferry over TLS, {CALLS:,} rows end to end")
    race.against("wrk", "wrk -t2 -c64 on the same server over TLS", 0.35)
    race.against("bare", "the same client loop over TLS without a database")
    server.stop()
