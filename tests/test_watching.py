"""MONITOR, SLOWLOG, CLIENT LIST: what operators watch, held against Redis 7.0.15."""
import re

import pytest

from harness.compare import wait_linked

TRAFFIC = [
    ["SELECT", "2"], ["SET", "key", b'a "q"\n\x01\x7f\xe9 v'], ["AUTH", "secret"], ["AUTH", "u", "secret"],
    ["HELLO", "2", "AUTH", "default", "x"], ["HELLO", "2", "SETNAME", "me"], ["CONFIG", "GET", "port"],
    ["CONFIG", "SET", "masterauth", "x"], ["CONFIG", "SET", "maxmemory", "0", "masterauth", ""], ["NOSUCH"], ["GET"],
    ["MULTI"], ["GET", "a"], ["INCR", "key"], ["EXEC"], ["WATCH", "a"], ["PING"], ["ECHO", "x" * 128], ["ECHO", "x" * 129],
    ["DEL", *[f"k{i}" for i in range(31)]], ["DEL", *[f"k{i}" for i in range(32)]], ["SLOWLOG", "LEN"], ["CLIENT", "ID"],
    ["INFO", "x"], ["LASTSAVE"], ["DBSIZE"], ["FLUSHALL"], ["RESET"], ["ECHO", "the end"],
]


def monitored(server):
    with server.connect() as watcher, server.connect() as client:
        watcher.call("MONITOR")
        for command in TRAFFIC:
            client.do(*command)
        lines = []
        while not lines or b"the end" not in lines[-1]:
            lines.append(re.sub(rb"^[\d.]+ \[(\d+) [^]]+\]", rb"[\1]", bytes(watcher.read())))
        return lines


def test_monitor_shows_what_redis_shows(pando, oracle):
    assert monitored(pando()) == monitored(oracle())


def slow(server):
    server.configure(slowlog_log_slower_than=0)
    server.call("SLOWLOG", "RESET")
    with server.connect() as client:
        for command in TRAFFIC:
            client.do(*command)
    server.configure(slowlog_log_slower_than=-1)
    return [entry[3:4] + entry[5:] for entry in server.call("SLOWLOG", "GET", "-1")]


def test_slowlog_keeps_what_redis_keeps(pando, oracle):
    assert slow(pando()) == slow(oracle())


@pytest.mark.parametrize("command", ["CLIENT", "SLOWLOG", "PUBSUB", "OBJECT", "CONFIG"])
def test_help(pando, oracle, command):
    mine, other = [server.call(command, "HELP") for server in (pando(), oracle())]
    assert [line for line in other if line in mine] == mine, "no line that Redis does not have"


REFUSALS = [
    ["CLIENT"], ["CLIENT", "FOO"], ["CLIENT", "LIST", "TYPE"], ["CLIENT", "LIST", "TYPE", "foo"], ["CLIENT", "LIST", "ID"],
    ["CLIENT", "LIST", "ID", "x"], ["CLIENT", "LIST", "ID", "9999"], ["CLIENT", "LIST", "FOO", "BAR"],
    ["CLIENT", "LIST", "TYPE", "normal", "x"], ["CLIENT", "KILL"], ["CLIENT", "KILL", "foo"], ["CLIENT", "KILL", "ID"],
    ["CLIENT", "KILL", "ID", "x"], ["CLIENT", "KILL", "ID", "0"], ["CLIENT", "KILL", "ID", "9999"],
    ["CLIENT", "KILL", "TYPE", "foo"], ["CLIENT", "KILL", "USER", "nosuch"], ["CLIENT", "KILL", "SKIPME", "foo"],
    ["CLIENT", "KILL", "SKIPME", "yes", "ID"], ["CLIENT", "KILL", "FOO", "x"], ["CLIENT", "KILL", "TYPE", "master"],
    ["CLIENT", "PAUSE"], ["CLIENT", "PAUSE", "x"], ["CLIENT", "PAUSE", "-1"], ["CLIENT", "PAUSE", "1", "foo"],
    ["CLIENT", "PAUSE", "1", "WRITE", "x"], ["CLIENT", "PAUSE", "0"], ["CLIENT", "UNPAUSE"], ["CLIENT", "UNBLOCK"],
    ["CLIENT", "UNBLOCK", "x"], ["CLIENT", "UNBLOCK", "9999"], ["CLIENT", "UNBLOCK", "1", "foo"], ["CLIENT", "REPLY", "foo"],
    ["CLIENT", "SETNAME", "a b"], ["CLIENT", "SETNAME", "a"], ["CLIENT", "GETNAME"], ["CLIENT", "NO-EVICT", "foo"],
    ["HELLO", "1"], ["HELLO", "4"], ["HELLO", "x"], ["HELLO", "3", "SETNAME", "x y"], ["HELLO", "3", "AUTH", "a"],
    ["HELLO", "3", "AUTH", "a", "b"], ["HELLO", "3", "FOO"], ["HELLO", "2", "SETNAME"], ["HELLO", "02"], ["AUTH"],
    ["AUTH", "x"], ["AUTH", "default", "x"], ["AUTH", "nosuch", "x"], ["AUTH", "a", "b", "c"], ["RESET"], ["RESET", "x"],
    ["SLOWLOG"], ["SLOWLOG", "GET", "x"], ["SLOWLOG", "GET", "-2"], ["SLOWLOG", "GET", "1", "2"], ["SLOWLOG", "LEN", "x"],
]


def test_refusals_are_those_of_redis(pando, oracle):
    servers = [pando(), oracle()]
    for command in REFUSALS:
        mine, other = [server.do(*command) for server in servers]
        assert (type(mine), mine) == (type(other), other), command


def fields(line):
    return dict(part.split("=", 1) for part in line.decode().split())


def test_a_client_line_has_the_fields_of_redis(pando, oracle):
    mine, other = [fields(server.call("CLIENT", "INFO")) for server in (pando(), oracle())]
    assert list(mine) == list(other)
    free = {"id", "addr", "laddr", "fd", "age", "rbs", "rbp", "tot-mem"}
    assert {k: v for k, v in mine.items() if k not in free} == {k: v for k, v in other.items() if k not in free}


def test_the_link_to_the_primary_is_a_client(pando):
    primary, replica = pando(), pando()
    replica.replicate(primary)
    wait_linked(replica)
    lines = replica.call("CLIENT", "LIST", "TYPE", "master").split(b"\n")[:-1]
    assert len(lines) == 1
    line = fields(lines[0])
    assert line["flags"] == "M" and line["user"] == "(superuser)" and line["addr"] == f"127.0.0.1:{primary.port}"
    assert lines[0].split()[0] in replica.call("CLIENT", "LIST")
    assert replica.call("CLIENT", "LIST", "ID", line["id"]).startswith(lines[0].split()[0])
    full = primary.stat("sync_full")
    assert replica.call("CLIENT", "KILL", "TYPE", "master") == 1
    wait_linked(replica)
    assert primary.stat("sync_full") == full, "it goes on where it stopped"
