"""What every measurement needs: servers on the first core, load on the second, and what both of them cost.

A Server is a context manager: what was started is stopped when its block is left, for whatever reason.
"""
import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time

SERVER_CORE, LOAD_CORE = (sorted(os.sched_getaffinity(0)) * 2)[:2]
PANDO, REDIS = "pando", "redis"
SIDES = (PANDO, REDIS)


class Bad(Exception):
    """A measurement that counts for nothing, and why: the work was not done, or not as it should have been."""


def need(condition, why):
    if not condition:
        raise Bad(why)


def wait_until(condition, seconds, what, pause=0.005):
    """The first true value of condition(), asked every `pause` seconds, or every hundredth of the time that it took so far."""
    began = time.monotonic()
    while not (value := condition()):
        took = time.monotonic() - began
        need(took < seconds, f"{what}: not within {seconds} s")
        time.sleep(max(pause, took / 100))  # who asks 5,000 times a second what loads a file is a load itself
    return value


class Connection:
    """One blocking connection; replies are str, int, None, list, or Bad for an error, which is raised."""

    def __init__(self, port, timeout=600):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.input = self.socket.makefile("rb")

    def __call__(self, *words):
        parts = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        reply = self.read()
        if isinstance(reply, Bad):
            raise reply
        return reply

    def read(self):
        line = self.input.readline().decode("latin1")
        need(line.endswith("\r\n"), "the server closed the connection")
        kind, rest = line[0], line[1:-2]
        if kind == "+":
            return rest
        if kind == "-":
            return Bad(rest)
        if kind == ":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == "*":
            return [self.read() for _ in range(int(rest))]
        return self.input.read(int(rest) + 2)[:-2].decode("latin1")

    def info(self, section, field):
        for line in self("INFO", section).splitlines():
            if line.startswith(field + ":"):
                return line[len(field) + 1:]
        raise Bad(f"INFO {section} has no {field}")

    def close(self):
        self.input.close()
        self.socket.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server process in a folder of its own, pinned to a core; `run` sends it a command. started_s: until its first PONG."""

    def __init__(self, binary, *options, folder=None, core=SERVER_CORE, patience=600):
        self.port = free_port()
        self.own_folder = None if folder else tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = folder or self.own_folder.name
        self.run = None
        words = [binary, "--port", str(self.port), "--save", "", "--dir", self.folder, "--enable-debug-command", "yes",
                 "--logfile", os.path.join(self.folder, f"{self.port}.log"), *options]
        began = time.monotonic()
        # A child starts on its parent's core. Its session is its own, so that Ctrl-C is for this program, which stops it.
        os.sched_setaffinity(0, {core})
        try:
            self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            start_new_session=True)
        finally:
            os.sched_setaffinity(0, {LOAD_CORE})
        try:
            self.run = wait_until(self.answers, patience, f"start of {binary}", pause=0.0002)
            self.started_s = time.monotonic() - began
        except BaseException:
            self.stop()
            raise

    def answers(self):
        need(self.process.poll() is None, "the server ended at its start")
        connection = None
        with contextlib.suppress(OSError, Bad):  # no listener yet, or -LOADING
            connection = Connection(self.port)
            if connection("PING") == "PONG":
                return connection
        if connection:
            connection.close()
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.run:
            self.run.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.own_folder:
            self.own_folder.cleanup()

    def cpu_us(self):
        """CPU time of all threads that the process has or had, by its CPU clock: /proc/PID/stat counts in 10 ms."""
        return time.clock_gettime_ns((~self.process.pid << 3) | 2) / 1e3

    def memory(self, field="Rss", pid=None):
        with open(f"/proc/{pid or self.process.pid}/smaps_rollup") as lines:
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))

    def settled_memory(self):
        """Resident bytes, once two looks at them agree: freed memory may go back late."""
        looks = [self.memory()]

        def steady():
            looks.append(self.memory())
            return abs(looks[-1] - looks[-2]) < 64 * 1024
        wait_until(steady, 30, "steady memory", pause=0.2)
        return looks[-1]

    def children(self):
        found = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/task/{task}/children") as children:
                found += children.read().split()
        return found

    def family_memory(self):
        """Bytes resident in the process and its children, pages that they share counted once."""
        total = self.memory("Pss")
        for child in self.children():
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                total += self.memory("Pss", child)
        return total

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def peak_memory(self):
        """The most that was resident in the process since forget_peak()."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def errors(self):
        return int(self.run.info("stats", "total_error_replies"))

    def pipe(self, lines, count):
        """Sends `count` inline commands through redis-cli --pipe; none may fail."""
        client = subprocess.Popen(["redis-cli", "-p", str(self.port), "--pipe"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with contextlib.suppress(BrokenPipeError), client.stdin:
            batch = []
            for line in lines:
                batch.append(line)
                if len(batch) == 4096:
                    client.stdin.write("".join(batch).encode())
                    batch.clear()
            client.stdin.write("".join(batch).encode())
        said = client.stdout.read().decode()
        client.stdout.close()
        need(client.wait() == 0 and f"errors: 0, replies: {count}" in said, f"redis-cli --pipe: {said.strip()[-80:]}")

    def benchmark(self, options, requests):
        """Runs redis-benchmark; fails when there are error replies."""
        errors = self.errors()
        done = subprocess.run(["redis-benchmark", "-p", str(self.port), "--csv", "-n", str(requests), *options.split()],
                              capture_output=True, text=True)
        rows = [line for line in done.stdout.splitlines() if line.startswith('"') and not line.startswith('"test"')]
        need(done.returncode == 0 and rows, "redis-benchmark: " + (done.stderr or done.stdout).strip()[-80:])
        need(self.errors() == errors, f"{self.errors() - errors} error replies")


class RateLoad:
    """bench/rate_load.c on the core of the load. Figures are in `result` when the block is left or after finish()."""

    def __init__(self, generator, server, **options):
        words = [generator, "-p", str(server.port)]
        for name, value in options.items():
            words += [] if value is False else [f"-{name}"] if value is True else [f"-{name}", str(value)]
        self.result = {}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)
        try:
            if self.process.stdout.readline() != "ready\n":
                raise Bad("rate_load: " + self.process.communicate()[1].strip())
        except BaseException:
            self.process.kill()
            raise

    def finish(self, stop=False):
        if stop:
            self.process.send_signal(signal.SIGTERM)
        out, said = self.process.communicate()
        need(self.process.returncode == 0, "rate_load: " + said.strip())
        self.result = {name: float(value) for name, value in (word.split("=") for word in out.split())}
        return self.result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def rate_load(generator, server, **options):
    """Runs rate_load to its end: option letters as keywords, True for a bare one."""
    with RateLoad(generator, server, **options) as load:
        return load.finish()


def inherit_load_core():
    """Everything that this program starts, servers excepted, runs where it runs itself."""
    os.sched_setaffinity(0, {LOAD_CORE})
