"""Pauses, refusals and limits where several rules meet, and saves that something crosses."""

import os

import pytest

from harness.resp import Push
from harness.wait import wait_until

def saving(server):
    return int(server.info("persistence")["rdb_bgsave_in_progress"])


def slow_save(server, keys, delay_us):
    for i in range(keys):
        server.do("SET", "k%d" % i, "v")
    server.do("CONFIG", "SET", "rdb-key-save-delay", str(delay_us))
    assert server.do("BGSAVE") == b"Background saving started"


def test_expiry_goes_on_when_a_pause_has_run_out(servers):
    pando = servers.pando()
    pando.do("CLIENT", "PAUSE", "20")
    pando.do("SET", "k", "v", "PX", "30")
    wait_until(lambda: pando.do("DBSIZE") == 0, "the key is removed by itself")


@pytest.mark.parametrize("mode, held", [("WRITE", ["SET", "k", "v"]), ("ALL", ["QUIT"]),
                                        ("ALL", ["MULTI"]), ("ALL", ["HELLO"])])
def test_a_pause_holds_back_what_would_be_queued_and_what_ends(servers, mode, held):
    for server in (servers.oracle(), servers.pando()):
        client = server.connect()
        if mode == "WRITE":
            client.do("MULTI")
        server.do("CLIENT", "PAUSE", "400", mode)
        client.send(*held)
        assert client.nothing_arrives(0.2)
        client.read()


@pytest.mark.parametrize("command", [["MULTI"], ["WATCH", "a"], ["UNWATCH"], ["GET", "a"],
                                     ["DISCARD"], ["RESET"], ["EXEC"]])
def test_without_memory_nothing_is_queued(servers, command):
    replies = []
    for server in (servers.oracle(), servers.pando()):
        client = server.connect()
        client.do("MULTI")
        server.do("CONFIG", "SET", "maxmemory", "1")
        replies.append([client.do(*command), client.do("EXEC")])
    assert replies[0] == replies[1]


def test_ping_tells_that_saving_fails(servers):
    replies = []
    for server in (servers.oracle(), servers.pando()):
        gone = os.path.join(str(server.folder), "gone")
        os.mkdir(gone)
        server.do("CONFIG", "SET", "dir", gone)
        os.rmdir(gone)
        server.do("CONFIG", "SET", "save", "3600 1")
        server.do("BGSAVE")
        wait_until(lambda s=server: s.info("persistence")["rdb_last_bgsave_status"] == "err")
        replies.append([server.do("PING"), server.do("SET", "a", "1"), server.do("PUBLISH", "a", "b")])
        server.do("CONFIG", "SET", "dir", str(server.folder))
        assert server.do("SAVE") == b"OK"
        assert server.do("PING") == b"PONG"
    assert replies[0] == replies[1]


def test_pushes_arrive_where_replies_are_off(servers):
    heard = []
    for server in (servers.oracle(), servers.pando()):
        client = server.connect(protocol=3)
        client.send("CLIENT", "REPLY", "OFF")
        client.send("SUBSCRIBE", "ch")
        wait_until(lambda s=server: s.do("PUBLISH", "ch", "m") == 1)
        first = [client.read(), client.read()]
        client.send("CLIENT", "REPLY", "ON")
        rest = [client.read()]
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("PUBLISH", "ch", "own")
        client.send("ECHO", "end")
        rest += [client.read(), client.read()]
        heard.append([first, rest])
    assert heard[0] == heard[1]
    assert heard[1][1] == [b"OK", Push([b"message", b"ch", b"own"]), b"end"]


def test_a_soft_limit_runs_out_by_time_alone(servers):
    pando = servers.pando()
    pando.do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 100kb 1")
    client = pando.connect()
    client.do("SUBSCRIBE", "ch")
    for _ in range(12):
        pando.do("PUBLISH", "ch", "x" * 1000000)
    wait_until(lambda: b"sub=1" not in pando.do("CLIENT", "LIST"), "the client that reads nothing is gone")


DRAWS = [("SADD", "SRANDMEMBER"), ("HSET", "HRANDFIELD"), ("ZADD", "ZRANDMEMBER")]
ELEMENTS = {"SADD": ["x" * 1000], "HSET": ["x" * 1000, "v"], "ZADD": ["1", "x" * 1000]}


