"""Faults under the calls of a server on the files of its data folder, or on its TCP sockets: the n-th one fails, is short, or
is its last (tests/faults/plan.h says how)."""
import os
from pathlib import Path

from .servers import PANDO, ROOT

ERRORS = ("enospc", "eio", "eintr", "short")
KILLS = ("kill", "torn", "after")
SOCKETS = "sockets"  # in the place of a folder


def library():
    for folder in (Path(PANDO).parent, ROOT / "build"):
        if (folder / "faults.so").exists():
            return folder / "faults.so"
    raise FileNotFoundError("faults.so is neither beside the server nor in build/: make builds it")


class Fault:
    """One fault of one process: `action` at call number `at` (0: none, the calls are only counted). `kind` counts calls
    of one kind alone. With at="while" there are as many as begin() and end() say."""

    def __init__(self, folder, trace, action="pass", at=0, kind=""):
        self.action, self.at, self.kind = action, at, kind
        self.trace = Path(trace)
        self.trace.unlink(missing_ok=True)
        self.now = Path(f"{trace}.now")
        under = folder if folder == SOCKETS else os.path.realpath(folder)
        self.environment = {"LD_PRELOAD": str(library()), "PANDO_FAULT_UNDER": under,
                            "PANDO_FAULT_TRACE": str(trace), "PANDO_FAULT_DO": action, "PANDO_FAULT_AT": str(at),
                            "PANDO_FAULT_KIND": kind,
                            "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:allocator_may_return_null=1:verify_asan_link_order=0"}

    def begin(self, action, kind=""):
        """With at="while": from now on every call of this kind meets this."""
        new = Path(f"{self.now}.new")
        new.write_text(f"{action} {kind}")
        new.rename(self.now)

    def end(self):
        self.now.unlink(missing_ok=True)

    def lines(self):
        return self.trace.read_text().splitlines() if self.trace.exists() else []

    def calls(self):
        return len(self.lines())

    def calls_of(self, kind, path):
        return self.lines().count(f"{kind} {Path(path).resolve()}")

    def met(self):
        """What met the fault, "action kind path", or None: the run ended before."""
        return next((line[2:] for line in self.lines() if line.startswith("! ")), None)

    def __str__(self):
        return f"{self.action} at {self.kind or 'call'} {self.at} ({self.met() or 'not met'})"
