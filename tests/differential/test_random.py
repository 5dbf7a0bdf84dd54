"""Random commands from a seed to both servers: the same replies, the same keyspace at the end, and the
replica's the same as its primary's. PANDO_TEST_SEEDS=FIRST-LAST runs others; make soak runs many."""
import os

import pytest

from .compare import agree, show, sort_deep
from .random_commands import Generator, measure
from .runner import check_replica, compare_keyspaces

COMMANDS = 1500


def seeds():
    first, _, last = os.environ.get("PANDO_TEST_SEEDS", "1-10").partition("-")
    return range(int(first), int(last or first) + 1)


@pytest.mark.xdist_group("random")
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("seed", seeds())
def test_same_replies_to_random_commands(arena, seed, protocol):
    seats = arena({})
    generator = Generator(seed)
    commands = [generator.next() for _ in range(COMMANDS)]
    seats.oracle.begin(protocol)
    seats.ours.begin(protocol)
    theirs = seats.oracle.connection("a").pipeline(commands)
    mine = seats.ours.connection("a").pipeline(commands)
    for number, (command, a, b) in enumerate(zip(commands, theirs, mine)):
        if command[0].upper() == b"EXEC":
            a, b = sort_deep(a), sort_deep(b)  # holds the replies of KEYS, whose order is free
        if not agree(measure(command), a, b):
            before = "\n".join(f"    {c!r} -> {show(r)}" for c, r in list(zip(commands, theirs))[max(0, number - 5):number])
            pytest.fail(f"seed {seed}, command {number}: {command!r}\n  oracle: {show(a)}\n  pando:  {show(b)}\n"
                        f"  before it:\n{before}")
    seats.oracle.end()
    seats.ours.end()
    found = compare_keyspaces(seats.oracle.server, seats.ours.server)
    assert not found, "keyspaces differ, oracle / pando:\n" + "\n".join(found)
    check_replica(seats.ours.server, seats.replica)


def test_the_same_seed_makes_the_same_commands():
    one, other = Generator(7), Generator(7)
    assert [one.next() for _ in range(500)] == [other.next() for _ in range(500)]
