"""The result: rows of Markdown tables, and notes below them."""

import datetime, os, shutil

from settings import ONLY, ROUNDS, say, settings

tables, notes = {}, []
COMPARED, HUGE = "what", "a huge table"


def row(what, measured, target="", met=None, under=COMPARED):
    verdict = {True: "met", False: "**missed**", None: ""}[met]
    tables.setdefault(under, []).append((what, measured, target, verdict))
    say(f"| {what} | {measured} | {target} | {verdict} |")


def note(text):
    say(f"  note: {text}")
    notes.append(text)


def wanted(section, unasked=True):
    """Whether to measure a section; some only if they are asked for."""
    if section not in ONLY and (ONLY or not unasked):
        return False
    say(f"== {section}")
    return True


def have(tool):
    found = shutil.which(tool)
    if not found:
        note(f"{tool} is not installed: left out")
    return found


def machine():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release}, load {os.getloadavg()[2]:.1f}"


def show():
    command = f"{settings()} cargo bench --bench compare".strip()
    print(f"{datetime.date.today()}, {machine()}, `{command}`, medians of {ROUNDS}:\n")
    for heading, rows in tables.items():
        print(f"| {heading} | measured | target | |\n| --- | --- | --- | --- |")
        for cells in rows:
            print("| " + " | ".join(cells) + " |")
        print()
    for text in notes:
        print(f"{text}\n")
