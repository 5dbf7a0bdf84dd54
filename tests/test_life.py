"""The process: title, scores, signals, ends, and the folder that it writes to."""
import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness.compare import wait_linked
from harness.servers import PANDO
from harness.wait import wait_until


def title(server):
    return Path(f"/proc/{server.pid}/cmdline").read_bytes().rstrip(b"\0.").decode().replace(server.binary, "X")


def reports_itself(server):
    """In a sanitizer's build (which has no jemalloc) the sanitizer reports."""
    return server.info("memory")["mem_allocator"].startswith("jemalloc")


def oom_score(server):
    return int(Path(f"/proc/{server.pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("directives", [
    {"bind": None}, {"bind": "127.0.0.1 -::1"}, {"port": "0", "unixsocket": "s.sock"},
    {"proc-title-template": "\"a {port} {unixsocket} {title} {listen-addr} {tls-port} b\"", "unixsocket": "u"},
    {"set-proc-title": "no"}])
def test_the_title_is_that_of_redis(servers, directives):
    titles = []
    for make in servers.pando, servers.oracle:
        server = make(start=False, port=servers.all[0].port if servers.all else None)
        server.directives.update(directives)
        server.config_file = server.folder / "the.conf"
        server.write_config()
        server.start()
        titles.append(title(server).replace(str(server.folder), "DIR"))
        server.stop()
    assert titles[0] == titles[1]


def test_the_program_keeps_its_arguments_behind_the_title(pando):
    server = pando(arguments=["--maxmemory", "123mb"])
    assert server.info("server")["executable"] == os.path.realpath(PANDO)
    server.control.send("DEBUG", "RESTART")
    server.close_control()
    wait_until(lambda: server.do("PING") == b"PONG")
    assert server.config("maxmemory") == str(123 << 20)


def test_the_score_for_the_oom_killer_follows_setting_and_role(pando):
    server, primary = pando(), pando()
    before = oom_score(server)
    server.configure("oom-score-adj", "yes", "oom-score-adj-values", "5 6 7")
    assert oom_score(server) == before + 5
    server.replicate(primary)
    wait_linked(server)
    assert oom_score(server) == before + 6
    server.replicate(None)
    assert oom_score(server) == before + 5
    server.configure("oom-score-adj", "no")
    assert oom_score(server) == before


def test_signals_that_mean_nothing_are_survived(pando):
    server = pando()
    for number in signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ:
        server.send_signal(number)
    assert server.call("PING") == b"PONG"


def test_a_file_over_its_limit_is_an_error_not_an_end(pando):
    server = pando()
    server.call("DEBUG", "POPULATE", "1000", "k", "1000")
    subprocess.run(["prlimit", "--pid", str(server.pid), "--fsize=10000:unlimited"], check=True)
    assert server.do("SAVE").startswith(b"ERR")
    assert server.call("PING") == b"PONG"
    subprocess.run(["prlimit", "--pid", str(server.pid), "--fsize=unlimited:unlimited"], check=True)
    assert server.call("SAVE") == b"OK"


@pytest.mark.parametrize("command", ["PANIC", "ASSERT", "SEGFAULT", "OOM"])
def test_an_end_that_is_no_shutdown_is_reported(pando, command):
    server = pando()
    server.expect_crash = True
    reports = reports_itself(server)
    server.control.send("DEBUG", command)
    assert server.wait_exit() != 0
    if reports:
        assert server.logged("BUG REPORT START") and server.logged("STACK TRACE") and server.logged("crashed by signal")
        assert server.logged("cmd=debug")
        assert server.logged(r"\((loop_turn|main)\S*\+0x[0-9a-f]+\)\["), "the frames have no names"


def test_a_panic_may_be_an_exit(pando):
    server = pando(use_exit_on_panic=True)
    if not reports_itself(server):
        pytest.skip("a sanitizer has the signals")
    server.expect_crash = True
    server.control.send("DEBUG", "PANIC")
    assert server.wait_exit() != -signal.SIGABRT


def test_without_a_crash_log_nothing_is_reported(pando):
    server = pando(crash_log_enabled=False)
    server.expect_crash = True
    server.send_signal(signal.SIGSEGV)
    assert server.wait_exit() != 0
    assert not server.logged("BUG REPORT START")


def test_a_new_folder_gets_the_next_file(pando, tmp_path):
    server = pando()
    server.call("SET", "k", "v")
    server.configure(dir=tmp_path)
    assert server.call("SAVE") == b"OK"
    assert (tmp_path / "dump.rdb").exists() and not (server.folder / "dump.rdb").exists()
    server.configure(dbfilename="other.rdb")
    server.call("BGSAVE")
    wait_until(lambda: (tmp_path / "other.rdb").exists())
    assert server.config("dir") == str(tmp_path)
    assert server.do("CONFIG", "SET", "dir", str(tmp_path / "none")).startswith(b"ERR")
    assert server.config("dir") == str(tmp_path)


def test_the_allocators_thread_comes_and_goes(pando):
    server = pando(jemalloc_bg_thread=False)
    if not server.info("memory")["mem_allocator"].startswith("jemalloc"):
        pytest.skip("no jemalloc in this build")

    def threads():
        return len(os.listdir(f"/proc/{server.pid}/task"))
    before = threads()
    server.configure(jemalloc_bg_thread="yes")
    wait_until(lambda: threads() > before)
    server.configure(jemalloc_bg_thread="no")
    wait_until(lambda: threads() == before)
