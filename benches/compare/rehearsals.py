"""A run in virtual time."""

from settings import IDFERRY
from table import row
from used import Used, in_turn, median


def rehearsals():
    got = in_turn({"idferry": lambda: Used([IDFERRY, "rehearse", "--subjects", "1000000", "--seed", "1", "--json"], allow=(0, 3, 75))})
    seconds = median([used.seconds for used in got["idferry"]])
    row("rehearsal of 1,000,000 subjects", f"{seconds:.1f} s", "< 20 s", seconds < 20)
