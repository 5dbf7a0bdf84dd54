"""When are two replies the same? Exactly equal, unless the line of the script names another measure:

sorted    a list whose order is free: its items are sorted, nested lists too
type      only the type and, for lists, maps and sets, the types of what they hold
kind      only the type of the reply itself
class     the first word of an error, the type of anything else
near N    numbers may differ by N (deadlines, clocks); default 2000
client    a CLIENT LIST or INFO line: the same field names, and equal values for the stable ones
clients   many such lines, in any order
fields    the lines name:value of an INFO section: the same names in the same order, more of ours allowed
names     a flat list name, value, name, value or a map: the same names, values free
pairs     a list name, value, ... or a map: every pair of the oracle's is among ours
held      every name of the oracle's list name, value, ... or map is among ours, whatever its place
slow      SLOWLOG entries: commands and names of clients
help      what a HELP says, with sentences of our own: each form that ours names is one of the oracle's
issue     of a list of command names: those that this server has so far (ISSUE_COMMANDS) are in ours
command   what COMMAND INFO or DOCS says, with free order of flags and subcommands, and texts of our own
scored    what ZSCAN shows: members in any order, scores as numbers, since the two forms write them differently
form      what OBJECT says; a sorted set that SORT has looked at is a "skiplist" in Redis from then on
moments   times (Unix ms) may differ, and how long something was idle in what XPENDING and XINFO say
dump      what DUMP says: strings and lists byte for byte, streams but for the moments in them; of others, whose order is
          free, form and version
holds     the names of the lines name:value of the oracle are among ours, in any order
any       not compared at all: both answer something
"""
import re

from harness.resp import (Attributed, BigNumber, Double, MapReply, NULL, NULL_ARRAY, NULL_BULK, Push, ReplyError,
                          SetReply, Status, Verbatim)
from harness.stream_dump import without_moments

CONTAINERS = (list, tuple)

# Values of CLIENT LIST that do not depend on when, where and in which buffers.
STABLE_CLIENT_FIELDS = {"name", "flags", "db", "sub", "psub", "ssub", "multi", "cmd", "user", "redir", "resp", "events"}


# The commands whose families exist; grows with every data type.
ISSUE_COMMANDS = set(b"""append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx
psetex set setex setnx setrange strlen substr copy del dump exists expire expireat expiretime keys move object persist
pexpire pexpireat pexpiretime pttl randomkey rename renamenx restore scan swapdb touch ttl type unlink wait auth client
echo hello ping quit reset select bgsave command config dbsize debug failover flushall flushdb info lastsave latency
memory psync replconf replicaof restore-asking role save shutdown slaveof slowlog sync time discard exec multi
unwatch watch psubscribe publish pubsub punsubscribe subscribe unsubscribe spublish ssubscribe
sunsubscribe
geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember
zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange
zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals
bitcount bitfield bitfield_ro bitop bitpos getbit setbit
lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpoplpush rpush rpushx
xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim
sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem sscan
sunion sunionstore sort sort_ro
pfadd pfcount pfdebug pfmerge pfselftest migrate
""".split())


def own_value(name, value):
    if name in (b"summary", b"notes"):
        return b"..."
    if name == b"history":
        return [version for version, _ in value]
    return own_words(value)


def own_words(reply):
    """Without the sentences that describe a command: they are each server's own."""
    if isinstance(reply, MapReply):
        return MapReply((n, own_value(n, v)) for n, v in reply)
    if isinstance(reply, Verbatim) or not isinstance(reply, CONTAINERS):
        return reply
    items = [own_words(item) for item in reply]
    for i in range(len(items) - 1):
        if items[i] in (b"summary", b"notes", b"history"):
            items[i + 1] = own_value(items[i], items[i + 1])
    return type(reply)(items)


def type_name(reply):
    for kind in (Status, ReplyError, BigNumber, Double, Verbatim, SetReply, MapReply, Push, Attributed):
        if isinstance(reply, kind):
            return kind.__name__
    if reply is NULL or reply is NULL_BULK or reply is NULL_ARRAY:
        return repr(reply)
    return type(reply).__name__


def same(oracle, ours):
    """Equal in type and value, all the way down."""
    if type_name(oracle) != type_name(ours):
        return False
    if isinstance(oracle, CONTAINERS):
        return len(oracle) == len(ours) and all(same(a, b) for a, b in zip(oracle, ours))
    return oracle == ours


def sort_key(reply):
    return type_name(reply), repr(reply)


def sort_deep(reply):
    if isinstance(reply, Verbatim) or not isinstance(reply, CONTAINERS):
        return reply
    if isinstance(reply, tuple):  # a pair of a map: its order has a meaning
        return tuple(map(sort_deep, reply))
    return type(reply)(sorted(map(sort_deep, reply), key=sort_key))


def types_of(reply):
    if isinstance(reply, CONTAINERS) and not isinstance(reply, Verbatim):
        return [type_name(reply), *map(types_of, reply)]
    return type_name(reply)


def near(oracle, ours, slack):
    if type_name(oracle) != type_name(ours):
        return False
    if isinstance(oracle, CONTAINERS):
        return len(oracle) == len(ours) and all(near(a, b, slack) for a, b in zip(oracle, ours))
    if isinstance(oracle, int) and not isinstance(oracle, bool):
        # A number that means "none" must match: only amounts of time may differ.
        return oracle == ours if oracle < 0 or ours < 0 else abs(oracle - ours) <= slack
    return oracle == ours


