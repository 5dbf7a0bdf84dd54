"""Server processes of a test: pando, or the oracle it is compared with.

Every server runs in its own folder on its own loopback port and is stopped by the process id that
started it. Nothing else on the machine is touched.
"""
import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from .resp import Connection, CommandFailed, ReplyError
from .wait import PATIENCE, TimedOut, wait_until

ROOT = Path(__file__).resolve().parents[2]
PANDO = os.environ.get("PANDO_SERVER", str(ROOT / "build" / "pando-server"))
ORACLE = os.environ.get("ORACLE_SERVER", "/usr/bin/redis-server")
if not os.path.isabs(PANDO):
    PANDO = str(ROOT / PANDO)

# Signs of a crash or of a sanitizer's finding, in anything that a server printed.
ALARMS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:"
                    r"|REDIS BUG REPORT START|PANDO BUG REPORT|crashed by signal|ASSERTION FAILED|Guru Meditation")

# What a test server is told unless the test says otherwise: quick, quiet on disk, inspectable.
DEFAULTS = {
    "bind": "127.0.0.1",
    "save": '""',
    "enable-debug-command": "yes",
    "enable-protected-configs": "yes",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "shutdown-timeout": "0",
    "loglevel": "notice",
}

# More of them for every pando, for runs of all tests under another setting: "io-threads 4, io-threads-auto no".
PANDO_DEFAULTS = dict(line.split(None, 1) for line in os.environ.get("PANDO_TEST_DIRECTIVES", "").split(",") if line)


def is_oracle(binary):
    return os.path.realpath(binary) == os.path.realpath(ORACLE)


# Ports: below the range from which the kernel hands out ports of outgoing connections, each
# pytest-xdist worker with its own slice.
def _port_slice():
    first, last = (int(p) for p in os.environ.get("PANDO_TEST_PORTS", "21000-31999").split("-"))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    width = (last - first + 1) // count
    return first + int(worker) * width, width


_given = set()
_ports = random.Random(os.getpid())


def free_port():
    first, width = _port_slice()
    for _ in range(10 * width):
        port = first + _ports.randrange(width)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        if len(_given) > width * 3 // 4:
            _given.clear()
        return port
    raise RuntimeError("no free port")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def quote(value):
    """One argument of a configuration line."""
    return str(value)


def config_lines(directives):
    for name, value in directives.items():
        if value is None:
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True or one is False:
                one = "yes" if one else "no"
            yield f"{name.replace('_', '-')} {one}"


