"""Starting and stopping: what supervisors, scripts and test rigs lean on."""
import os
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from harness.compare import fill, wait_linked
from harness.resp import Connection, ReplyError
from harness.servers import PANDO, free_port, is_oracle
from harness.wait import PATIENCE, wait_until


def run_server(*arguments, stdin=None, timeout=20, cwd=None):
    return subprocess.run([PANDO, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=timeout * PATIENCE, cwd=cwd)


def test_version_names_redis_and_is_successful():
    for flag in ("--version", "-v"):
        done = run_server(flag)
        assert done.returncode == 0
        assert "v=7.0.15" in done.stdout


@pytest.mark.pando_only
def test_version_names_pando_too():
    assert "pando" in run_server("--version").stdout.lower()


def test_help_is_successful_and_shows_the_usage():
    for flag in ("--help", "-h"):
        done = run_server(flag)
        assert done.returncode == (1 if is_oracle(PANDO) else 0)
        assert "Usage" in done.stdout + done.stderr


@pytest.mark.pando_only
def test_check_config_accepts_a_good_file_and_names_the_fault_of_a_bad_one(tmp_path):
    good = tmp_path / "good.conf"
    good.write_text("port 7000\nsave 900 1\n")
    assert run_server("--check-config", good).returncode == 0
    bad = tmp_path / "bad.conf"
    bad.write_text("port 7000\n# fine\nmaxmemory lots\n")
    done = run_server("--check-config", bad)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "bad.conf" in said and "maxmemory lots" in said and re.search(r"\b3\b", said)


def test_the_configuration_can_come_from_standard_input(tmp_path):
    port = free_port()
    process = subprocess.Popen([PANDO, "-"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdin.write(f"port {port}\nbind 127.0.0.1\nsave \"\"\n".encode())
    process.stdin.close()
    try:
        with wait_until(lambda: Connection(port)) as c:
            assert c.call("CONFIG", "GET", "save") == [b"save", b""]
    finally:
        process.terminate()
        assert process.wait(20 * PATIENCE) == 0
        process.stdout.close()


@pytest.mark.parametrize("arguments, name, value", [
    (["--maxmemory", "700mb"], "maxmemory", "734003200"),
    (["--maxmemory 700mb"], "maxmemory", "734003200"),
    (["--maxmemory '700mb'"], "maxmemory", "734003200"),
    (["--save", "100", "100"], "save", "100 100"),
    (["--save", "100 100 200 200"], "save", "100 100 200 200"),
    (["--save", ""], "save", ""),
    (["--save", "--loglevel", "verbose"], "loglevel", "verbose"),
    (["--proc-title-template", "--my--title--template"], "proc-title-template", "--my--title--template"),
    (["--shutdown-on-sigint", "nosave force now"], "shutdown-on-sigint", "nosave now force"),
    (["--timeout", "5", "--timeout", "7"], "timeout", "7"),
])
def test_directives_on_the_command_line_override_the_file(servers, arguments, name, value):
    server = servers.pando(arguments=arguments)
    assert server.config(name) == value


def test_a_save_on_the_command_line_adds_to_the_files_points(servers):
    server = servers.pando(save="3600 1", arguments=["--save", "100", "100"])
    assert server.config("save") == "3600 1 100 100"


@pytest.mark.parametrize("arguments, said", [
    (["--port"], r"'port'.*wrong number of arguments"),
    (["--port", "--bla"], r"'port \"--bla\"'.*argument couldn't be parsed into an integer"),
    (["--loglevel", "--bla"], r"'loglevel \"--bla\"'.*argument\(s\) must be one of the following"),
    (["--replicaof", "127.0.0.1", "abc"], r"'replicaof \"127.0.0.1\" \"abc\"'.*Invalid master port"),
    (["--no-such-directive", "5"], r"no-such-directive.*Bad directive or wrong number of arguments"),
])
def test_a_bad_argument_is_named_and_nothing_starts(arguments, said):
    done = run_server(*arguments)
    assert done.returncode == 1
    assert re.search(said, done.stdout + done.stderr, re.S), done.stdout + done.stderr


def test_a_bad_line_of_the_file_is_named_with_number_and_reason(tmp_path):
    file = tmp_path / "wrong.conf"
    file.write_text("port 7000\n\nmaxclients many\n")
    done = run_server(file)
    assert done.returncode == 1
    assert "*** FATAL CONFIG FILE ERROR" in done.stderr
    assert re.search(r"line 3\b", done.stderr)
    assert "maxclients many" in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    done = run_server(tmp_path / "missing.conf")
    assert done.returncode == 1
    assert "missing.conf" in done.stdout + done.stderr


def test_the_process_stays_in_the_foreground_and_says_its_pid_and_that_it_is_ready(servers):
    server = servers.pando(always_show_logo="yes", logfile='""')
    server.wait_log("Ready to accept connections")
    assert f" PID: {server.pid}" in server.log()
    assert server.log().count("Ready to accept connections") == 1


def test_every_log_line_carries_pid_role_and_milliseconds(servers):
    server = servers.pando(loglevel="debug")
    server.wait_log("Ready to accept")
    lines = [line for line in server.log().splitlines() if re.match(r"\d+:[A-Z] ", line)]
    assert len(lines) >= 3
    for line in lines:
        assert re.match(rf"{server.pid}:[MSCX] \d\d [A-Z][a-z]{{2}} \d{{4}} \d\d:\d\d:\d\d\.\d{{3}} [.\-*#] ", line), line


def test_a_replicas_log_lines_carry_its_role(servers):
    primary, replica = servers.pando(), servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    assert replica.logged(rf"(?m)^{replica.pid}:S ")
    assert primary.logged(rf"(?m)^{primary.pid}:M ")


def test_a_log_file_can_be_renamed_while_the_server_runs(servers):
    server = servers.pando(logfile="own.log")
    log = server.folder / "own.log"
    wait_until(lambda: "Ready to accept" in log.read_text())
    log.rename(server.folder / "old.log")
    server.configure(loglevel="debug")
    server.call("DEBUG", "LOG", "after the rename")
    wait_until(lambda: "after the rename" in log.read_text())


def test_a_log_level_hides_what_is_below_it(servers):
    server = servers.pando(loglevel="warning")
    assert "Ready to accept" not in server.log()
    server.call("DEBUG", "LOG", "a warning")
    assert "a warning" in server.log()


def test_a_busy_port_is_said_and_ends_the_start(servers):
    first = servers.pando()
    second = servers.pando(port=first.port, start=False)
    second.spawn()
    second.expect_crash = True
    assert second.wait_exit() != 0
    assert second.logged("Failed listening on port")
    assert first.call("PING") == b"PONG"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly_and_saves_when_save_points_exist(servers, number):
    server = servers.pando(save="3600 1", pidfile="server.pid")
    server.call("SET", "key", "value")
    assert server.stop(number) == 0
    assert server.logged("ready to exit, bye bye")
    assert not (server.folder / "server.pid").exists()
    server.start()
    assert server.call("GET", "key") == b"value"


def test_without_save_points_a_signal_saves_nothing(servers):
    server = servers.pando()
    server.call("SET", "key", "value")
    server.stop()
    assert not (server.folder / "dump.rdb").exists()


@pytest.mark.parametrize("arguments, saved", [(["SAVE"], True), (["NOSAVE"], False), ([], False), (["NOW", "SAVE"], True)])
def test_the_shutdown_command_closes_and_saves_as_told(servers, arguments, saved):
    server = servers.pando()
    server.call("SET", "key", "value")
    with server.connect() as c:
        c.send("SHUTDOWN", *arguments)
        assert c.closed_by_peer()
    assert server.wait_exit() == 0
    assert (server.folder / "dump.rdb").exists() == saved


def test_a_failed_save_stops_the_shutdown_unless_forced(servers):
    server = servers.pando(save="3600 1")
    server.call("SET", "key", "value")
    server.configure(dbfilename="missing-later.rdb")
    os.mkdir(server.folder / "missing-later.rdb")
    os.mkdir(server.folder / "missing-later.rdb/full")
    assert server.do("SHUTDOWN", "SAVE") == b"ERR Errors trying to SHUTDOWN. Check logs."
    server.wait_log("Error trying to save the DB, can't exit")
    assert server.call("PING") == b"PONG"
    with server.connect() as c:
        c.send("SHUTDOWN", "SAVE", "FORCE")
        assert c.closed_by_peer()
    assert server.wait_exit() == 0


def test_shutdown_waits_for_a_lagging_replica_and_can_be_aborted(servers):
    primary = servers.pando(shutdown_timeout="60")
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    replica.send_signal(signal.SIGSTOP)
    primary.call("SET", "key", "value")
    with primary.connect() as c:
        c.send("SHUTDOWN")
        wait_until(lambda: primary.info("server").get("shutdown_in_milliseconds"), "the shutdown to be waiting")
        with primary.connect() as writer:
            writer.send("SET", "other", "waits")
            assert primary.call("SHUTDOWN", "ABORT") == b"OK"
            assert writer.read() == b"OK"
        assert isinstance(c.read(), ReplyError)
    primary.wait_log("Shutdown manually aborted")
    assert "shutdown_in_milliseconds" not in primary.info("server")
    replica.send_signal(signal.SIGCONT)


def test_shutdown_goes_on_when_the_lagging_replica_has_caught_up(servers):
    primary = servers.pando(shutdown_timeout="60")
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    replica.send_signal(signal.SIGSTOP)
    primary.call("SET", "key", "value")
    primary.send_signal(signal.SIGTERM)
    wait_until(lambda: primary.info("server").get("shutdown_in_milliseconds"))
    replica.send_signal(signal.SIGCONT)
    assert primary.wait_exit() == 0
    assert replica.call("GET", "key") == b"value"
    assert primary.logged("1 of 1 replicas are in sync|ready to exit")


def test_shutdown_now_does_not_wait(servers):
    primary = servers.pando(shutdown_timeout="600")
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    replica.send_signal(signal.SIGSTOP)
    primary.call("SET", "key", "value")
    with primary.connect() as c:
        c.send("SHUTDOWN", "NOW")
        assert c.closed_by_peer()
    assert primary.wait_exit() == 0
    assert primary.logged("Lagging replica")
    replica.send_signal(signal.SIGCONT)


def test_daemonize_detaches_and_writes_the_pid_file(tmp_path):
    port = free_port()
    config = tmp_path / "d.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\ndaemonize yes\ndir {tmp_path}\npidfile {tmp_path}/d.pid\n"
                      f"logfile {tmp_path}/d.log\nsave \"\"\n")
    done = run_server(config)
    assert done.returncode == 0
    with wait_until(lambda: Connection(port)) as c:
        pid_file = tmp_path / "d.pid"  # written behind the first listen
        pid = int(wait_until(lambda: pid_file.exists() and pid_file.read_text()))
        try:
            assert int(c.info("server")["process_id"]) == pid
            assert os.getsid(pid) == pid
        finally:
            os.kill(pid, signal.SIGTERM)
        assert c.closed_by_peer()
    wait_until(lambda: not (tmp_path / "d.pid").exists())
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_pid_file_that_cannot_be_written_is_only_a_warning(servers):
    server = servers.pando(pidfile="/nonexistent-folder/x.pid", loglevel="debug")
    assert server.call("PING") == b"PONG"


def test_files_have_the_modes_of_the_umask_and_secrets_are_private(servers):
    server = servers.pando(unixsocket="u.sock", unixsocketperm="700", save="3600 1")
    server.call("SET", "k", "v")
    server.call("SAVE")
    assert stat.S_IMODE((server.folder / "u.sock").stat().st_mode) == 0o700
    assert stat.S_IMODE((server.folder / "dump.rdb").stat().st_mode) & 0o022 == 0


def test_the_process_title_follows_its_template(servers):
    server = servers.pando(proc_title_template='"TEST {title} {listen-addr} {port} {tls-port} {unixsocket} {config-file}"')
    title = Path(f"/proc/{server.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    assert re.match(rf"TEST \S+ 127\.0\.0\.1:{server.port} {server.port} 0\s+{re.escape(str(server.config_file))}$", title), title


def test_the_default_title_shows_the_address(servers):
    server = servers.pando()
    title = Path(f"/proc/{server.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    assert title.endswith(f"127.0.0.1:{server.port}"), title


def test_ping_is_answered_while_loading(servers):
    server = servers.pando(save="3600 1")
    fill(server, 2000)
    server.call("SAVE")
    server.configure(key_load_delay=2000)
    server.call("CONFIG", "REWRITE")
    server.stop(signal.SIGKILL)
    server.start(wait=False)
    with wait_until(lambda: Connection(server.port)) as c:
        c.send_raw(b"PING\r\n")
        reply = c.read()
        assert reply.startswith(b"LOADING") or reply == b"PONG"
        c.send_raw(b"PING\r\n\r\n")
        assert c.read() is not None
        if reply.startswith(b"LOADING"):
            assert c.info("persistence")["loading"] == "1"
            assert c.do("GET", "key:1").startswith(b"LOADING")
            c.do("CONFIG", "SET", "key-load-delay", 0)
    server.wait_ready()
    assert server.call("DBSIZE") == 2000


def test_a_crash_is_reported_and_the_exit_is_not_clean(servers):
    server = servers.pando()
    server.expect_crash = True
    with server.connect() as c:
        c.send("DEBUG", "SEGFAULT")
        c.closed_by_peer()
    assert server.wait_exit() != 0
    if "san" not in server.binary:
        assert server.logged("REDIS BUG REPORT START")
        assert server.logged("crashed by signal: 11")
        assert server.logged("STACK TRACE")


def test_a_relative_configuration_file_and_folder(servers, tmp_path):
    (tmp_path / "data").mkdir()
    port = free_port()
    (tmp_path / "r.conf").write_text(f"port {port}\nbind 127.0.0.1\ndir ./data\nsave 3600 1\n")
    process = subprocess.Popen([PANDO, "r.conf"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        with wait_until(lambda: Connection(port)) as c:
            c.call("SET", "k", "v")
            c.call("SAVE")
            assert c.call("CONFIG", "GET", "dir")[1] == str(tmp_path / "data").encode()
    finally:
        process.terminate()
        assert process.wait(20 * PATIENCE) == 0
    assert (tmp_path / "data/dump.rdb").exists()


def test_databases_are_as_many_as_the_file_says(servers):
    server = servers.pando(databases="3")
    with server.connect() as c:
        assert c.do("SELECT", 2) == b"OK"
        assert c.do("SELECT", 3) == b"ERR DB index is out of range"


def test_systemd_is_told_when_the_server_is_ready(servers, tmp_path):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20 * PATIENCE)
    server = servers.pando(start=False, supervised="systemd")
    server.start(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    said = b""
    while b"READY=1" not in said:
        said += notify.recv(4096)
    notify.close()
