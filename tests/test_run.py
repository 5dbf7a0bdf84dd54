"""The programs in the root that do all the set-up: ./run, and what installs packages."""
import os
import shutil
import socket
import subprocess

import pytest

from harness.resp import Connection
from harness.servers import PANDO, ROOT, free_port
from harness.wait import PATIENCE

pytestmark = pytest.mark.skipif(not shutil.which("redis-cli"), reason="./run waits with redis-cli")


@pytest.fixture
def run(tmp_path):
    ports = [free_port() for _ in range(3)]
    environment = dict(os.environ, PANDO_PORTS=" ".join(map(str, ports)), PANDO_VAR=str(tmp_path / "var"),
                       PANDO_SERVER=PANDO)

    def call(*arguments):
        return subprocess.run([ROOT / "run", *arguments], env=environment, capture_output=True, text=True,
                              timeout=120 * PATIENCE, cwd=tmp_path)
    call.ports = ports
    call.var = tmp_path / "var"
    yield call
    call("stop")


def test_one_primary_and_two_replicas_are_online_when_it_returns(run):
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"redis-cli -p {run.ports[0]}" in done.stdout and "./run stop" in done.stdout
    with Connection(run.ports[0]) as c:
        fields = c.info("replication")
        assert fields["role"] == "master" and fields["connected_slaves"] == "2"
        assert all("state=online" in fields[f"slave{i}"] for i in range(2))
    for port in run.ports:
        assert (run.var / str(port)).is_dir()


def test_calling_it_again_changes_nothing_and_stop_stops_and_keeps_the_data(run):
    assert run().returncode == 0
    with Connection(run.ports[0]) as c:
        c.call("SET", "kept", "over a restart")
        first = c.info("server")["process_id"]
    again = run()
    assert again.returncode == 0 and again.stdout.count("already running") == 3
    with Connection(run.ports[0]) as c:
        assert c.info("server")["process_id"] == first
    assert run("status").stdout.count(": running") == 3
    assert run("stop").returncode == 0
    for port in run.ports:
        with pytest.raises(ConnectionRefusedError):
            Connection(port)
    assert run("stop").returncode == 0, "stopping what does not run is no mistake"
    assert run().returncode == 0
    with Connection(run.ports[0]) as c:
        assert c.call("GET", "kept") == b"over a restart"


def test_a_taken_port_is_named_with_its_holder_and_nothing_starts(run):
    with socket.create_server(("127.0.0.1", run.ports[1])):
        done = run()
    assert done.returncode != 0
    assert f"port {run.ports[1]} is taken by process {os.getpid()}" in done.stderr
    with pytest.raises(ConnectionRefusedError):
        Connection(run.ports[0])


def test_packages_that_are_there_are_left_alone():
    done = subprocess.run([ROOT / "tools/install-packages", "build", "run"], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0
    assert done.stdout == ""


def test_every_package_has_a_reason_and_a_group():
    for line in (ROOT / "packages.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            group, package, reason = line.split(None, 2)
            assert group in ("build", "run", "test") and reason, line