class Server:
    """One server process.

    `directives` may use _ for -; None removes a default; a list gives several lines.
    """

    def __init__(self, binary, name="server", folder=None, port=None, arguments=(), **directives):
        self.binary = binary
        self.name = name
        self.own_folder = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="pando-test-"))
        self.port = port or free_port()
        self.arguments = list(arguments)
        self.prefix = []  # a command that executes the server
        self.directives = dict(DEFAULTS, port=str(self.port), dir=str(self.folder))
        if not is_oracle(binary):
            self.directives.update(PANDO_DEFAULTS)
        self.directives.update({k.replace("_", "-"): v for k, v in directives.items()})
        self.config_file = self.folder / f"{name}-{self.port}.conf"
        self.log_file = self.folder / f"{name}-{self.port}.log"
        self.process = None
        self.expect_crash = False
        self._control = None
        self.write_config()

    def __repr__(self):
        return f"<{self.name}:{self.port}>"

    @property
    def is_oracle(self):
        return is_oracle(self.binary)

    # Life
    def write_config(self):
        self.config_file.write_text("\n".join(config_lines(self.directives)) + "\n")

    def spawn(self, env=None):
        """Starts the process and returns at once."""
        assert not self.running
        self.close_control()
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99:allocator_may_return_null=1")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        environment.update(env or {})
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.binary, str(self.config_file), *self.arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent,
                env=environment)
        return self

    def start_on_file(self, path, **how):
        """Starts on a copy of an RDB file."""
        shutil.copy(path, self.folder / "dump.rdb")
        return self.start(**how)

    def start_on_file_of(self, other, **how):
        """Starts on a copy of what another server has saved."""
        return self.start_on_file(other.folder / "dump.rdb", **how)

    def start(self, wait=True, **spawn):
        self.spawn(**spawn)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=30.0):
        """Until PING is answered by something that is not LOADING."""
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self} ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            with Connection(self.target, timeout=5) as probe:
                return not probe.do("PING").startswith(b"LOADING")
        wait_until(answers, f"{self} to be ready", timeout)

    @property
    def target(self):
        if self.port == 0 or self.directives.get("port") == "0":
            return str(self.folder / self.directives["unixsocket"])
        return self.port

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=20.0):
        return self.process.wait(timeout * PATIENCE)

    def stop(self, number=signal.SIGTERM, timeout=20.0):
        """A clean stop; returns the exit status."""
        self.close_control()
        if self.running:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise TimedOut(f"{self} did not stop within {timeout * PATIENCE:g} s of signal {number}")
        return self.process.returncode if self.process else None

    def kill(self):
        self.close_control()
        if self.running:
            self.process.kill()
            self.process.wait()

    def restart(self, how="stop", **start):
        getattr(self, how)()
        return self.start(**start)

    def remove(self):
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What it said
    def log(self):
        try:
            return self.log_file.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def logged(self, pattern):
        return re.search(pattern, self.log())

    def wait_log(self, pattern, timeout=20.0, times=1):
        wait_until(lambda: len(re.findall(pattern, self.log())) >= times, f"{self} to log {pattern!r}", timeout)

    def alarm(self):
        found = ALARMS.search(self.log())
        return found and self.log()[max(0, found.start() - 200):found.start() + 2500]

    # Talking to it
    def connect(self, protocol=2, **options):
        """A connection of the harness: it knows the password of the configuration file."""
        connection = Connection(self.target, **options)
        password = self.directives.get("requirepass")
        if password:
            connection.do("AUTH", password)
        if protocol == 3:
            connection.hello(3)
        return connection

    def close_control(self):
        if self._control:
            self._control.close()
            self._control = None

    @property
    def control(self):
        """A connection of the harness's own, kept open for questions."""
        if self._control is None:
            self._control = self.connect()
        return self._control

    def do(self, *args):
        try:
            return self.control.do(*args)
        except (OSError, EOFError):
            self.close_control()
            raise

    def call(self, *args):
        reply = self.do(*args)
        if isinstance(reply, ReplyError):
            raise CommandFailed(reply, args)
        return reply

    def info(self, section="default"):
        from .resp import parse_info
        return parse_info(self.call("INFO", section))

    def stat(self, field, section="everything"):
        return int(self.info(section)[field])

    def config(self, name):
        return self.call("CONFIG", "GET", name)[1].decode()

    def configure(self, *pairs, **named):
        for name, value in named.items():
            pairs += (name.replace("_", "-"), value)
        assert self.call("CONFIG", "SET", *pairs) == b"OK"

    def replicate(self, primary):
        """Makes this server a replica of another server or link; None makes it a primary."""
        if primary is None:
            self.call("REPLICAOF", "NO", "ONE")
        else:
            self.call("REPLICAOF", "127.0.0.1", primary.port)
        return self

    def resident_bytes(self, peak=False):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:" if peak else "VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


class Servers:
    """All servers of one test; the fixtures `servers`, `pando` and `oracle` hand it out."""

    def __init__(self):
        self.all = []
        self.closers = []

    def new(self, binary, start=True, name=None, **options):
        server = Server(binary, name or ("oracle" if is_oracle(binary) else "pando"), **options)
        self.all.append(server)
        return server.start() if start else server

    def pando(self, **options):
        return self.new(PANDO, **options)

    def oracle(self, **options):
        return self.new(ORACLE, **options)

    def later(self, close):
        """Calls close() when the test ends, before the servers stop."""
        self.closers.append(close)

    def proxy(self, upstream, **options):
        from .proxy import Proxy
        proxy = Proxy(upstream.port, **options)
        self.closers.append(proxy.close)
        return proxy

    def finish(self):
        """Stops everything; returns the complaints of servers that did not behave."""
        complaints = []
        for close in self.closers:
            close()
        for server in self.all:
            server.close_control()
            if server.running:
                server.send_signal(signal.SIGTERM)
                server.send_signal(signal.SIGCONT)
        for server in self.all:
            started = server.process is not None
            try:
                status = server.stop()
                if started and status not in (0, -signal.SIGKILL, -signal.SIGTERM) and not server.expect_crash:
                    complaints.append(f"{server} ended with status {status}\n{server.log()[-1500:]}")
            except TimedOut as error:
                complaints.append(str(error))
            if not server.expect_crash and server.alarm():
                complaints.append(f"{server} reported:\n{server.alarm()}")
        return complaints

    def logs(self):
        return "\n".join(f"---- log of {server} ({server.binary})\n{server.log()[-4000:]}" for server in self.all)

    def remove(self):
        for server in self.all:
            server.remove()
