"""The log: it takes whole units, nothing leaves before the file has it, and its files say where in it they stand."""
import shutil

import pytest

from harness.compare import assert_same_keyspace, digest, fill, offset_of, wait_in_sync, wait_linked
from harness.faults import Fault
from harness.peers import FakePrimary, FakeReplica
from harness.resp import pack, parse_info
from harness.segments import commands_of, read_incr, stretch
from harness.servers import ORACLE, PANDO
from harness.wait import wait_until

AOF = {"appendonly": "yes"}


def at_rest(server):
    """Nothing of the background is under way or due."""
    info = server.info("persistence")
    return all(info.get(name, "0") == "0" for name in ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_pending_rewrite",
                                                       "rdb_bgsave_in_progress"))


def incr_path(server, number=1):
    return server.folder / "appendonlydir" / f"appendonly.aof.{number}.incr.aof"


# ---- units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("appendonly, inside", [
    ("yes", [("BGREWRITEAOF",)]),
    ("no", [("CONFIG", "SET", "appendonly", "yes")]),
    ("yes", [("CONFIG", "SET", "appendonly", "no"), ("INCR", "n"), ("CONFIG", "SET", "appendonly", "yes")]),
], ids=["rewrite", "on", "off-and-on"])
def test_a_base_ordered_inside_a_transaction_begins_behind_it(servers, appendonly, inside):
    server = servers.pando(appendonly=appendonly)
    with server.connect() as c:
        replies = c.pipeline([("MULTI",), ("INCR", "n"), *inside, ("INCR", "n"), ("EXEC",)])[-1]
    wait_until(lambda: at_rest(server))
    server.directives["appendonly"] = "yes"
    server.write_config()
    server.restart("kill")
    assert server.call("GET", "n") == b"%d" % replies[-1], "neither half of it is executed twice"


def test_a_save_ordered_inside_a_transaction_begins_behind_it(servers):
    server = servers.pando()
    with server.connect() as c:
        replies = c.pipeline([("MULTI",), ("INCR", "n"), ("BGSAVE",), ("INCR", "n"), ("EXEC",)])[-1]
    assert replies[1] == b"Background saving scheduled"
    wait_until(lambda: server.stat("rdb_saves", "persistence") == 1 and at_rest(server))
    server.restart("kill")
    assert server.call("GET", "n") == b"2"


def test_what_a_transaction_wrote_before_replicaof_is_history_of_its_own(servers):
    """Promoted, it could still ask under the shared id: only as long as it wrote nothing."""
    primary, other = servers.pando(repl_ping_replica_period=3600), servers.pando()
    other.replicate(primary)
    wait_linked(other)
    with primary.connect() as c:
        c.pipeline([("SELECT", 1), ("SET", "x", "")])
    wait_in_sync(primary, other)
    other.replicate(None)
    assert primary.call("SET", "k", "theirs") == b"OK"
    with other.connect() as c:
        c.pipeline([("MULTI",), ("SET", "k", "its own"[:6]), ("REPLICAOF", "127.0.0.1", primary.port), ("EXEC",)])
    wait_linked(other)
    wait_in_sync(primary, other)
    assert_same_keyspace(primary, other)
    assert primary.stat("sync_full") == 2


@pytest.mark.parametrize("binary", [PANDO, ORACLE], ids=["pando", "redis"])
def test_each_serving_of_a_blocked_client_is_a_unit(servers, binary):
    server = servers.new(binary, repl_ping_replica_period=3600)
    replica = FakeReplica(server)
    servers.later(replica.close)
    replica.sync()

    def wait_for(*commands):
        for i, command in enumerate(commands):
            client = server.connect()
            servers.later(client.close)
            client.send(*command)
            wait_until(lambda: server.stat("blocked_clients", "clients") == i + 1)

    wait_for(("BLPOP", "a", "b", 0), ("BLPOP", "a", 0), ("BLMOVE", "a", "to", "LEFT", "RIGHT", 0))
    server.call("RPUSH", "a", 1, 2, 3, 4)
    wait_for(("BLPOP", "b", 0), ("BZPOPMIN", "z", 0))
    with server.connect() as c:
        c.pipeline([("MULTI",), ("RPUSH", "b", 1), ("ZADD", "z", 1, "x"), ("SET", "k", "v"), ("EXEC",)])
    heard = [b" ".join(command) for command in replica.commands(12)]
    assert heard == [b"SELECT 0", b"RPUSH a 1 2 3 4", b"LPOP a", b"LPOP a", b"LMOVE a to left right",
                     b"MULTI", b"RPUSH b 1", b"ZADD z 1 x", b"SET k v", b"EXEC", b"LPOP b", b"ZPOPMIN z"]


