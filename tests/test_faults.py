"""Each file call fails once, or is the last: no write that was acknowledged is lost, no half transaction is seen.

A scripted run is done over and over with the fault moved to the next file call, until it passes without meeting it. ./test
takes some points of each kind of fault, PANDO_SOAK=1 all of them.

One connection writes the numbered units of harness/units.py. `floor` is the number of units that a restart has to bring back.
"""
import os
import random

import pytest

from harness.faults import ERRORS, KILLS, Fault
from harness.resp import ReplyError
from harness.units import data_in, data_of, unit, units_in
from harness.wait import wait_until

pytestmark = [pytest.mark.pando_only, pytest.mark.timeout(7200)]
SOAK = bool(os.environ.get("PANDO_SOAK"))
SAMPLE = 6  # points per kind of fault in a short run


class Died(Exception):
    pass


def data_in_server(server):
    with server.connect() as connection:
        return data_in(connection)


class Run:
    """A server under one fault, and what it promised."""

    def __init__(self, server, fault):
        self.server, self.fault = server, fault
        self.sent = self.acknowledged = self.floor = 0
        self.durable = server.directives.get("appendonly") == "yes"  # what is acknowledged survives
        self.connection = None

    def start(self):
        """Starts under the fault; the data may be those of an earlier process."""
        try:
            self.server.start(env=self.fault.environment)
        except RuntimeError:
            raise Died from None
        except AssertionError:
            if self.server.running:
                raise
            raise Died from None
        self.connection = self.or_died(self.server.connect)

    def or_died(self, talk):
        try:
            return talk()
        except (OSError, EOFError):
            self.server.wait_exit()
            raise Died from None

    def call(self, *command):
        return self.or_died(lambda: self.connection.do(*command))

    def wait(self, condition, what):
        def holds():
            if not self.server.running:
                raise Died
            return condition()
        try:
            wait_until(holds, f"{what}, {self.fault}", 40)
        except (OSError, EOFError):
            raise Died from None

    def info(self, field):
        for line in bytes(self.call("INFO", "everything")).decode().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value
        return None

    def write(self, count=1):
        for _ in range(count):
            db, commands = unit(self.sent + 1)
            assert self.call("SELECT", db) == b"OK"
            self.wait(lambda: self.attempt(commands), "a write to be accepted")

    def attempt(self, commands):
        """One unit: True when it is done; refused as a whole it comes again."""
        self.sent += 1
        replies = self.or_died(lambda: self.connection.pipeline(commands))
        refused = [r for r in replies if isinstance(r, ReplyError)]
        if not refused:
            self.acknowledged = self.sent
            if self.durable:
                self.floor = self.sent
            return True
        assert all(r.startswith((b"MISCONF", b"EXECABORT")) for r in refused), (refused, str(self.fault))
        assert self.info("aof_last_write_status") == "err" or self.info("rdb_last_bgsave_status") == "err", str(self.fault)
        self.sent -= 1
        return False

    def until_ok(self, command, running, status):
        """A command of the background, twice if the first attempt met the fault."""
        for attempt in (1, 2):
            reply = self.call(*command)
            self.wait(lambda: self.info(running) == "0" and self.info("aof_rewrite_scheduled") == "0"
                      and self.info("rdb_bgsave_in_progress") == "0" and self.info("aof_rewrite_in_progress") == "0",
                      f"{command} to end")
            if not isinstance(reply, ReplyError) and self.info(status) == "ok":
                return
            assert self.fault.met(), f"{command} failed without a fault: {reply!r}"
        raise AssertionError(f"{command} fails for good after {self.fault}: {reply!r}")

    def aof(self, on):
        if not on:
            assert self.call("CONFIG", "SET", "appendonly", "no") == b"OK"
            self.durable = False
            return
        reply = self.call("CONFIG", "SET", "appendonly", "yes")
        if isinstance(reply, ReplyError):
            assert self.fault.met() and b"Unable to turn on AOF" in reply, reply
            assert self.call("CONFIG", "SET", "appendonly", "yes") == b"OK", str(self.fault)
        self.wait(lambda: self.info("aof_pending_rewrite") == "0", "the AOF to be complete")
        self.durable, self.floor = True, self.acknowledged

    def healthy(self):
        self.wait(lambda: self.info("aof_last_write_status") == "ok" and self.info("aof_rewrite_in_progress") == "0",
                  "the AOF to be whole again")

    def data(self):
        return self.or_died(lambda: data_in_server(self.server))

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


def run_script(run, script):
    """The script as far as it comes; True when the server still ran at its end."""
    try:
        script(run)
    except Died:
        status = run.server.wait_exit()
        assert run.fault.met(), f"it ended by itself with {status}"
        if run.fault.action in KILLS:
            assert status == -9, f"{run.fault}: it ended with {status}"
        else:
            explain_end(run, status)
        return False
    finally:
        run.close()
    assert run.server.running, str(run.fault)
    return True


def explain_end(run, status):
    """Who ends for an error says so: at its start, or because a sync under `always` failed."""
    server, what = run.server, f"{run.fault}: it ended with {status}"
    assert status == 1 and not server.alarm(), what
    assert run.fault.met().split()[1] == "sync" and server.directives["appendfsync"] == "always" \
        and server.logged("Can't persist AOF for fsync error") or "Ready to accept" not in this_start(server), what


def this_start(server):
    return server.log().rpartition("is starting")[2]


