"""Waiting for a condition, never for a time.

This is the one place in the tests that lets time pass. The interval only bounds how often the
condition is looked at; no test's outcome depends on it.
"""
import os
import time

from .resp import CommandFailed

# A sanitizer build, a loaded machine: deadlines stretch, they are never tight.
PATIENCE = float(os.environ.get("PANDO_TEST_PATIENCE", "1"))


class TimedOut(AssertionError):
    pass


def now():
    return time.monotonic()


def wait_until(condition, what="", timeout=20.0, interval=0.01):
    """Returns the first true result of condition(). An AssertionError or a lost connection inside
    it counts as "not yet", and is shown when the deadline passes."""
    deadline = now() + timeout * PATIENCE
    last = None
    while True:
        try:
            result = condition()
            if result:
                return result
            last = result
        except (AssertionError, OSError, EOFError, CommandFailed) as error:
            last = error
        if now() > deadline:
            raise TimedOut(f"waited {timeout * PATIENCE:g} s for "
                           f"{what or getattr(condition, '__name__', condition)}; last: {last!r}")
        time.sleep(interval)


def stays(condition, what="", seconds=0.5, interval=0.02):
    """Looks at a condition for a while and fails at the first time that it does not hold. Only for
    promises of the form "does not happen"; a slow machine can only make it look less often."""
    deadline = now() + seconds
    while now() < deadline:
        result = condition()
        assert result, f"{what or condition} no longer holds: {result!r}"
        time.sleep(interval)
