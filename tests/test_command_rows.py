"""tools/commands.py names the file and line of a row that it does not understand, and skips no mistake."""
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "commands.py"
FIELDS = "    summary Does it.\n    since 1.0.0\n    group server\n"


def check(folder, rows):
    (folder / "some.def").write_text(rows)
    return subprocess.run([sys.executable, TOOL, "--check", folder], capture_output=True, text=True)


def test_a_good_row_passes(tmp_path):
    assert check(tmp_path, "# comment\nx -2 NONE readonly fast @keyspace\n" + FIELDS + "    key RO access at 1\n"
                 "    arguments\n        key key key=0\n").returncode == 0


@pytest.mark.parametrize("line, rows, why", [
    (1, "x 2 readonly\n" + FIELDS, "'readonly' is no way to replicate"),
    (1, "x 2\n" + FIELDS, "NAME ARITY REPLICATES"),
    (1, "x two NONE\n" + FIELDS, "'two' is no number"),
    (1, "X 2 NONE\n" + FIELDS, "no name of a command"),
    (1, "x 2 NONE quick\n" + FIELDS, "'quick' is no flag"),
    (1, "x 2 NONE @fruit\n" + FIELDS, "'fruit' is no ACL category"),
    (1, "x 2 NONE\n    summary Does it.\n    since 1\n", "x has no group"),
    (5, "x 2 NONE\n" + FIELDS + "    colour red\n", "'colour' is no field"),
    (5, "x 2 NONE\n" + FIELDS + "    key RO RW at 1\n", "one of RO RW OW RM"),
    (5, "x 2 NONE\n" + FIELDS + "    key RO\n", "where does the key begin"),
    (5, "x 2 NONE\n" + FIELDS + "    key RO at 1 range 0 1\n", "range takes three numbers"),
    (6, "x 2 NONE\n" + FIELDS + "    arguments\n        a colour\n", "'colour' is no type of argument"),
    (6, "x 2 NONE\n" + FIELDS + "    arguments\n        a oneof\n", "have arguments of their own"),
    (1, "x 2 NONE\n" + FIELDS + "    arguments\n        a key key=0\n", "names key 0"),
    (2, "x 2 NONE\n      summary a\n", "indent by four"),
    (5, "x 2 NONE\n" + FIELDS + "x 2 NONE\n" + FIELDS, "stands also at"),
    (1, "x|y 2 NONE\n" + FIELDS, "x has no row"),
])
def test_a_mistake_is_named_with_its_place(tmp_path, line, rows, why):
    result = check(tmp_path, rows)
    assert result.returncode != 0
    assert f"some.def:{line}: " in result.stderr and why in result.stderr, result.stderr


def test_pending_rows_are_counted_and_left_out(tmp_path):
    (tmp_path / "some.def").write_text("x 2 NONE pending\n" + FIELDS + "y 2 NONE\n" + FIELDS)
    result = subprocess.run([sys.executable, TOOL, tmp_path, tmp_path], capture_output=True, text=True, check=True)
    assert "1 rows are pending" in result.stdout
    table, handlers = ((tmp_path / name).read_text() for name in ("commands.inc", "handlers.h"))
    assert '"y"' in table and '"x"' not in table
    assert "cmd_x(" in handlers and "cmd_y(" in handlers