# ---- a replica's log ---------------------------------------------------------------------------------


def test_what_a_replica_writes_or_evicts_for_itself_is_in_no_log(servers):
    primary = servers.pando(repl_ping_replica_period=3600)
    replica = servers.pando(**AOF, replica_read_only="no", replica_ignore_maxmemory="no", maxmemory_policy="allkeys-random")
    fill(primary, 200, size=1000)
    replica.replicate(primary)
    wait_linked(replica)
    wait_until(lambda: at_rest(replica))
    below = FakeReplica(replica)
    servers.later(below.close)
    below.sync()
    replica.configure(maxmemory=replica.stat("used_memory", "memory") - 20000)
    wait_until(lambda: replica.stat("evicted_keys", "stats") > 0)
    replica.configure(maxmemory=0)
    assert replica.call("SET", "mine", "v") == b"OK"
    primary.call("SET", "end", "v")
    wait_in_sync(primary, replica)
    assert [b" ".join(c) for c in below.commands(2)] == [b"SELECT 0", b"SET end v"]
    wait_until(lambda: replica.stat("aof_buffer_length", "persistence") == 0)
    assert offset_of(replica) == offset_of(primary)
    replica.restart("kill")
    assert replica.call("EXISTS", "mine") == 0
    assert_same_keyspace(primary, replica)


# ---- files and marks ---------------------------------------------------------------------------------


def raw_stream(replica, upto):
    """The bytes that a replica is sent, up to an offset."""
    data = b""
    while replica.offset < upto:
        data += pack(*replica.read_stream())
    return data


def test_the_files_hold_what_replicas_are_sent_in_whole_units(servers):
    """Lines of ours are neither counted nor sent, not even where time lines stand between."""
    server = servers.pando(**AOF, aof_timestamp_enabled="yes")
    replica = FakeReplica(server)
    servers.later(replica.close)
    replica.sync()
    began = replica.offset
    clients = [server.connect() for _ in range(4)]
    for turn in range(12):
        for i, client in enumerate(clients):
            client.send_commands([("SELECT", i), ("SET", "k", "x" * turn), ("MULTI",), ("INCR", "n"), ("INCR", "n"), ("EXEC",),
                                  ("RPUSH", "l", "#P:0 1 00000000"), ("GET", "k")])
        for client in clients:
            for _ in range(8):
                client.read()
    clients[0].send("WAIT", 2, 1)  # asks the replicas
    clients[1].call("PUBLISH", "channel", "message")
    sent = bytearray()

    def all_was_sent():
        sent.extend(raw_stream(replica, replica.offset + 1))
        return all(word in sent.upper() for word in (b"PING", b"GETACK", b"PUBLISH"))
    wait_until(all_was_sent, "each sort of command to be sent", interval=0)
    upto = replica.offset
    kept = digest(server)
    for client in clients:
        client.close()
    server.kill()
    incr = read_incr(incr_path(server))
    assert len(incr.heads) == 1 and incr.heads[0][2] == 0
    assert any(s.unix_s for s in incr.stretches)
    for s in incr.stretches:
        words = [command[0].upper() for command in commands_of(s.data)]
        assert words.count(b"MULTI") == words.count(b"EXEC"), "a stretch holds whole units"
        depth = 0
        for word in words:
            depth += (word == b"MULTI") - (word == b"EXEC")
            assert depth in (0, 1) and not (depth and word in (b"PING", b"REPLCONF"))
        assert depth == 0
    assert incr.end >= upto and incr.data[began - incr.first:upto - incr.first] == sent
    assert len(sent) > 3000
    other = servers.oracle(folder=server.folder, **AOF)
    assert digest(other) == kept, "Redis passes over lines, PING, GETACK and PUBLISH"
    other.kill()


def test_each_write_is_one_stretch_in_one_call(servers):
    server = servers.pando(**AOF, appendfsync="always", start=False, repl_ping_replica_period=3600)
    fault = Fault(server.folder / "appendonlydir", server.folder / "trace")
    server.start(env=fault.environment)
    before = fault.calls_of("write", incr_path(server))
    for i in range(10):
        server.call("SET", f"k{i}", "v")
    assert fault.calls_of("write", incr_path(server)) == before + 10, "a mark is written with what it announces"
    server.kill()
    assert len(read_incr(incr_path(server)).stretches) == 10