def is_moment(value):
    return isinstance(value, int) and value > 10**12


def timeless(reply):
    """Without the moments in it, and without what XPENDING and XINFO CONSUMERS say of idleness."""
    if isinstance(reply, Verbatim) or not isinstance(reply, CONTAINERS):
        return b"moment" if is_moment(reply) else reply
    items = [timeless(item) for item in reply]
    if isinstance(reply, tuple):  # a pair of a map
        return (items[0], b"..." if items[0] == b"idle" else items[1])
    if len(items) == 4 and [type(item) for item in reply] == [bytes, bytes, int, int]:
        items[2] = b"..."
    if items[:1] == [b"name"] and items[-2:-1] == [b"idle"]:
        items[-1] = b"..."
    return type(reply)(items)


def text_of(reply):
    return reply[1] if isinstance(reply, Verbatim) else reply


def client_fields(line):
    return [part.partition(b"=")[::2] for part in line.strip().split(b" ")]


def same_client(oracle, ours):
    a, b = client_fields(oracle), client_fields(ours)
    return [name for name, _ in a] == [name for name, _ in b] and all(
        x == y for (name, x), (_, y) in zip(a, b) if name.decode() in STABLE_CLIENT_FIELDS)


def stable_part(line):
    return [(n, v) for n, v in client_fields(line) if n.decode() in STABLE_CLIENT_FIELDS]


def info_names(text):
    """The names of the lines, without those that come with use: what was called, what failed."""
    names = [line.split(b":")[0] for line in text.split(b"\r\n") if line]
    return [name for name in names if not name.startswith((b"cmdstat_", b"errorstat_", b"latency_percentiles_"))]


def in_order(few, many):
    position = iter(many)
    return all(any(item == other for other in position) for item in few)


def pairs_of(reply):
    return list(reply) if isinstance(reply, MapReply) else list(zip(reply[::2], reply[1::2]))


def names_of(reply):
    if isinstance(reply, MapReply):
        return [name for name, _ in reply]
    return list(reply[::2])


def scores(row):
    return sorted((member, float(score)) for member, score in zip(row[::2], row[1::2]))


def agree(mode, oracle, ours):
    mode, _, argument = mode.partition(" ")
    if mode == "equal":
        return same(oracle, ours)
    if mode == "any":
        return True
    if isinstance(oracle, ReplyError) or isinstance(ours, ReplyError):
        if mode == "class":
            return type_name(oracle) == type_name(ours) and oracle.split(b" ")[0] == ours.split(b" ")[0]
        return same(oracle, ours)
    if mode in ("kind", "class"):
        return type_name(oracle) == type_name(ours)
    if mode == "sorted":
        return same(sort_deep(oracle), sort_deep(ours))
    if mode == "scored":
        return type_name(oracle) == type_name(ours) and oracle[0] == ours[0] and scores(oracle[1]) == scores(ours[1])
    if mode == "type":
        return types_of(oracle) == types_of(ours)
    if mode == "near":
        return near(oracle, ours, int(argument or 2000))
    if mode == "moments":
        return same(timeless(oracle), timeless(ours))
    if type_name(oracle) != type_name(ours):
        return False
    if mode == "client":
        return same_client(text_of(oracle), text_of(ours))
    if mode == "clients":
        a, b = (sorted(stable_part(x) for x in text_of(r).splitlines()) for r in (oracle, ours))
        return a == b
    if mode == "fields":
        return in_order(info_names(text_of(oracle)), info_names(text_of(ours)))
    if mode == "holds":
        names = [{line.split(b":")[0] for line in text_of(reply).split(b"\r\n")} for reply in (oracle, ours)]
        return names[0] <= names[1]
    if mode == "names":
        return names_of(oracle) == names_of(ours)
    if mode == "pairs":
        return all(any(same(a, b) for b in pairs_of(ours)) for a in pairs_of(oracle))
    if mode == "held":
        return set(names_of(oracle)) <= set(names_of(ours))
    if mode == "slow":
        return same([entry[3:4] + entry[5:] for entry in oracle], [entry[3:4] + entry[5:] for entry in ours])
    if mode == "help":
        theirs, mine = ([line for line in r if not line.startswith(b"    ")] for r in (oracle, ours))
        return mine[0] == theirs[0] and set(mine) <= set(theirs) and same(oracle[0], ours[0])
    if mode == "dump":
        if not isinstance(oracle, bytes) or not isinstance(ours, bytes):
            return same(oracle, ours)
        oracle, ours = without_moments(oracle), without_moments(ours)
        free, forms = oracle[:1] not in (b"\0", b"\x12", b"\x13"), (oracle[:1], ours[:1])
        return oracle == ours or (free and oracle[-10:-8] == ours[-10:-8]
                                  and (forms[0] == forms[1] or forms == (b"\x05", b"\x11")))  # see "form"
    if mode == "form":
        return same(oracle, ours) or (oracle, ours) == (b"skiplist", b"listpack")
    if mode == "issue":
        return ISSUE_COMMANDS & set(oracle) <= set(ours)
    if mode == "command":
        return same(sort_deep(own_words(oracle)), sort_deep(own_words(ours)))
    raise ValueError(f"no such measure: {mode}")


def show(reply, limit=600):
    text = repr(reply)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def mask(text):
    """For messages only: long runs of one letter are shortened."""
    return re.sub(r"(.)\1{40,}", r"\1...", text)