def check(run):
    """The data after a restart without a fault are those of whole units, at least `floor` of them."""
    server = run.server
    server.kill()
    server.start()
    units_in(data_in_server(server), run.floor, run.sent, run.fault)
    # And it goes on from there.
    assert server.call("SET", "again", "x") == b"OK"
    server.restart("kill")
    assert server.call("GET", "again") == b"x"
    server.kill()


# ---- scripts -----------------------------------------------------------------------------------------


def write_and_rewrite(run):
    run.start()
    run.write(4)
    run.until_ok(("BGREWRITEAOF",), "aof_rewrite_in_progress", "aof_last_bgrewrite_status")
    run.write(4)
    run.until_ok(("BGSAVE",), "rdb_bgsave_in_progress", "rdb_last_bgsave_status")
    run.write(2)
    run.healthy()
    assert run.data() == data_of(run.acknowledged), str(run.fault)


def switch(run):
    run.start()
    run.write(3)
    reply = run.call("SAVE")
    if isinstance(reply, ReplyError):
        assert run.fault.met() and run.call("SAVE") == b"OK", str(run.fault)
    run.floor = run.acknowledged
    run.write(2)
    run.aof(True)
    run.write(3)
    run.aof(False)
    run.write(2)
    run.aof(True)
    run.write(2)
    run.healthy()
    assert run.data() == data_of(run.acknowledged), str(run.fault)


def start_again(run):
    """A start with a torn end, some writes, a clean stop."""
    run.start()
    run.write(2)
    run.healthy()
    try:
        run.connection.do("SHUTDOWN")
    except (OSError, EOFError):
        pass
    else:
        assert run.fault.met(), "SHUTDOWN was refused"
        return
    status = run.server.wait_exit()
    if status != 0:
        raise Died
    run.server.start(env={})


def prepare_torn(server):
    """Ten units, the last of them torn; returns how many are whole."""
    run = Run(server, Fault(server.directives["dir"], server.folder / "trace"))
    run.start()
    run.write(10)
    run.close()
    server.kill()
    newest = max((server.folder / "data" / "appendonlydir").glob("*.incr.aof"), key=lambda p: int(p.name.split(".")[-3]))
    newest.write_bytes(newest.read_bytes()[:-9])
    return 9


# ---- all points ---------------------------------------------------------------------------------------


def new_server(servers, policy, **directives):
    server = servers.pando(start=False, appendfsync=policy, **directives)
    server.expect_crash = True
    (server.folder / "data").mkdir()
    server.directives["dir"] = str(server.folder / "data")
    server.write_config()
    return server


def one_point(servers, make, script, action, at, kind=""):
    """One run. Returns how many calls there were, and which of them met the fault."""
    server, known = make(servers)
    fault = Fault(server.directives["dir"], server.folder / "trace", action, at, kind)
    run = Run(server, fault)
    run.sent = run.acknowledged = run.floor = known
    run_script(run, script)
    server.directives["appendonly"] = "yes"
    server.write_config()
    check(run)
    assert not server.alarm(), f"{fault}: {server.alarm()}"
    calls, met = fault.calls(), fault.met()
    server.remove()
    servers.all.remove(server)
    return calls, met


def points(count, seed):
    """The calls to fail: all, or some spread over the run, others for each seed."""
    if SOAK:
        return range(1, 100000)
    stride = max(1, count // SAMPLE)
    return range(1 + random.Random(seed).randrange(stride), count + 1, stride)


def all_points(servers, make, script, action, kind=""):
    count = one_point(servers, make, script, "pass", 0, kind)[0]
    seed = os.environ.get("PANDO_SEED", "1") + action + kind
    met = 0
    for at in points(count, seed):
        if one_point(servers, make, script, action, at, kind)[1] is None:
            break
        met += 1
    assert met > 0


MAKERS = {
    "always": (lambda servers: (new_server(servers, "always", appendonly="yes"), 0), write_and_rewrite),
    "everysec": (lambda servers: (new_server(servers, "everysec", appendonly="yes"), 0), write_and_rewrite),
    "switched": (lambda servers: (new_server(servers, "always", appendonly="no"), 0), switch),
}


def torn(servers):
    server = new_server(servers, "always", appendonly="yes", aof_timestamp_enabled="yes")
    return server, prepare_torn(server)


MAKERS["started"] = (torn, start_again)


@pytest.mark.parametrize("action", ERRORS + KILLS)
@pytest.mark.parametrize("name", MAKERS)
def test_every_file_call(servers, name, action):
    make, script = MAKERS[name]
    all_points(servers, make, script, action)


@pytest.mark.parametrize("action", ["eio", "enospc"])
def test_a_failed_sync_under_always_gets_no_positive_reply(servers, action):
    """Every sync of a stretch of writes: the write that waited for it is not acknowledged, the process has stopped."""
    for at in range(1, 40):
        server = new_server(servers, "always", appendonly="yes")
        fault = Fault(server.directives["dir"], server.folder / "trace", action, at, "sync")
        run = Run(server, fault)
        try:
            run.start()
            for _ in range(6):
                met = fault.met()
                run.write()
                assert met or not fault.met() or ".incr.aof" not in fault.met(), f"acknowledged after {fault}"
        except Died:
            assert not run.server.running
        run.close()
        check(run)
        if fault.met() is None:
            return
        server.remove()
        servers.all.remove(server)
    raise AssertionError("more syncs than expected")
