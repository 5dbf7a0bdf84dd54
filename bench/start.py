"""The empty server: how soon it answers and what it takes."""
from servers import SIDES
from table import Figures

START, MEMORY = "start until PONG, empty", "resident memory, empty"


def measure_all(bench, table):
    figures = Figures()
    for _ in range(bench.rounds or 11):
        for side in SIDES:
            with figures.guard(side, START, MEMORY), bench.server(side) as server:
                figures.add(START, side, server.started_s * 1e3)
                figures.add(MEMORY, side, server.settled_memory() / 1e6)
    table.row(START, "%.1f ms", figures, limit=30)
    table.row(MEMORY, "%.1f MB", figures, limit=lambda ours, theirs: theirs + 8)
