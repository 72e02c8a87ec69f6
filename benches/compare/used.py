"""Running a command and knowing what it cost; taking turns."""

import os, statistics, subprocess, threading, time

from settings import ROUNDS, say

median = statistics.median


class Used:
    """What a process cost: seconds, CPU seconds, peak memory in MB, exit code, output."""

    def __init__(self, command, allow=(0,), quit_output=False, env=None, look=None):
        """`look` is called with the process id now and then, while it lives."""
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
            watcher = threading.Thread(target=self.watch, args=(child.pid, done, look))
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

    def watch(self, pid, done, look):
        """Peak memory: the kernel's own high-water mark, read 50 times a second."""
        while not done.wait(0.02):
            try:
                with open(f"/proc/{pid}/status") as status:
                    peak = next((line for line in status if line.startswith("VmHWM")), None)
            except OSError:
                return
            if peak:
                self.mb = max(self.mb, int(peak.split()[1]) / 1024)
            if look:
                look(pid)

    def __repr__(self):
        return f"{self.seconds:.2f} s, CPU {self.cpu:.2f} s, {self.mb:.0f} MB"


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


def per_second(values):
    return f"{median(values):,.0f}/s"
