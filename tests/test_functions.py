"""FUNCTION: libraries are kept, relayed and written again, although nothing runs them."""
from harness.compare import wait_in_sync, wait_linked
from harness.wait import wait_until

LIBRARY = "#!lua name=mylib\nredis.register_function('f1', function(keys, args) return 1 end)"
OTHER = "#!lua name=other\nredis.register_function('f2', function(keys, args) return 2 end)"


def libraries(server):
    return sorted(library[1].decode() for library in server.call("FUNCTION", "LIST"))


def codes(server):
    reply = server.call("FUNCTION", "LIST", "WITHCODE")
    return {library[1].decode(): library[-1].decode() for library in reply}


def test_load_list_delete_flush(pando):
    server = pando()
    assert server.call("FUNCTION", "LOAD", LIBRARY) == b"mylib"
    assert server.call("FUNCTION", "LOAD", OTHER) == b"other"
    assert codes(server) == {"mylib": LIBRARY, "other": OTHER}
    assert len(server.call("FUNCTION", "LIST", "LIBRARYNAME", "MY*")) == 1
    assert server.do("FUNCTION", "LOAD", LIBRARY) == b"ERR Library 'mylib' already exists"
    changed = LIBRARY + " -- again"
    assert server.call("FUNCTION", "LOAD", "REPLACE", changed) == b"mylib"
    assert codes(server)["mylib"] == changed
    assert server.stat("number_of_libraries") == 2
    server.call("FUNCTION", "DELETE", "mylib")
    assert libraries(server) == ["other"]
    server.call("FUNCTION", "FLUSH")
    assert libraries(server) == []


def test_errors_are_those_of_redis(pando, oracle):
    servers = [pando(), oracle()]
    for server in servers:
        server.call("FUNCTION", "LOAD", LIBRARY)
        server.call("SET", "k", "v")
    payload = servers[1].call("DUMP", "k")
    for rest in (
            [], ["NOSUCH"], ["LOAD"], ["LOAD", "x"], ["LOAD", ""], ["LOAD", "#!lua"], ["LOAD", "#!lua\nx"], ["LOAD", "#!\nx"],
            ["LOAD", "#!lua name=a b=c\nx"], ["LOAD", "#!lua name=a name=b\nx"], ["LOAD", "#!foo name=a\nx"],
            ["LOAD", "#! name=a\nx"], ["LOAD", "#! lua name=a\nx"], ["LOAD", "#!lua name=a-b\nx"], ["LOAD", "#!lua name=\nx"],
            ["LOAD", "#!lua name='a\nx"], ["LOAD", "#!lua name=\"a\"b\nx"], ["LOAD", "#!lua name =a\nx"],
            ["LOAD", "#!\"lua\" NAME=mylib\nx"], ["LOAD", "#!foo name=mylib\nx"], ["LOAD", "#!foo name=a-b\nx"],
            ["LOAD", "FOO", LIBRARY], ["LOAD", "REPLACE"], ["LOAD", LIBRARY, "REPLACE"], ["LIST", "LIBRARYNAME"],
            ["LIST", "LIBRARYNAME", "a", "LIBRARYNAME", "b"], ["LIST", "WITHCODE", "WITHCODE"], ["LIST", "FOO"],
            ["LIST", "LIBRARYNAME", "none"], ["RESTORE", "x"], ["RESTORE", "x", "y"], ["RESTORE", "x", "FLUSH", "y"],
            ["RESTORE", payload], ["DELETE", "none"], ["DELETE", "MYLIB"], ["FLUSH", "x"], ["FLUSH", "SYNC", "ASYNC"], ["KILL"],
            ["KILL", "x"], ["HELP"], ["DUMP"], ["DUMP", "x"]):
        mine, other = [server.do("FUNCTION", *rest) for server in servers]
        assert (type(mine), mine) == (type(other), other), rest
    for policy in [], ["APPEND"], ["REPLACE"], ["FLUSH"]:
        mine, other = [server.do("FUNCTION", "RESTORE", server.call("FUNCTION", "DUMP"), *policy) for server in servers]
        assert (type(mine), mine) == (type(other), other), policy


def test_restore_is_all_or_nothing(pando):
    server = pando()
    server.call("FUNCTION", "LOAD", OTHER)
    server.call("FUNCTION", "LOAD", LIBRARY)
    both = server.call("FUNCTION", "DUMP")
    server.call("FUNCTION", "DELETE", "other")
    assert server.do("FUNCTION", "RESTORE", both) == b"ERR Library mylib already exists"
    assert libraries(server) == ["mylib"]
    server.call("FUNCTION", "RESTORE", both, "REPLACE")
    assert libraries(server) == ["mylib", "other"]
    server.call("FUNCTION", "LOAD", LIBRARY.replace("mylib", "third"))
    server.call("FUNCTION", "RESTORE", both, "FLUSH")
    assert libraries(server) == ["mylib", "other"]


def test_libraries_reach_replicas_of_both_kinds(pando, oracle):
    primary, ours, theirs = pando(), pando(), oracle()
    primary.call("FUNCTION", "LOAD", LIBRARY)
    for replica in ours, theirs:
        replica.replicate(primary)
    wait_linked(ours, theirs)
    primary.call("FUNCTION", "LOAD", OTHER)
    wait_in_sync(primary, ours, theirs)
    for replica in ours, theirs:
        assert codes(replica) == {"mylib": LIBRARY, "other": OTHER}, replica
    assert theirs.call("FUNCTION", "STATS")[3][1][3] == 2, "Redis compiled what we relayed"
    primary.call("FUNCTION", "FLUSH")
    wait_in_sync(primary, ours, theirs)
    assert libraries(ours) == libraries(theirs) == []


def test_libraries_come_from_a_redis_primary(pando, oracle):
    primary, replica = oracle(), pando()
    primary.call("FUNCTION", "LOAD", LIBRARY)
    replica.replicate(primary)
    wait_linked(replica)
    primary.call("FUNCTION", "LOAD", OTHER)
    primary.call("FUNCTION", "DELETE", "mylib")
    wait_in_sync(primary, replica)
    assert codes(replica) == {"other": OTHER}


def test_libraries_are_in_the_file(pando, oracle):
    server = pando()
    server.call("FUNCTION", "LOAD", LIBRARY)
    server.call("SAVE")
    server.restart("kill")
    assert codes(server) == {"mylib": LIBRARY}
    theirs = oracle(folder=server.folder)
    wait_until(lambda: libraries(theirs) == ["mylib"])