@pytest.mark.parametrize("add, draw", DRAWS)
def test_a_reply_that_closes_its_client_ends_at_the_hard_limit(servers, add, draw):
    pando = servers.pando()
    pando.do("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")
    pando.do(add, "k", *ELEMENTS[add])
    before = pando.resident_bytes(peak=True)
    with pytest.raises(EOFError):
        pando.connect().call(draw, "k", -200000)
    assert pando.resident_bytes(peak=True) < before + (32 << 20), "200 MB were asked for"
    in_exec = pando.connect()
    in_exec.do("MULTI")
    for command in [("SET", "in", "exec"), (draw, "k", -200000), ("INCR", "n")]:
        in_exec.do(*command)
    with pytest.raises(EOFError):
        in_exec.call("EXEC")
    assert pando.do("MGET", "in", "n") == [b"exec", b"1"], "what changes data is done all the same"
    assert len(pando.do(draw, "k", -100)) == 100


@pytest.mark.parametrize("add, draw", DRAWS)
def test_nothing_is_drawn_for_who_wants_no_replies(servers, add, draw):
    pando = servers.pando()
    pando.do(add, "k", *ELEMENTS[add])
    client = pando.connect()
    client.send("CLIENT", "REPLY", "OFF")
    client.send(draw, "k", -(2 ** 62))
    client.send("CLIENT", "REPLY", "ON")
    assert client.read() == b"OK"


def test_a_save_ends_in_the_folder_in_which_it_began(servers):
    pando = servers.pando()
    elsewhere = os.path.join(str(pando.folder), "elsewhere")
    os.mkdir(elsewhere)
    slow_save(pando, keys=20, delay_us=20000)
    assert pando.do("BGSAVE", "SCHEDULE").startswith(b"ERR Background save already in progress")
    pando.do("CONFIG", "SET", "dir", elsewhere)
    wait_until(lambda: not saving(pando))
    assert pando.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert [n for n in os.listdir(str(pando.folder)) if n.endswith(".rdb")] == ["dump.rdb"]
    assert os.listdir(elsewhere) == []


@pytest.mark.pando_only
def test_a_full_sync_ends_a_save_of_what_it_replaces(servers):
    primary, replica = servers.pando(), servers.pando(repl_diskless_load="disabled")
    primary.do("SET", "new", "v")
    slow_save(replica, keys=30, delay_us=10 * 1000 * 1000)
    replica.replicate(primary)
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    assert not saving(replica)
    assert replica.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert int(replica.info("persistence")["rdb_changes_since_last_save"]) == 0
    assert [p.name for p in replica.folder.rglob("*.rdb")] == ["dump.rdb"]
    replica.replicate(None)
    replica.kill()
    replica.start()
    assert replica.do("KEYS", "*") == [b"new"]


def test_nothing_runs_behind_a_wait_that_a_role_change_ends(servers):
    pando = servers.pando()
    client = pando.connect()
    client.send("WAIT", "1", "0")
    client.send("CLIENT", "SETNAME", "late")
    client.send("CONFIG", "SET", "maxmemory", "77777777")
    wait_until(lambda: int(pando.info("clients")["blocked_clients"]) == 1)
    pando.do("REPLICAOF", "127.0.0.1", "1")
    assert client.read().startswith(b"UNBLOCKED ")
    assert client.closed_by_peer()
    pando.do("REPLICAOF", "NO", "ONE")
    assert pando.config("maxmemory") in ("0", b"0")
    assert b"cmdstat_client|setname" not in pando.do("INFO", "commandstats")


@pytest.mark.parametrize("how", ["disabled", "swapdb"])
def test_a_full_sync_survives_a_change_of_folder(servers, how):
    primary, replica = servers.pando(), servers.pando()
    for i in range(20):
        primary.do("SET", "k%d" % i, "v")
    primary.do("CONFIG", "SET", "rdb-key-save-delay", "40000")
    replica.do("CONFIG", "SET", "repl-diskless-load", how)
    elsewhere = os.path.join(str(replica.folder), "elsewhere")
    os.mkdir(elsewhere)
    replica.replicate(primary)
    wait_until(lambda: replica.info("replication").get("master_sync_in_progress") == "1"
               and int(replica.info("replication")["master_sync_read_bytes"]) > 0)
    replica.do("CONFIG", "SET", "dir", elsewhere)
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    assert replica.do("DBSIZE") == 20
    assert primary.info("stats")["sync_full"] == "1"
