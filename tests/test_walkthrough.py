"""The walk-through of the first user, from the first line to the last.

The three configuration files are as the user wrote them: no `dir`, so all three nodes share one
folder, and daemonized. Where 6379-6381 are taken on this machine, free ports take their place.
"""
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from harness.compare import replicas_of, wait_equal, wait_in_sync, wait_linked, wait_online
from harness.resp import Connection, parse_info
from harness.servers import ALARMS, PANDO, ROOT, free_port, is_oracle
from harness.wait import PATIENCE, wait_until

pytestmark = pytest.mark.xdist_group("walkthrough")

# Step 3, as the walk-through prints it; {id} is any replication id.
NO_REPLICA_EVER = """\
role:master
connected_slaves:0
master_failover_state:no-failover
master_replid:{id}
master_replid2:0000000000000000000000000000000000000000
master_repl_offset:0
second_repl_offset:-1
repl_backlog_active:0
repl_backlog_size:1048576
repl_backlog_first_byte_offset:0
repl_backlog_histlen:0
"""

# Step 6: the fields of a replica whose primary died, in this order; {n} is any number.
PRIMARY_DIED = """\
role:slave
master_link_status:down
master_last_io_seconds_ago:-1
master_sync_in_progress:0
slave_read_repl_offset:{offset}
slave_repl_offset:{offset}
master_link_down_since_seconds:{n}
slave_priority:100
slave_read_only:1
replica_announced:1
connected_slaves:0
master_replid:{id}
master_repl_offset:{offset}
repl_backlog_first_byte_offset:{n}
repl_backlog_histlen:{n}
"""


def as_pattern(text, **known):
    """The walk-through's lines as regular expressions, a line each."""
    known = {"id": "[0-9a-f]{40}", "n": "[0-9]+", **{k: str(v) for k, v in known.items()}}
    return [re.sub(r"\\\{(\w+)\\\}", lambda m: known[m.group(1)], re.escape(line)) for line in text.splitlines()]


def assert_lines_in_order(lines, patterns):
    """Every pattern matches a line, in the given order; lines between them may be more than was asked."""
    at = 0
    for pattern in patterns:
        while at < len(lines) and not re.fullmatch(pattern, lines[at]):
            at += 1
        assert at < len(lines), f"no line {pattern!r} at its place in:\n" + "\n".join(lines)
        at += 1


class Node:
    """A daemonized node, started as the user starts it: `redis-server FILE`."""

    def __init__(self, place, name, port, text):
        self.place, self.name, self.port = place, name, port
        (place.folder / name).write_text(text)

    def __repr__(self):
        return f"<{self.name}:{self.port}>"

    def start(self):
        done = subprocess.run(["redis-server", self.name], cwd=self.place.folder, env=self.place.environment,
                              capture_output=True, text=True, timeout=30 * PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(lambda: self.do("PING") == b"PONG", f"{self} to answer")
        self.pid = int(self.info("server")["process_id"])
        self.place.pids.add(self.pid)
        return self

    def call(self, *args):
        with Connection(self.port) as connection:
            return connection.call(*args)

    def do(self, *args):
        with Connection(self.port) as connection:
            return connection.do(*args)

    def connect(self):
        return Connection(self.port)

    def info(self, section):
        return parse_info(self.call("INFO", section))

    def stat(self, field):
        return int(self.info("everything")[field])

    def replication(self):
        return self.call("INFO", "replication").decode().splitlines()[1:]

    def end(self, number):
        os.kill(self.pid, number)
        wait_until(lambda: not alive(self.pid), f"{self} to end", 30)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def walkthrough_ports():
    for port in (6379, 6380, 6381):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return [free_port() for _ in range(3)]
    return [6379, 6380, 6381]


class Place:
    def __init__(self, folder):
        self.folder = folder / "walkthrough"
        self.folder.mkdir()
        self.prefix = folder / "redis"
        self.pids = set()
        self.environment = dict(os.environ, PATH=f"{self.prefix}/bin:{os.environ['PATH']}")

    def install(self):
        """`make install PREFIX=...`. The oracle stands in as a link when it is under test."""
        if is_oracle(PANDO):
            (self.prefix / "bin").mkdir(parents=True)
            (self.prefix / "bin/redis-server").symlink_to(PANDO)
            return
        options = ["BUILD=" + str(Path(PANDO).parent)]
        if "/san" in PANDO:
            options.append("SAN=1")
        done = subprocess.run(["make", "-s", "install", f"PREFIX={self.prefix}", *options], cwd=ROOT,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def nodes(self):
        """The three files of the walk-through, as they stand."""
        ports = walkthrough_ports()
        shipped = ROOT / "pando.conf"
        if is_oracle(PANDO) or not shipped.exists():
            text = "port 6379\nbind 127.0.0.1 -::1\nprotected-mode yes\ndaemonize no\n"
        else:
            text = shipped.read_text()
        for name, value in (("bind", "127.0.0.1"), ("protected-mode", "no"), ("daemonize", "yes")):
            text, changed = re.subn(rf"(?m)^{name} .*$", f"{name} {value}", text)
            assert changed == 1, f"the shipped file must have one active line {name}"
        # The only change that the walk-through does not make: another port where 6379 is taken.
        if ports[0] != 6379:
            text = re.sub(r"(?m)^port 6379$", f"port {ports[0]}", text)
        # One of the user's files has no `enable-debug-command`; the keyspaces are compared with DEBUG DIGEST.
        text += "\nenable-debug-command yes\n"
        nodes = [Node(self, "redis.conf", ports[0], text)]
        for port in ports[1:]:
            nodes.append(Node(self, f"redis-{port}.conf", port,
                              f"port {port}\nbind 127.0.0.1\nprotected-mode no\ndaemonize yes\n"
                              f"replicaof 127.0.0.1 {ports[0]}\nenable-debug-command yes\n"))
        return nodes

    def clean_up(self):
        for pid in self.pids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, self.pids)), "the nodes to be gone")


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.clean_up()
    for log in place.folder.rglob("*.log"):
        assert not ALARMS.search(log.read_text(errors="replace"))


