"""`make tidy` finds what it promises to find: each check fails on a tree made to break it."""
import importlib.util
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("tidy", ROOT / "tools/tidy.py")
tidy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tidy)

CLEAN = """/* A clean file. free(x) in a comment, "strcpy(" in a text. */
#include "base/mem.h"

static const int sizes[] = {1, 2, 3};
static const char *const names[] = {"a", "free(b)"};
static int (*const operations[])(int) = {0};

int sum_of(struct item *item);
void each(struct item *item, void (*visit)(void *context), void *context);

int sum_of(struct item *item)
{
    static const int first = 1;
    item->free(item);
    return first + sizes[0];
}
"""


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/layers.txt", tmp_path / "tools")
    shutil.copy(ROOT / ".clang-format", tmp_path)
    write(tmp_path, "src/ds/clean.c", CLEAN)
    return tmp_path


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(root):
    return {(file, check) for file, _, check, _ in tidy.tidy(root)[0]}


def test_a_clean_tree_has_no_findings(tree):
    assert tidy.tidy(tree) == ([], [])


@pytest.mark.parametrize("file, text, check", [
    ("src/ds/x.c", '#include "store/store.h"\n', "layers"),
    ("src/unheard/x.c", "int f(void);\n", "layers"),
    ("src/ds/x.c", "int f(char *a, char *b)\n{\n    strcpy(a, b);\n    return 0;\n}\n", "banned"),
    ("src/ds/x.c", "void f(void *a)\n{\n    free(a);\n}\n", "banned"),
    ("src/ds/x.c", "int f(char *a)\n{\n    return atoi(a);\n}\n", "banned"),
    ("src/repl/x.c", "long f(void)\n{\n    return time(0);\n}\n", "clock"),
    ("src/cmd/x.c", "void f(void)\n{\n    gettimeofday(0, 0);\n}\n", "clock"),
    ("src/store/x.c", "void f(int fd)\n{\n    write(fd, 0, 0);\n}\n", "syscall"),
    ("src/server/x.c", "void f(int fd)\n{\n    recv(fd, 0, 0, 0);\n}\n", "syscall"),
    ("src/ds/x.c", "static int counter;\n", "global"),
    ("src/ds/x.c", "int counter = 3;\n", "global"),
    ("src/ds/x.c", "static const char *name = 0;\n", "global"),
    ("src/ds/x.c", "static struct item *items[4] = {0};\n", "global"),
    ("src/ds/x.c", "static void (*hook)(int);\n", "global"),
    ("src/ds/x.c", "int f(void)\n{\n    static int calls;\n    return ++calls;\n}\n", "global"),
    ("src/ds/x_test.c", "void f(void)\n{\n    usleep(5);\n}\n", "sleep"),
    ("tests/test_x.py", "import time\n\ntime." "sleep(1)\n", "sleep"),
    ("src/ds/x.c", "/* TODO: finish */\n", "todo"),
    ("src/ds/x.c", "int  f ( void ) ;\n", "format"),
])
def test_each_check_finds_its_fault(tree, file, text, check):
    write(tree, file, text)
    assert (file, check) in found(tree)


@pytest.mark.parametrize("file, text", [
    ("src/io/x.c", "long f(int fd)\n{\n    write(fd, 0, 0);\n    return time(0);\n}\n"),
    ("src/server/x.c", "static int counter;\n"),
    ("src/server/x.c", "int f(void)\n{\n    return fork();\n}\n"),
    ("src/base/mem.c", "void f(void *a)\n{\n    free(a);\n}\n"),
    ("src/store/x.c", '#include "ds/table.h"\n'),
])
def test_what_is_allowed_is_not_found(tree, file, text):
    write(tree, file, text)
    assert not found(tree)


def test_length_is_a_warning(tree):
    write(tree, "src/ds/x.c", "void f(void)\n{\n" + "    ;\n" * 80 + "}\n")
    write(tree, "src/ds/y.c", "int f(void);\n" * 1001)
    findings, warnings = tidy.tidy(tree)
    assert not findings
    assert [w[0] for w in warnings] == ["src/ds/x.c", "src/ds/y.c"]


def test_an_exception_allows_one_finding_and_is_itself_a_finding_when_not_needed(tree):
    write(tree, "src/ds/x.c", "static int counter;\n")
    write(tree, "tools/tidy-exceptions.txt", "src/ds/x.c global counter because the test says so\n")
    assert not found(tree)
    write(tree, "src/ds/x.c", "int f(void);\n")
    assert found(tree) == {("tools/tidy-exceptions.txt", "exception")}


def test_an_exception_without_a_reason_is_a_finding(tree):
    write(tree, "src/ds/x.c", "static int counter;\n")
    write(tree, "tools/tidy-exceptions.txt", "src/ds/x.c global counter\n")
    assert found(tree) == {("tools/tidy-exceptions.txt", "exception")}
