"""CLIENT commands that need a second look: killing, pausing, unblocking, and what LIST shows."""
import pytest

from harness.compare import wait_linked, wait_in_sync
from harness.resp import ReplyError
from harness.wait import stays, wait_until


def fields_of(line):
    return dict(part.split("=", 1) for part in line.decode().strip().split(" "))


def test_the_line_of_a_client_has_the_fields_of_7_0_in_their_order(servers):
    server = servers.pando()
    names = [part.split(b"=")[0] for part in server.call("CLIENT", "INFO").split()]
    assert b" ".join(names) == (b"id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem "
                                b"multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp")


def test_what_the_line_says_is_true(servers):
    server = servers.pando()
    with server.connect(3) as c:
        c.call("CLIENT", "SETNAME", "worker")
        c.call("SELECT", 4)
        port = c.socket.getsockname()[1]
        fields = fields_of(c.call("CLIENT", "INFO")[1])
        assert fields["id"] == str(c.call("CLIENT", "ID"))
        assert fields["addr"] == f"127.0.0.1:{port}"
        assert fields["laddr"] == f"127.0.0.1:{server.port}"
        assert (fields["name"], fields["db"], fields["resp"], fields["cmd"], fields["user"], fields["flags"]) == (
            "worker", "4", "3", "client|info", "default", "N")
        c.call("MULTI")
        c.do("SET", "k", "v")
        other = fields_of(next(line for line in server.call("CLIENT", "LIST").splitlines() if b"worker" in line))
        assert (other["multi"], other["flags"], other["cmd"]) == ("1", "x", "set")


def test_list_by_id_and_type(servers):
    server = servers.pando()
    with server.connect() as a, server.connect() as b:
        ids = [a.call("CLIENT", "ID"), b.call("CLIENT", "ID")]
        assert ids[1] > ids[0]
        listed = [fields_of(line)["id"] for line in server.call("CLIENT", "LIST", "ID", *ids, 999999).splitlines()]
        assert listed == [str(i) for i in ids]
        b.call("SUBSCRIBE", "ch")
        assert [fields_of(line)["id"] for line in server.call("CLIENT", "LIST", "TYPE", "pubsub").splitlines()] == [
            str(ids[1])]


@pytest.mark.parametrize("how", ["addr", "old", "id", "laddr", "user", "type"])
def test_kill_by(servers, how):
    server = servers.pando()
    with server.connect() as victim:
        port = victim.socket.getsockname()[1]
        me = victim.call("CLIENT", "ID")
        filters = {"addr": ["ADDR", f"127.0.0.1:{port}"], "old": [f"127.0.0.1:{port}"], "id": ["ID", me],
                   "laddr": ["LADDR", f"127.0.0.1:{server.port}"], "user": ["USER", "default"],
                   "type": ["TYPE", "normal"]}[how]
        with server.connect() as killer:
            reply = killer.call("CLIENT", "KILL", *filters)
            assert reply == b"OK" if how == "old" else reply >= 1
            assert killer.call("PING") == b"PONG"
        assert victim.closed_by_peer()


def test_kill_me_too_answers_first(servers):
    server = servers.pando()
    with server.connect() as c:
        assert c.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no") >= 1
        assert c.closed_by_peer()


def test_killing_replicas_drops_their_link(servers):
    primary, replica = servers.pando(), servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    assert primary.call("CLIENT", "KILL", "TYPE", "replica") == 1
    wait_until(lambda: primary.stat("sync_partial_ok") == 1)
    wait_linked(replica)  # the primary counts before its answer has arrived
    assert replica.call("CLIENT", "KILL", "TYPE", "master") == 1
    wait_until(lambda: primary.stat("sync_partial_ok") == 2)


def test_a_write_pause_holds_writes_and_lets_reads_through(servers):
    server = servers.pando()
    server.call("SET", "k", "old")
    with server.connect() as writer, server.connect() as reader:
        server.call("CLIENT", "PAUSE", 100000, "WRITE")
        writer.send("SET", "k", "new")
        wait_until(lambda: server.stat("blocked_clients") == 1)
        assert reader.call("GET", "k") == b"old"
        server.call("CLIENT", "UNPAUSE")
        assert writer.read() == b"OK"
        assert reader.call("GET", "k") == b"new"


def test_a_pause_ends_by_itself(servers):
    server = servers.pando()
    with server.connect() as c:
        server.call("CLIENT", "PAUSE", 50, "ALL")
        assert c.call("SET", "k", "v") == b"OK"


def test_a_longer_pause_is_not_shortened(servers):
    server = servers.pando()
    server.call("CLIENT", "PAUSE", 100000, "WRITE")
    server.call("CLIENT", "PAUSE", 1, "WRITE")
    with server.connect() as writer:
        writer.send("SET", "k", "v")
        stays(lambda: server.stat("blocked_clients") == 1 or server.call("EXISTS", "k") == 0, seconds=0.2)
        server.call("CLIENT", "UNPAUSE")
        assert writer.read() == b"OK"


def test_while_paused_nothing_expires_and_offsets_stand_still(servers):
    primary, replica = servers.pando(repl_ping_replica_period="3600"), servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    primary.call("SET", "k", "v", "PX", 1000)
    wait_in_sync(primary, replica)
    primary.call("CLIENT", "PAUSE", 100000, "WRITE")
    offset = primary.stat("master_repl_offset")
    wait_until(lambda: primary.call("TTL", "k") == -2 or not primary.call("GET", "k"))
    stays(lambda: primary.stat("master_repl_offset") == offset, seconds=0.3)
    assert primary.stat("expired_keys") == 0
    primary.call("CLIENT", "UNPAUSE")
    wait_until(lambda: primary.stat("expired_keys") == 1)