def test_the_old_file_is_synced_before_the_new_one_gets_a_byte_of_the_log(servers):
    server = servers.pando(**AOF, appendfsync="no", start=False, repl_ping_replica_period=3600)
    fault = Fault(server.folder / "appendonlydir", server.folder / "trace")
    server.start(env=fault.environment)
    server.call("SET", "k", "v")
    trace = len(fault.lines())
    server.call("BGREWRITEAOF")
    server.call("SET", "k", "w")
    wait_until(lambda: at_rest(server))
    calls = fault.lines()[trace:]
    old = calls.index(f"sync {incr_path(server).resolve()}")
    new = [i for i, call in enumerate(calls) if call == f"write {incr_path(server, 2).resolve()}"]
    named = next(i for i, call in enumerate(calls) if call.startswith("rename ") and call.endswith(".manifest"))
    assert len(new) == 2, "its head, and what was written"
    assert new[0] < old < named < new[1]


def test_each_file_selects_the_database_of_its_first_command(servers):
    """Redis begins each file in database 0: the head's SELECT is for it, and is no byte of the log."""
    server = servers.pando(**AOF, repl_ping_replica_period=3600)
    with server.connect() as c:
        c.pipeline([("SELECT", 5), ("SET", "k", "v"), ("APPEND", "k", "w")])
        before = offset_of(server)
        assert c.call("BGREWRITEAOF")
        wait_until(lambda: at_rest(server))
        assert offset_of(server) == before
        c.call("APPEND", "k", "x")
    server.restart("kill")
    with server.connect() as c:
        c.pipeline([("SELECT", 5), ("APPEND", "k", "y")])
    end, kept = offset_of(server), digest(server)
    server.kill()
    incr = read_incr(incr_path(server, 2))
    assert incr.heads[0] == (incr.heads[0][0], before, 5) and incr.end == end
    assert commands_of(incr.data) == [[b"SELECT", b"5"], [b"APPEND", b"k", b"x"], [b"SELECT", b"5"], [b"APPEND", b"k", b"y"]]
    other = servers.oracle(folder=server.folder, **AOF)
    assert digest(other) == kept
    other.kill()


# ---- ends ---------------------------------------------------------------------------------------------

UNITS = pack("SELECT", 3) + pack("SET", "one", 1), pack("SET", "two", 2), \
    pack("MULTI") + pack("SET", "three", 3) + pack("INCR", "n") + pack("EXEC"), pack("SET", "four", 4)
WHOLE = b"".join(UNITS)
AT_EXEC = len(WHOLE) - len(UNITS[3]) - 5


def short(data):
    """A stretch that ends inside its transaction."""
    return lambda offset: stretch(offset, data)[:-(len(data) - AT_EXEC)]


ENDS = {
    "short": (short(WHOLE), [b"one", b"two"]),
    "bad-crc": (lambda offset: stretch(offset, WHOLE, crc=1), []),
    "foreign": (lambda offset: WHOLE, [b"one", b"two", b"three", b"n", b"four"]),
}


@pytest.fixture(params=ENDS)
def ended(request, servers):
    """A server that was killed; its file ends in something else. Also: its id and end, and the keys a primary takes."""
    server = servers.pando(**AOF, repl_ping_replica_period=3600)
    server.call("SET", "kept", "x" * 500)
    replid, offset = server.info("replication")["master_replid"], offset_of(server)
    server.kill()
    end, keys = ENDS[request.param]
    with open(incr_path(server), "ab") as file:
        file.write(end(offset))
    return server, replid, offset, keys


def keys_of(server, db):
    with server.connect() as c:
        c.call("SELECT", db)
        return sorted(c.call("KEYS", "*"))


def test_a_primary_takes_the_whole_units_of_its_end_under_a_new_id(servers, ended):
    server, replid, offset, keys = ended
    server.start()
    assert keys_of(server, 3) == sorted(keys) and keys_of(server, 0) == [b"kept"]
    info = server.info("replication")
    assert info["master_replid2"] == replid and info["master_replid"] != replid
    assert int(info["second_repl_offset"]) == offset + 1, "what no mark announces was never sent under that id"
    assert (offset_of(server) > offset) == bool(keys)
    # A replica that has the log up to there goes on, and hears the units that were executed.
    replica = FakeReplica(server)
    servers.later(replica.close)
    assert replica.ask(replid, offset + 1).startswith(b"+CONTINUE " + info["master_replid"].encode())
    replica.offset = offset
    server.call("SET", "end", "")
    heard = commands_of(raw_stream(replica, offset_of(server)))
    assert [c[1] for c in heard if c[0] in (b"SET", b"INCR")] == [*keys, b"end"]
    assert heard[0][0] == b"SELECT"
    # One that had more under that id, as if it had been sent, does not.
    other = FakeReplica(server)
    servers.later(other.close)
    assert other.ask(replid, offset + 2).startswith(b"+FULLRESYNC") and server.stat("sync_partial_err", "stats") == 1
    assert server.logged("it has 1 bytes beyond offset .* they are lost")
    # The files say the same at the next start.
    kept = digest(server)
    server.restart("kill")
    assert digest(server) == kept


