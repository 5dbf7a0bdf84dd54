"""Is a server at rest? Its main thread goes to sleep again and again, and takes next to nothing in between. A loop that spins
never sleeps: it gives up the processor only when it is taken away."""
from pathlib import Path

from .wait import wait_until


def main_thread(pid):
    """How often the main thread slept of its own will, and the clock ticks that it took."""
    task = Path(f"/proc/{pid}/task/{pid}")
    slept = next(int(line.split()[1]) for line in (task / "status").read_text().splitlines() if line.startswith("voluntary"))
    fields = (task / "stat").read_text().rpartition(")")[2].split()
    return slept, int(fields[11]) + int(fields[12])


def wait_rest(pid_of, what, turns=3, timeout=20.0):
    """Until the process pid_of() slept so many times and took fewer clock ticks."""
    def rests():
        nonlocal pid, before
        if pid != pid_of():
            pid = pid_of()
            before = main_thread(pid)
        since, now = before, main_thread(pid)
        if now[0] - since[0] < turns:
            return False
        before = now
        return now[1] - since[1] < turns
    pid = pid_of()
    before = main_thread(pid)
    wait_until(rests, f"{what} to be at rest", timeout)
