"""The same commands to Redis 7.0.15 and to pando, in RESP2 and RESP3, errors included.

The scripts are the text files beside this one (see script.py for their language). What may differ is
listed in tests/differences.txt with its reason; a difference that is not listed fails, and so does a
listed one that no longer occurs."""
from pathlib import Path

import pytest

from .runner import check_replica, compare_keyspaces, run_case
from .script import all_scripts, read_differences

SCRIPTS = all_scripts()
LISTED = read_differences(Path(__file__).parents[1] / "differences.txt")
CASES = [pytest.param(config, case, id=case.id, marks=pytest.mark.xdist_group(case.file))
         for config, cases in SCRIPTS.values() for case in cases]


@pytest.mark.parametrize("config, case", CASES)
def test_same_replies(arena, config, case):
    seats = arena(config)
    missing = [name for name in case.needs if not seats.ours.server.call("COMMAND", "INFO", name)[0]]
    if missing:
        pytest.skip(f"no {', '.join(missing)} yet")
    parts = {}
    listed = LISTED.get((case.file, case.title), {})
    for protocol in (2, 3):
        run_case(case, protocol, seats.oracle, seats.ours, parts)
        if "keyspace" not in listed:
            found = compare_keyspaces(seats.oracle.server, seats.ours.server)
            if found:
                parts["keyspace"] = "the keyspaces differ, oracle / pando:\n" + "\n".join(found)
        check_replica(seats.ours.server, seats.replica)
    if seats.ours.server.is_oracle:
        assert not parts, "\n".join(parts.values())
        return
    unlisted = [message for line, message in parts.items() if line not in listed]
    assert not unlisted, "\n".join(unlisted)
    gone = [line for line in listed if line not in parts and line != "keyspace"]
    assert not gone, f"listed in differences.txt, but no longer there: {gone}"


def test_every_listed_difference_names_a_line_of_a_script():
    for (file, title), lines in LISTED.items():
        known = {line.text for case in SCRIPTS[file][1] if case.title == title for line in case.lines}
        assert not lines.keys() - known - {"keyspace"}, (file, title)
