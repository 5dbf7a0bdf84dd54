"""Are two keyspaces equal? One call answers, and names the keys where they are not."""
from .resp import ReplyError, pack
from .wait import wait_until

EMPTY_DIGEST = b"0" * 40


def digest(server):
    return bytes(server.call("DEBUG", "DIGEST"))


def databases(server):
    return sorted(int(name[2:]) for name in server.info("keyspace") if name.startswith("db"))


def keyspace(server, limit=None):
    """{(db, key): (deadline in ms or -1, value)} of everything that is not expired. The value is what DUMP
    says of a string; of a container, whose bytes may differ for equal elements, its type and digest."""
    held = {}
    with server.connect() as connection:
        connection.do("CLIENT", "NO-EVICT", "on")
        for db in databases(server):
            connection.call("SELECT", db)
            cursor = b"0"
            while True:
                cursor, keys = connection.call("SCAN", cursor, "COUNT", 1000)
                types = connection.pipeline([("TYPE", key) for key in keys])
                asked = [("DUMP", key) if kind == b"string" else ("DEBUG", "DIGEST-VALUE", key)
                         for key, kind in zip(keys, types)]
                replies = connection.pipeline([c for key, ask in zip(keys, asked) for c in (("PEXPIRETIME", key), ask)])
                for i, (key, kind) in enumerate(zip(keys, types)):
                    if replies[2 * i] != -2:
                        value = replies[2 * i + 1] or None
                        held[db, key] = (replies[2 * i], value if kind == b"string" else (bytes(kind), value))
                if cursor == b"0" or (limit and len(held) > limit):
                    break
    return held


def differences(ours, theirs, limit=20):
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name), theirs.get(name)
        if a != b:
            found.append(f"db{name[0]} {name[1]!r}: {a!r} / {b!r}")
            if len(found) >= limit:
                break
    return found


def assert_same_keyspace(first, *others, thorough_below=50000):
    """Digest first; below `thorough_below` keys also every deadline and every serialized value."""
    expected = digest(first)
    size = sum(int(v.split(",")[0].split("=")[1]) for k, v in first.info("keyspace").items() if k.startswith("db"))
    for other in others:
        found = digest(other)
        if found != expected or size < thorough_below:
            diff = differences(keyspace(first), keyspace(other))
            assert not diff, f"{first} and {other} differ in:\n" + "\n".join(diff)
        assert found == expected, f"{first} has digest {expected!r}, {other} {found!r}, with equal DUMPs"


def linked(replica):
    return replica.info("replication").get("master_link_status") == "up"


def wait_linked(*replicas, timeout=30.0):
    for replica in replicas:
        wait_until(lambda: linked(replica), f"the link of {replica} to be up", timeout)


def offset_of(server):
    return int(server.info("replication")["master_repl_offset"])


def wait_in_sync(primary, *replicas, timeout=30.0):
    """Until every replica (of a chain too) has applied what the primary's log held when asked."""
    for replica in replicas:
        def caught_up():
            mine, theirs = primary.info("replication"), replica.info("replication")
            return (theirs.get("master_link_status", "up") == "up"
                    and theirs["master_replid"] == mine["master_replid"]
                    and int(theirs.get("slave_repl_offset", theirs["master_repl_offset"]))
                    >= int(mine["master_repl_offset"]))
        wait_until(caught_up, f"{replica} to have what {primary} has", timeout)


def wait_equal(primary, *replicas, timeout=30.0):
    wait_in_sync(primary, *replicas, timeout=timeout)
    # An expiry or a PING may come between the calls: only a lasting difference is one.
    wait_until(lambda: [wait_in_sync(primary, *replicas), assert_same_keyspace(primary, *replicas)],
               f"{primary} and {replicas} to hold the same", min(timeout, 5.0))


def replicas_of(server):
    """The slaveN lines of INFO replication as dicts."""
    fields = server.info("replication")
    return [dict(part.split("=", 1) for part in value.split(","))
            for name, value in sorted(fields.items()) if name.startswith("slave") and name[5:].isdigit()]


def wait_online(primary, count, timeout=30.0):
    wait_until(lambda: sum(r["state"] == "online" for r in replicas_of(primary)) >= count,
               f"{count} replicas of {primary} to be online", timeout)


def fill(server, count, size=16, prefix="key", db=0, seed=1, batch=500):
    """SETs `count` incompressible values of `size` bytes."""
    import random
    source = random.Random(seed)
    with server.connect() as connection:
        connection.call("SELECT", db)
        for start in range(0, count, batch):
            wave = range(start, min(start + batch, count))
            connection.send_raw(b"".join(pack("SET", f"{prefix}:{i}", source.randbytes(size)) for i in wave))
            for _ in wave:
                reply = connection.read()
                assert not isinstance(reply, ReplyError), reply
