"""A primary and its replica: a full sync under writes, and what replication costs on both ends afterwards.

The primary has the first core for itself; the replica shares the second one with the load.
"""
import random
import time

from servers import LOAD_CORE, PANDO, SIDES, RateLoad, need, rate_load, wait_until
from table import Figures

AT_ONCE = ("--repl-diskless-sync-delay", "0")  # else Redis waits 5 s for more replicas
KEYS, VALUE_BYTES, WRITES, PROBES = 2_000_000, 100, 10_000, 1_000
TIME, PEAK = "full sync under writes: until offsets are equal", "full sync: peak memory of the primary, over before"
BEFORE, DURING = "probe's p99 before", "full sync: p99 of a probe"
TURN = "full sync: the engine's longest turn"
PRIMARY, APPLIED = "CPU of SET, one replica, pipeline 16", "replica: CPU per applied SET, over the primary's own"
REQUESTS, SPACE = 2_000_000, 1_000_000


def fill(server, keys):
    """Values that do not compress."""
    dice = random.Random(3)
    text = "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=1 << 17))
    starts = (int(dice.random() * (len(text) - VALUE_BYTES)) for _ in range(keys))
    server.pipe((f"SET key:{i:012d} {text[at:at + VALUE_BYTES]}\n" for i, at in enumerate(starts)), keys)


def link_is_up(replica):
    return replica.run.info("replication", "master_link_status") == "up"


def offsets_are_equal(primary, replica):
    return (primary.run.info("replication", "master_repl_offset") ==
            replica.run.info("replication", "slave_repl_offset"))


def check_pair(primary, replica):
    need(primary.run("DBSIZE") > 0 and primary.run("DEBUG", "DIGEST") == replica.run("DEBUG", "DIGEST"), "data differ")
    full = primary.run.info("stats", "sync_full")
    need(full == "1", f"{full} full syncs")


def measure_sync(bench, side, primary, replica, figures):
    keys = bench.scaled(KEYS)
    fill(primary, keys)
    load = dict(w="set", k=keys, d=VALUE_BYTES, r=WRITES, q=PROBES, y=True)
    before = rate_load(bench.generator, primary, s=3, **load)
    primary.run("CONFIG", "RESETSTAT")
    memory = highest = primary.family_memory()
    primary.forget_peak()
    looked = began = time.monotonic()
    with RateLoad(bench.generator, primary, **load) as writer:
        began = time.monotonic()
        replica.run("REPLICAOF", "127.0.0.1", primary.port)

        def joined():
            nonlocal highest, looked
            need(writer.process.poll() is None, "the writer ended")
            # Children are seen by looks alone, which walk all pages and hold the process up: not where there are none.
            if time.monotonic() - looked > 0.2 and primary.children():
                highest, looked = max(highest, primary.family_memory()), time.monotonic()
            return link_is_up(replica)
        wait_until(joined, 300, "the link", pause=0.01)
        during = writer.finish(stop=True)
    wait_until(lambda: offsets_are_equal(primary, replica), 120, "equal offsets", pause=0.01)
    took_s = time.monotonic() - began
    highest = max(highest, primary.peak_memory())
    if side == PANDO:
        figures.add(TURN, side, int(primary.run.info("stats", "engine_longest_turn_us")) / 1e3)
    need(during["commands"] > 0 and during["probes"] > 0, "nothing was written during the sync")
    need(primary.run("DBSIZE") == keys + 1, f"DBSIZE is {primary.run('DBSIZE')}")  # the probe's key
    check_pair(primary, replica)
    figures.add(TIME, side, took_s)
    figures.add(PEAK, side, 100 * (highest - memory) / memory)
    figures.add(BEFORE, side, before["probe_p99"] / 1e3)
    figures.add(DURING, side, during["probe_p99"] / 1e3)


def measure_stream(bench, side, primary, replica, figures):
    """SETs first without a replica, then with one."""
    keys, requests = bench.scaled(SPACE), bench.scaled(REQUESTS)
    options = f"-c 50 -P 16 -r {keys} -d 16 -t set"

    def cost(*servers):
        primary.run("FLUSHALL")
        before = [server.cpu_us() for server in servers]
        primary.benchmark(options, requests)
        if replica in servers:
            wait_until(lambda: offsets_are_equal(primary, replica), 120, "equal offsets", pause=0.001)
        return [(server.cpu_us() - us) / requests for server, us in zip(servers, before)]

    own, = cost(primary)
    replica.run("REPLICAOF", "127.0.0.1", primary.port)
    wait_until(lambda: link_is_up(replica), 120, "the link")
    at_primary, at_replica = cost(primary, replica)
    check_pair(primary, replica)
    figures.add(PRIMARY, side, at_primary)
    figures.add(APPLIED, side, at_replica / own)


def measure_all(bench, table):
    figures = Figures()
    for measure, rows in (measure_stream, (PRIMARY, APPLIED)), (measure_sync, (TIME, PEAK, BEFORE, DURING, TURN)):
        for _ in range(bench.rounds or 3):
            for side in SIDES:
                with (figures.guard(side, *rows), bench.server(side, *AT_ONCE) as primary,
                      bench.server(side, *AT_ONCE, core=LOAD_CORE) as replica):
                    measure(bench, side, primary, replica, figures)
    table.row(PRIMARY, "%.3f us", figures, times=0.5)
    table.row(APPLIED, "%.2f x", figures, limit=0.6)
    table.row(TIME, "%.2f s", figures, times=0.5)
    table.row(PEAK, "%.1f%%", figures, limit=15)
    table.row(TURN, "%.1f ms", figures, limit=5, sides=(PANDO,))
    table.row(DURING, "%.2f ms", figures,
              limit=lambda ours, theirs: max(2, 1.2 * figures.median(BEFORE, PANDO), 0.5 * theirs))
