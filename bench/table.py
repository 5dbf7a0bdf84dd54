"""Figures of both servers, round by round, and the table made of their medians."""
import contextlib
import statistics

from servers import PANDO, REDIS, SIDES, Bad

WIDTHS = (56, 13, 13, 8, 11)


class Figures:
    """Figures by row and side. A row that failed once on a side is BAD, whatever its other rounds gave."""

    def __init__(self):
        self.taken, self.reasons = {}, {}

    def add(self, row, side, figure):
        self.taken.setdefault((row, side), []).append(figure)

    @contextlib.contextmanager
    def guard(self, side, *rows):
        """Whatever goes wrong inside is the reason why these rows are BAD; what comes after goes on."""
        try:
            yield
        except Exception as error:
            said = str(error) if isinstance(error, Bad) else f"{type(error).__name__}: {error}"
            for row in rows:
                self.reasons.setdefault((row, side), said)

    def median(self, row, side):
        figures = self.taken.get((row, side))
        return statistics.median(figures) if figures else None

    def why_bad(self, row, sides):
        reasons = [f"{side}: {self.reasons[row, side]}" for side in sides if (row, side) in self.reasons]
        reasons += [f"{side}: not measured" for side in sides if (row, side) not in self.taken]
        return reasons[0] if reasons else None


class Table:
    """Prints each row as soon as it is known, with a mark where the bar is missed, and counts those."""

    def __init__(self):
        self.rows = self.missed = self.bad = 0
        self.line("row", "pando", "redis", "ratio", "bar", "")

    def line(self, label, *cells):
        padded = "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS[1:]))
        print(f"{label:{WIDTHS[0]}}{padded}  {cells[-1]}".rstrip(), flush=True)

    def fail(self, label, reason):
        self.rows, self.bad = self.rows + 1, self.bad + 1
        print(f"{label:{WIDTHS[0]}}  BAD {reason}".rstrip(), flush=True)

    def row(self, label, form, figures, *, times=None, limit=None, sides=SIDES, name=None):
        """One row of medians. The bar: at most `times` Redis' figure, or `limit`, which may be a function of both figures."""
        name = name or label
        reason = figures.why_bad(name, sides)
        if reason:
            return self.fail(label, reason)
        ours, theirs = figures.median(name, PANDO), figures.median(name, REDIS) if REDIS in sides else None
        if callable(limit):
            limit = limit(ours, theirs)
        bar = f"{times:.2f} x" if times else form % limit
        highest = times * theirs if times else limit
        self.rows += 1
        self.missed += ours > highest
        self.line(label, form % ours, "-" if theirs is None else form % theirs,
                  f"{ours / theirs:.2f}" if theirs and min(ours, theirs) > 0 else "-", bar, "MISSED" if ours > highest else "")
