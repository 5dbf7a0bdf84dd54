"""DEBUG: the subcommands that rigs lean on, held against Redis 7.0.15 where a reply can be compared."""
import re

from harness.resp import ReplyError

SAME = [
    ["FOO"], ["FOO", "x"], ["LISTPACK", "k"], ["LISTPACK", "none"], ["LISTPACK"], ["QUICKLIST", "none"], ["HTSTATS", "99"],
    ["HTSTATS", "x"], ["HTSTATS", "0", "full"], ["HTSTATS-KEY", "k"], ["HTSTATS-KEY", "none"], ["CHANGE-REPL-ID"],
    ["LOG", "hi"], ["LOG"], ["LEAK"], ["QUICKLIST-PACKED-THRESHOLD", "5b"], ["QUICKLIST-PACKED-THRESHOLD", "0"],
    ["QUICKLIST-PACKED-THRESHOLD", "x"], ["QUICKLIST-PACKED-THRESHOLD", "4gb"], ["REPLYBUFFER", "PEAK-RESET-TIME", "x"],
    ["REPLYBUFFER", "PEAK-RESET-TIME", "never"], ["REPLYBUFFER", "PEAK-RESET-TIME", "reset"], ["REPLYBUFFER", "RESIZING", "0"],
    ["REPLYBUFFER", "FOO", "0"], ["REPLYBUFFER", "RESIZING"], ["STRINGMATCH-LEN", "10", "a"], ["SET-ACTIVE-EXPIRE"],
    ["SET-ACTIVE-EXPIRE", "1"], ["SLEEP"], ["SLEEP", "x"], ["ERROR"], ["ERROR", "ERR a b"], ["ERROR", "abc"], ["ERROR", ""],
    ["OBJECT"], ["OBJECT", "none"], ["OBJECT", "k", "fast"], ["POPULATE", "x"], ["POPULATE", "-1"], ["POPULATE", "2", "p", "-3"],
    ["POPULATE", "2", "p", "3"], ["DIGEST"], ["DIGEST", "x"], ["DIGEST-VALUE"], ["DIGEST-VALUE", "k", "none"], ["PROTOCOL"],
    ["PROTOCOL", "foo"], ["RELOAD", "FOO"], ["RELOAD"], ["PAUSE-CRON", "0"], ["SET-DISABLE-DENY-SCRIPTS", "0"],
    ["CLUSTERLINK", "KILL", "ALL", "x"], ["DROP-CLUSTER-PACKET-FILTER", "-1"], ["REPLICATE", "PING"], ["REPLICATE"],
    ["SET-SKIP-CHECKSUM-VALIDATION", "0"], ["CLIENT-EVICTION"],
    ["RELOAD", "NOSAVE", "NOFLUSH", "MERGE"],
]


def test_replies_are_those_of_redis(pando, oracle):
    servers = [pando(), oracle()]
    for server in servers:
        server.call("SET", "k", "v")
    for command in SAME:
        mine, other = [server.do("DEBUG", *command) for server in servers]
        assert (type(mine), mine) == (type(other), other), command


def test_every_type_of_reply(pando, oracle):
    servers = [pando(), oracle()]
    for protocol in 2, 3:
        connections = [server.connect(protocol) for server in servers]
        for word in "string integer double bignum null array set map attrib verbatim true false".split():
            mine, other = [connection.do("DEBUG", "PROTOCOL", word) for connection in connections]
            assert repr(mine) == repr(other), (protocol, word)
        for connection in connections:
            connection.close()


def test_the_allocator_can_be_tuned(pando, oracle):
    servers = [pando(), oracle()]
    if not servers[0].info("memory")["mem_allocator"].startswith("jemalloc"):
        assert isinstance(servers[0].do("DEBUG", "MALLCTL", "arenas.page"), ReplyError)
        return
    for command in (["MALLCTL", "arenas.page"], ["MALLCTL", "none.x"], ["MALLCTL", "arenas.page", "5"], ["MALLCTL", "opt.narenas"],
                    ["MALLCTL", "thread.tcache.flush"], ["MALLCTL", "arenas.muzzy_decay_ms", "x"],
                    ["MALLCTL", "arenas.muzzy_decay_ms", "5000"], ["MALLCTL", "arenas.muzzy_decay_ms"],
                    ["MALLCTL-STR", "thread.tcache.flush", "VOID"], ["MALLCTL-STR", "none.x"], ["MALLCTL-STR", "version"]):
        mine, other = [server.do("DEBUG", *command) for server in servers]
        assert (type(mine), mine) == (type(other), other), command
    assert isinstance(servers[0].do("DEBUG", "MALLCTL-STR", "arenas.page"), ReplyError), "no text, and no crash"


def test_htstats_counts_keys(pando):
    server = pando()
    assert b"No stats available for empty dictionaries" in server.call("DEBUG", "HTSTATS", "0")
    server.call("DEBUG", "POPULATE", "1000")
    server.call("EXPIRE", "key:1", "1000")
    text = server.call("DEBUG", "HTSTATS", "0").decode()
    assert re.search(r" table size: \d+\n number of elements: 1000\n different slots: \d+\n max chain length: \d+\n", text)
    assert text.endswith("[Expires HT]\n number of elements: 1\n")


def test_help_names_every_subcommand(pando):
    lines = [line.decode() for line in pando().call("DEBUG", "HELP")]
    assert lines[0] == "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    names = {line.split()[0] for line in lines[1::2]}
    assert {"DIGEST", "RELOAD", "SLEEP", "POPULATE", "MALLCTL", "HELP", "SEGFAULT"} <= names


def test_reload_keeps_functions(pando):
    server = pando()
    server.call("FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() end)")
    server.call("DEBUG", "RELOAD")
    assert server.stat("number_of_libraries") == 1


def test_lolwut_tells_the_version(pando, oracle):
    servers = [pando(), oracle()]
    for command in [], ["VERSION"], ["VERSION", "x"], ["VERSION", "5", "x"], ["x"], ["VERSION", "4", "x"]:
        mine, other = [server.do("LOLWUT", *command) for server in servers]
        assert (type(mine), mine) == (type(other), other), command
    picture = servers[0].call("LOLWUT", "VERSION", "5", "30", "5", "6").decode().split("\n")
    assert len(picture[0]) == 30 and picture[-2].endswith("Redis ver. 7.0.15")