@pytest.fixture
def trio(place):
    """Primary and two replicas, online."""
    place.install()
    nodes = place.nodes()
    for node in nodes:
        node.start()
    wait_online(nodes[0], 2)
    wait_linked(*nodes[1:])
    return nodes


def test_install_puts_the_program_under_the_name_that_the_user_types(place):
    place.install()
    done = subprocess.run(["redis-server", "--version"], env=place.environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert "7.0.15" in done.stdout


@pytest.mark.skipif(is_oracle(PANDO), reason="about pando's own install")
def test_install_leaves_the_links_out_when_asked(place):
    done = subprocess.run(["make", "-s", "install", f"PREFIX={place.prefix}", "REDIS_LINKS=no",
                           "BUILD=" + str(Path(PANDO).parent)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (place.prefix / "bin/pando-server").exists()
    assert not (place.prefix / "bin/redis-server").exists()


def test_a_primary_that_never_had_a_replica_reads_as_in_the_walkthrough(place):
    place.install()
    primary = place.nodes()[0].start()
    lines = primary.replication()
    assert_lines_in_order(lines, as_pattern(NO_REPLICA_EVER))
    known = {p.split(":")[0] for p in NO_REPLICA_EVER.splitlines()}
    more = [line for line in lines if line.split(":")[0] not in known]
    if is_oracle(PANDO):
        assert not more
    # Writes change nothing about it: nobody reads the log.
    primary.call("SET", "key", "value")
    assert_lines_in_order(primary.replication(), as_pattern(NO_REPLICA_EVER))


def test_two_replicas_pass_through_the_states_and_come_online(place):
    place.install()
    primary, *replicas = place.nodes()
    primary.start()
    primary.call("SET", "before", "the replicas")
    for replica in replicas:
        replica.start()
    states = set()

    def both_online():
        seen = replicas_of(primary)
        states.update(r["state"] for r in seen)
        return sum(r["state"] == "online" for r in seen) == 2
    wait_until(both_online, "both replicas to be online", 60)
    assert states <= {"wait_bgsave", "send_bulk", "online"}
    fields = primary.info("replication")
    assert fields["connected_slaves"] == "2"
    assert fields["repl_backlog_active"] == "1"
    assert fields["repl_backlog_first_byte_offset"] == "1"
    assert fields["repl_backlog_histlen"] == fields["master_repl_offset"]
    # The order is: connected_slaves, slave0, slave1, then the rest as before.
    names = [line.split(":")[0] for line in primary.replication()]
    start = names.index("connected_slaves")
    following = [n for n in names[start:] if n in ("connected_slaves", "slave0", "slave1", "master_failover_state")]
    assert following == ["connected_slaves", "slave0", "slave1", "master_failover_state"]
    assert {int(r["port"]) for r in replicas_of(primary)} == {r.port for r in replicas}
    for line in (fields["slave0"], fields["slave1"]):
        assert re.match(r"ip=127\.0\.0\.1,port=\d+,state=online,offset=\d+,lag=[01]\b", line)
    wait_equal(primary, *replicas)
    for replica in replicas:
        assert replica.call("GET", "before") == b"the replicas"


def test_reads_everywhere_and_writes_at_the_primary(trio):
    primary, *replicas = trio
    primary.call("SET", "greeting", "hello")
    wait_in_sync(primary, *replicas)
    for replica in replicas:
        assert replica.call("GET", "greeting") == b"hello"
        assert replica.do("SET", "greeting", "other") == b"READONLY You can't write against a read only replica."
    assert primary.call("GET", "greeting") == b"hello"


def test_the_walkthroughs_tools_work(trio, place):
    primary, *replicas = trio
    done = subprocess.run(["redis-benchmark", "-p", str(primary.port), "-n", "2000", "-c", "10", "-r", "500", "-q",
                           "-t", "set,get"], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0 and "requests per second" in done.stdout, done.stdout + done.stderr
    done = subprocess.run(["redis-cli", "-p", str(replicas[0].port), "INFO", "replication"], capture_output=True,
                          text=True, timeout=30)
    assert "role:slave" in done.stdout
    wait_equal(primary, *replicas)


def test_when_the_primary_dies_a_replica_keeps_its_role_and_data_and_says_so(trio):
    primary, *replicas = trio
    for i in range(100):
        primary.call("SET", f"key:{i}", i)
    wait_in_sync(primary, *replicas)
    primary.end(signal.SIGKILL)
    for replica in replicas:
        wait_until(lambda: replica.info("replication")["master_link_status"] == "down")
        lines = replica.replication()
        offset = replica.info("replication")["master_repl_offset"]
        assert_lines_in_order(lines, as_pattern(PRIMARY_DIED, offset=offset))
        assert replica.call("GET", "key:99") == b"99"
        assert replica.call("DBSIZE") == 100
        assert replica.do("SET", "key:0", "x").startswith(b"READONLY")


def promote(trio):
    """What the end of the walk-through asks: the primary is dead, one replica takes over, the other follows."""
    _, heir, other = trio
    full_before = heir.stat("sync_full")
    heir.call("REPLICAOF", "NO", "ONE")
    assert heir.info("replication")["role"] == "master"
    other.call("REPLICAOF", "127.0.0.1", heir.port)
    wait_linked(other)
    wait_online(heir, 1)
    assert heir.stat("sync_partial_ok") == 1, "the other replica resumes, it does not start over"
    assert heir.stat("sync_full") == full_before
    assert heir.call("SET", "after", "the promotion") == b"OK"
    wait_equal(heir, other)


def test_by_hand_one_replica_takes_over_and_the_other_resumes(trio):
    primary, *replicas = trio
    primary.call("SET", "written", "before")
    wait_in_sync(primary, *replicas)
    primary.end(signal.SIGKILL)
    promote(trio)
    assert trio[1].call("GET", "written") == b"before"


def test_after_a_clean_stop_the_old_primary_comes_back_by_partial_resync(trio):
    primary, heir, other = trio
    primary.call("SET", "written", "before")
    wait_in_sync(primary, heir, other)
    primary.end(signal.SIGTERM)
    promote(trio)
    full_before, partial_before = heir.stat("sync_full"), heir.stat("sync_partial_ok")
    primary.start()
    primary.call("REPLICAOF", "127.0.0.1", heir.port)
    wait_linked(primary)
    wait_equal(heir, primary, other)
    if is_oracle(PANDO):
        return  # Redis asks with the id of its new start, not with the one that its file holds
    assert heir.stat("sync_full") == full_before
    assert heir.stat("sync_partial_ok") == partial_before + 1


def test_after_a_kill_the_old_primary_comes_back_by_one_full_sync_with_its_reason(trio):
    primary, heir, other = trio
    primary.call("SET", "written", "before")
    wait_in_sync(primary, heir, other)
    primary.end(signal.SIGKILL)
    promote(trio)
    full_before = heir.stat("sync_full")
    primary.start()
    primary.call("REPLICAOF", "127.0.0.1", heir.port)
    wait_linked(primary, timeout=60)
    wait_equal(heir, primary, other)
    assert heir.stat("sync_full") == full_before + 1
    if is_oracle(PANDO):
        return
    events = heir.call("REPLICATION", "LOG")
    text = [b" ".join(map(_as_bytes, event)) if isinstance(event, list) else _as_bytes(event) for event in events]
    reasons = [event for event in text if b"full" in event.lower()]
    assert reasons and any(b"reason" in event.lower() or len(event) > 30 for event in reasons), text


def _as_bytes(value):
    if isinstance(value, (list, tuple)):
        return b" ".join(map(_as_bytes, value))
    return value if isinstance(value, bytes) else str(value).encode()