def test_wait_is_unblocked_by_timeout_and_by_error(servers):
    server = servers.pando()
    with server.connect() as c:
        me = c.call("CLIENT", "ID")
        c.call("SET", "k", "v")
        for how, expected in (("TIMEOUT", 0), ("ERROR", ReplyError(b"UNBLOCKED client unblocked via CLIENT UNBLOCK"))):
            c.send("WAIT", 3, 0)
            wait_until(lambda: server.stat("blocked_clients") == 1)
            assert "b" in fields_of(server.call("CLIENT", "LIST", "ID", me))["flags"]
            assert server.call("CLIENT", "UNBLOCK", me, how) == 1
            assert c.read() == expected
        assert server.call("CLIENT", "UNBLOCK", me) == 0


def test_commands_behind_a_blocked_one_wait_their_turn(servers):
    server = servers.pando()
    with server.connect() as c:
        me = c.call("CLIENT", "ID")
        c.call("SET", "k", "v")
        c.send("WAIT", 3, 0)
        c.send("SET", "k", "after")
        wait_until(lambda: server.stat("blocked_clients") == 1)
        assert server.call("GET", "k") == b"v"
        server.call("CLIENT", "UNBLOCK", me)
        assert c.read() == 0
        assert c.read() == b"OK"


def test_a_client_that_goes_away_while_blocked_is_forgotten(servers):
    server = servers.pando()
    c = server.connect()
    c.call("SET", "k", "v")
    c.send("WAIT", 3, 0)
    wait_until(lambda: server.stat("blocked_clients") == 1)
    c.close()
    wait_until(lambda: server.stat("blocked_clients") == 0)


def test_monitor_shows_what_is_executed(servers):
    server = servers.pando()
    with server.connect() as watcher:
        assert watcher.do("MONITOR") == b"OK"
        with server.connect() as c:
            c.call("SELECT", 2)
            c.call("SET", "key", 'a "quoted"\n\x01 value')
            c.do("AUTH", "secret")
        lines = [watcher.read() for _ in range(3)]
        assert lines[1].split(b"] ", 1)[1] == b'"SET" "key" "a \\"quoted\\"\\n\\x01 value"'
        assert lines[1].split(b" ")[1] == b"[2"
        assert b"secret" not in lines[2]


def test_the_slow_log_keeps_no_passwords_and_shortens_what_is_long(servers):
    server = servers.pando()
    server.configure(slowlog_log_slower_than=0)
    server.do("AUTH", "user", "secret")
    server.do("HELLO", 2, "AUTH", "user", "secret", "SETNAME", "me")
    server.do("CONFIG", "SET", "maxmemory", 0, "masterauth", "secret")
    server.do("MSET", *range(40))
    server.do("SET", "long", "x" * 1000)
    server.configure(slowlog_log_slower_than=-1)
    entries = {entry[3][0]: entry[3] for entry in server.call("SLOWLOG", "GET", -1)}
    assert entries[b"AUTH"] == [b"AUTH", b"(redacted)", b"(redacted)"]
    assert entries[b"HELLO"] == [b"HELLO", b"2", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"me"]
    assert [b"CONFIG", b"SET", b"maxmemory", b"0", b"masterauth", b"(redacted)"] in [
        entry[3] for entry in server.call("SLOWLOG", "GET", -1)]
    assert len(entries[b"MSET"]) == 32 and entries[b"MSET"][-1] == b"... (10 more arguments)"
    assert entries[b"SET"][2] == b"x" * 128 + b"... (872 more bytes)"


def test_statistics_of_commands_and_errors(servers):
    server = servers.pando()
    server.call("CONFIG", "RESETSTAT")
    for _ in range(3):
        server.do("SET", "k", "v")
    server.do("INCR", "k")
    server.do("GET")
    server.do("NOSUCH")
    server.do("CONFIG", "GET", "port")
    stats = server.info("everything")
    assert stats["cmdstat_set"].startswith("calls=3,usec=")
    assert stats["cmdstat_set"].endswith("rejected_calls=0,failed_calls=0")
    assert stats["cmdstat_incr"].endswith("rejected_calls=0,failed_calls=1")
    assert stats["cmdstat_get"].startswith("calls=0,") and "rejected_calls=1" in stats["cmdstat_get"]
    assert "cmdstat_config|get" in stats
    assert stats["errorstat_ERR"] == "count=3"
    assert stats["total_error_replies"] == "3"
    assert "latency_percentiles_usec_set" in stats
    assert "cmdstat_set" not in server.info("default")
    server.call("CONFIG", "RESETSTAT")
    assert "cmdstat_set" not in server.info("commandstats")


def test_keyspace_hits_and_misses_are_counted(servers):
    server = servers.pando()
    server.call("SET", "k", "v")
    server.call("GET", "k")
    server.call("GET", "missing")
    server.call("EXISTS", "k")
    server.call("MGET", "k", "missing", "k")
    stats = server.info("stats")
    assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("4", "2")


def test_connections_and_bytes_are_counted(servers):
    server = servers.pando()
    before = server.info("stats")
    with server.connect() as c:
        c.call("SET", "k", "x" * 100000)
        c.call("GET", "k")
    after = server.info("stats")
    assert int(after["total_connections_received"]) == int(before["total_connections_received"]) + 1
    assert int(after["total_net_input_bytes"]) - int(before["total_net_input_bytes"]) > 100000
    assert int(after["total_net_output_bytes"]) - int(before["total_net_output_bytes"]) > 100000
    assert int(after["total_commands_processed"]) > int(before["total_commands_processed"])
