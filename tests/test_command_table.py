"""COMMAND of every row that pando has equals Redis 7.0.15's in RESP2 and RESP3: flags, categories, tips, keys, arguments,
in their order. Only the words of summaries, notes and histories are our own."""
import pytest

from harness.resp import MapReply

OURS = {"replication"}           # containers that Redis 7.0.15 does not have
FEWER = {"client"}               # containers of which some subcommands are still to come
OWN_WORDS = {b"summary", b"notes"}


def pairs_of(reply):
    return list(reply) if isinstance(reply, MapReply) else list(zip(reply[::2], reply[1::2]))


def without_words(reply):
    """A reply with the sentences taken out and subcommands, whose order is a hash table's, sorted."""
    if not isinstance(reply, (list, tuple)):
        return reply
    if isinstance(reply, MapReply) or looks_like_map(reply):
        return type(reply).__name__, [(name, value_without_words(name, value)) for name, value in pairs_of(reply)]
    parts = [without_words(part) for part in reply]
    if len(parts) == 10 and isinstance(reply[9], list):  # COMMAND INFO
        parts[9] = (parts[9][0], sorted(parts[9][1], key=repr))
    return type(reply).__name__, parts


FIRST_NAMES = (b"summary", b"notes", b"flags", b"name", b"type", b"index", b"lastkey", b"keyword", b"keynumidx")


def looks_like_map(reply):
    """RESP2 has no maps; those of COMMAND begin with one of few names."""
    return len(reply) > 1 and len(reply) % 2 == 0 and all(type(name) is bytes for name in reply[::2]) and \
        reply[0] in FIRST_NAMES


def value_without_words(name, value):
    if name in OWN_WORDS:
        return "words"
    if name == b"history":
        return type(value).__name__, [bytes(version) for version, _ in value]
    if name == b"subcommands":
        return type(value).__name__, sorted((sub, without_words(docs)) for sub, docs in pairs_of(value))
    return without_words(value)


def names_of(server):
    return [name.decode() for name in server.call("COMMAND", "LIST")]


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_command_is_described_as_redis_does(pando, oracle, protocol):
    ours, theirs = pando(), oracle()
    mine, other = ours.connect(protocol), theirs.connect(protocol)
    names = [name for name in names_of(ours) if name.split("|")[0] not in OURS and name not in FEWER]
    assert len(names) > 100
    for name in names:
        for question in ("INFO", "DOCS"):
            a, b = (c.do("COMMAND", question, name) for c in (mine, other))
            if question == "DOCS":
                a, b = (pairs_of(reply) for reply in (a, b))
                assert [key for key, _ in a] == [key for key, _ in b] == [name.encode()]
                a, b = a[0][1], b[0][1]
            assert repr(without_words(a)) == repr(without_words(b)), f"COMMAND {question} {name}"


def test_categories_hold_the_same_commands(pando, oracle):
    ours, theirs = pando(), oracle()
    known = set(names_of(ours))
    shared = {name for name in known if name.split("|")[0] not in OURS}
    for category in theirs.call("ACL", "CAT"):
        lists = [{name.decode() for name in server.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)} & shared
                 for server in (ours, theirs)]
        assert lists[0] == lists[1], category


def test_the_list_counts(pando):
    server = pando()
    top = [name for name in names_of(server) if "|" not in name]
    assert server.call("COMMAND", "COUNT") == len(top) == len(server.call("COMMAND")) == len(server.call("COMMAND", "INFO"))
    assert len(server.call("COMMAND", "DOCS")) == 2 * len(top)


KEYS = """
SET k v|SET k v GET|SET k v XX GET|SET k|set k v get ex|nosuch a|ping|MSET a b c d|MSET a b c|MSETNX a b c d e|MGET
DEL a b c|TOUCH|WATCH a b|COPY a b|RENAME a b|LCS a b|RESTORE k 0 v|GETEX k ex 1|OBJECT freq k|OBJECT freq|OBJECT help x
object nosuch k|object|client id|config get x|config x|swapdb 1 2|wait 1 1|debug object k|publish a b|spublish a b
ssubscribe a b|exec|command getkeys get k|command|get k extra
"""


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("question", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_keys_are_found_alike(pando, oracle, protocol, question):
    mine, other = pando().connect(protocol), oracle().connect(protocol)
    for call in KEYS.strip().replace("\n", "|").split("|"):
        a, b = (c.do("COMMAND", question, *call.split()) for c in (mine, other))
        assert repr(a) == repr(b), call


def test_renamed_commands_answer_to_their_new_names(pando, oracle):
    for start in (pando, oracle):
        server = start(**{"rename-command": ["GET take", 'DEL ""', "CONFIG CoNf"]})
        plain = start()
        assert server.call("COMMAND", "COUNT") == plain.call("COMMAND", "COUNT") - 1
        assert server.do("get", "x").startswith(b"ERR unknown command 'get'")
        assert server.do("del", "x").startswith(b"ERR unknown command 'del'")
        assert server.do("TAKE").startswith(b"ERR wrong number of arguments for 'get' command")
        assert server.call("conf", "get", "databases") == [b"databases", b"16"]
        assert server.do("conf", "nosuch") == b"ERR unknown subcommand 'nosuch'. Try CONF HELP."
        assert [info and info[0] for info in server.call("COMMAND", "INFO", "take", "conf|get")] == [b"get", b"config|get"]
        assert not any(server.call("COMMAND", "INFO", "get", "config|get"))
        assert server.call("COMMAND", "GETKEYS", "take", "k") == [b"k"]
        assert server.do("COMMAND", "GETKEYS", "get", "k") == b"ERR Invalid command specified"