def test_a_replica_cuts_its_end_and_asks_from_there(servers, ended):
    server, replid, offset, _ = ended
    asked = []

    def script(peer):
        asked.append(peer.psync)
        peer.send(b"+CONTINUE\r\n" + UNITS[0])
        peer.wait_ack(offset + len(UNITS[0]))
    primary = FakePrimary(script)
    servers.later(primary.close)
    server.directives["replicaof"] = f"127.0.0.1 {primary.port}"
    server.write_config()
    server.start()
    wait_until(lambda: server.stat("slave_repl_offset", "replication") == offset + len(UNITS[0]))
    wait_until(lambda: server.stat("aof_buffer_length", "persistence") == 0)
    assert asked == [[b"PSYNC", replid.encode(), b"%d" % (offset + 1)]]
    assert keys_of(server, 3) == [b"one"] and keys_of(server, 0) == [b"kept"]
    server.directives.pop("replicaof")
    server.write_config()
    server.restart("kill")
    assert keys_of(server, 3) == [b"one"] and keys_of(server, 0) == [b"kept"]


def test_a_replica_that_loads_adds_nothing_to_its_log(servers):
    """Keys that have expired since are the primary's to delete: a DEL of the replica's own would move its offset."""
    primary = servers.pando(repl_ping_replica_period=3600)
    primary.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    replica = servers.pando()
    replica.replicate(primary)
    wait_linked(replica)
    with primary.connect() as c:
        c.pipeline([("SET", "k", "v", "PX", 100), ("SET", "l", "v", "PX", 100), ("SET", "stays", "v")])
    wait_in_sync(primary, replica)
    replica.call("SAVE")
    replica.directives.update({"replicaof": f"127.0.0.1 {primary.port}", "key-load-delay": "200000",
                               "loading-process-events-interval-bytes": "1024"})
    replica.write_config()
    replica.kill()
    wait_until(lambda: primary.do("PTTL", "l") < 0)
    primary.call("SET", "later", "x" * 500)
    replica.start(wait=False)

    def seen_loading():
        with replica.connect() as c:
            seen = parse_info(c.do("INFO"))
            return seen["role"] == "slave" and seen["master_port"] == str(primary.port) and seen["loading"] == "1"
    wait_until(seen_loading, "it to say what it is while it loads")
    replica.wait_ready()
    wait_linked(replica)
    wait_in_sync(primary, replica)
    assert primary.stat("sync_full") == 1
    assert_same_keyspace(primary, replica)


def test_what_redis_appended_survives_a_kill_at_each_step_of_the_start(servers):
    """It stays where Redis wrote it until a new file, which the manifest names, has it."""
    server = servers.pando(**AOF, repl_ping_replica_period=3600)
    server.call("SET", "kept", "v")
    server.kill()
    server.expect_crash = True
    folder, kept = server.folder / "appendonlydir", server.folder / "kept"
    with open(incr_path(server), "ab") as file:
        file.write(WHOLE)
    folder.rename(kept)
    for kind in ("write", "rename", "truncate"):
        for at in range(1, 100):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(kept, folder)
            fault = Fault(folder, server.folder / "trace", "after", at, kind)
            try:
                server.start(env=fault.environment)
            except (RuntimeError, AssertionError):
                server.wait_exit()
            met = fault.met()
            server.kill()
            if met is None:
                break
            server.start()
            assert len(keys_of(server, 3)) == 5 and keys_of(server, 0) == [b"kept"], f"killed after {met}"
            server.kill()
        assert at > 1, f"no {kind} at all"


def test_a_wrong_crc_before_the_last_stretch_stops_the_start(servers):
    server = servers.pando(**AOF, repl_ping_replica_period=3600)
    server.call("SET", "k", "v")
    offset = offset_of(server)
    server.kill()
    with open(incr_path(server), "ab") as file:
        file.write(stretch(offset, UNITS[0], crc=1) + stretch(offset + len(UNITS[0]), UNITS[1]))
    server.expect_crash = True
    server.spawn()
    assert server.wait_exit() == 1 and "is damaged behind byte" in server.log()


def test_files_without_our_lines_are_data_without_history(servers):
    server = servers.oracle(**AOF)
    server.call("SET", "k", "v")
    server.stop()
    server = servers.pando(folder=server.folder, **AOF)
    info = server.info("replication")
    assert server.call("GET", "k") == b"v"
    assert info["master_replid2"] == "0" * 40 and info["second_repl_offset"] == "-1"
    server.call("SET", "k", "w")
    server.restart("kill")
    assert server.call("GET", "k") == b"w"
    assert server.info("replication")["master_replid2"] == info["master_replid"]
