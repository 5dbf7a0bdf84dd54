#!/usr/bin/env python3
"""tidy.py [ROOT]: the checks of `make tidy`. Prints FILE:LINE: CHECK: what; exits 1 when there is any.

layers     a file includes only its own floor and what tools/layers.txt names for it
format     clang-format 14 with the root's .clang-format changes nothing
banned     calls that overflow, hide state or skip the accounting of memory
clock      only io/ and server/ read a clock
syscall    only io/ makes system calls (server/: also those about signals and processes)
global     no mutable variable outside server/ lives longer than a call
sleep      no test waits for a fixed time
todo       a TODO names an issue
long       warnings only: files over 1000 lines, functions over 70

tools/tidy-exceptions.txt lists what is allowed nevertheless, each with its reason; one that is not
needed any more is itself a finding.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70

BANNED = {
    "strcpy": "use a span or snprintf", "strcat": "use a buffer", "sprintf": "use snprintf",
    "vsprintf": "use vsnprintf", "gets": "use a buffer with a limit", "atoi": "use base/num.h",
    "atol": "use base/num.h", "atoll": "use base/num.h", "strtok": "keeps hidden state",
    "malloc": "use base/mem.h", "calloc": "use base/mem.h", "realloc": "use base/mem.h",
    "free": "use base/mem.h", "strdup": "use base/mem.h", "strndup": "use base/mem.h",
    "alloca": "unbounded stack", "rand": "use base/random.h", "random": "use base/random.h",
    "localtime": "keeps hidden state", "gmtime": "keeps hidden state",
}
CLOCK = {"time", "gettimeofday", "clock_gettime", "clock", "ftime"}
SYSCALLS = {
    "open", "openat", "creat", "close", "read", "pread", "readv", "write", "pwrite", "writev", "lseek",
    "socket", "bind", "listen", "accept", "accept4", "connect", "shutdown", "send", "sendto", "sendmsg",
    "recv", "recvfrom", "recvmsg", "setsockopt", "getsockopt", "getsockname", "getpeername",
    "getaddrinfo", "poll", "ppoll", "select", "epoll_create1", "epoll_ctl", "epoll_wait", "eventfd",
    "pipe", "pipe2", "fcntl", "ioctl", "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate",
    "truncate", "rename", "renameat", "unlink", "unlinkat", "mkdir", "rmdir", "opendir", "readdir",
    "stat", "fstat", "lstat", "statvfs", "fstatvfs", "chmod", "fchmod", "access", "flock", "mmap", "munmap",
    "madvise", "sendfile", "splice", "copy_file_range", "fopen", "fdopen", "fclose", "fread", "fwrite",
    "fgets", "popen", "system", "fork", "vfork", "execve", "execv", "execvp", "kill", "nanosleep", "sleep",
    "usleep", "sched_yield", "getrlimit", "setrlimit", "chdir", "umask", "setsid", "dup", "dup2",
    "pthread_create", "getrandom",
}
# What server/ may do besides: signals, processes, their limits.
SERVER_SYSCALLS = {"fork", "kill", "execve", "execv", "setsid", "getrlimit", "setrlimit", "chdir", "umask", "dup",
                   "dup2"}
SLEEPS = {"sleep", "usleep", "nanosleep"}


class Source:
    """A C file: its text, and the same text with comments, strings and directives blanked."""

    def __init__(self, root, path):
        self.path = path.relative_to(root)
        self.text = path.read_text("utf-8", "replace")
        self.lines = self.text.splitlines()
        self.code = blank(self.text)
        parts = self.path.parts
        self.floor = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        stem = self.path.stem
        self.is_test = stem.endswith(("_test", "_fuzz", "_bench", "_race"))

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1

    def calls(self, names):
        """(line, name) of each call of a plain function of that name; not of members nor prototypes."""
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", self.code):
            if match.group(1) in names:
                before = self.code[:match.start()].rstrip()
                if before.endswith("->") or before.endswith("."):
                    continue
                yield self.line_of(match.start()), match.group(1)


def blank(text):
    """Replaces comments, literals and preprocessor directives by blanks, keeping every newline."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
                         r"|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.S | re.M)

    def erase(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return pattern.sub(erase, text)


def read_layers(root):
    layers = {}
    for line in (root / "tools/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            floor, _, allowed = line.partition(":")
            layers[floor.strip()] = set(allowed.split()) | {floor.strip()}
    return layers


def check_layers(source, layers):
    if source.floor is None:
        return
    if source.floor not in layers:
        yield 1, "layers", f"floor {source.floor} is not in tools/layers.txt"
        return
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s+"(?:([\w]+)/)?[\w.-]+(?:/[\w./-]+)?"', line)
        if match and match.group(1) and match.group(1) in layers:
            if match.group(1) not in layers[source.floor]:
                yield number, "layers", f"{source.floor}/ may not include {match.group(1)}/"


def check_banned(source, layers):
    if source.path.as_posix() == "src/base/mem.c":
        return
    names = set(BANNED)
    for number, name in source.calls(names):
        if source.is_test and name in ("free", "malloc", "calloc", "realloc", "strdup"):
            continue
        yield number, "banned", f"{name}(): {BANNED[name]}"


def check_clock(source, layers):
    if source.floor in ("io", "server") or source.is_test:
        return
    for number, name in source.calls(CLOCK):
        yield number, "clock", f"{name}(): time reaches {source.floor}/ as a value"


def check_syscall(source, layers):
    if source.floor in ("io", None) or source.is_test:
        return
    allowed = SERVER_SYSCALLS if source.floor == "server" else set()
    for number, name in source.calls(SYSCALLS - allowed):
        yield number, "syscall", f"{name}(): only io/ makes system calls"


def declarations(code):
    """(position, depth, text) of each statement that ends in ; or { at any brace depth."""
    depth = start = 0
    initializer = None  # depth at which an initializer's brace opened
    for position, char in enumerate(code):
        if char == "{":
            head = code[start:position]
            if initializer is None and head.rstrip().endswith(("=", ",")) and "=" in head:
                initializer = depth
            elif initializer is None:
                yield start, depth, head + "{"
                start = position + 1
            depth += 1
        elif char == "}":
            depth -= 1
            if initializer == depth:
                initializer = None
            elif initializer is None:
                start = position + 1
        elif char == ";" and initializer is None:
            yield start, depth, code[start:position]
            start = position + 1


def is_mutable_variable(text):
    """A declaration, already known to be at file scope or static: does it make a variable that can change?"""
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", text, flags=re.S)
    text = re.sub(r"_Alignas\s*\([^)]*\)", " ", text)
    declared = text.split("=")[0].strip()
    if not declared or declared.endswith("{"):
        return False
    if re.match(r"(typedef|extern|_Static_assert|static_assert|return|goto|case|default)\b", declared):
        return False
    if re.match(r"(static\s+)?(const\s+)?(struct|union|enum)\s+\w+$", declared):
        return False
    if re.match(r"[^(]*\w\s*\((?!\s*\*\s*\w*\s*(\[[^]]*\])?\s*\)\s*\()", declared):
        return False  # a prototype, or a macro that makes functions
    if not re.match(r"[\w\s*\[\]().,+\-/&|<>]+$", declared) or not re.search(r"\w\s+[\w*]", declared):
        return False
    if "(" in declared:
        pointer = re.search(r"\(\s*\*\s*(const)?", declared)
        return not (pointer and pointer.group(1))
    last_star = declared.rfind("*")
    return "const" not in (declared[last_star:] if last_star >= 0 else declared)


def check_global(source, layers):
    if source.floor in ("server", None) or source.is_test:
        return
    for position, depth, text in declarations(source.code):
        stripped = text.strip()
        at_file_scope = depth == 0
        if not at_file_scope and not re.match(r"(static|_Thread_local|__thread)\b", stripped):
            continue
        if is_mutable_variable(stripped):
            number = source.line_of(position + len(text) - len(text.lstrip()))
            yield number, "global", "mutable outside server/: " + " ".join(stripped.split())[:60]


def check_sleep(source, layers):
    if source.path.suffix == ".py":
        if source.path.as_posix() != "tests/harness/wait.py":
            for number, line in enumerate(source.lines, 1):
                if re.search(r"\btime\.sleep\(|\bfrom time import .*\bsleep\b", line):
                    yield number, "sleep", "wait for a condition (tests/harness/wait.py)"
    elif source.is_test:
        for number, name in source.calls(SLEEPS):
            yield number, "sleep", f"{name}() in a test"


def check_todo(source, layers):
    for number, line in enumerate(source.lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!.*(#\d+|issue \d+))", line) and source.path.name not in (
                "tidy.py", "test_tidy.py"):
            yield number, "todo", "without the number of an issue"


CHECKS = [check_layers, check_banned, check_clock, check_syscall, check_global, check_sleep, check_todo]


def long_things(source):
    if len(source.lines) > FILE_LINES_MAX:
        yield 1, f"{len(source.lines)} lines"
    if source.path.suffix != ".c":
        return
    depth, opened, head = 0, 0, ""
    for number, line in enumerate(source.code.splitlines(), 1):
        if depth == 0 and line.startswith("{"):
            opened = number
        elif depth == 0 and line.strip():
            head = line
        depth += line.count("{") - line.count("}")
        if depth == 0 and opened and line.startswith("}"):
            if number - opened + 1 > FUNCTION_LINES_MAX:
                yield opened, f"function of {number - opened + 1} lines: {head.strip()[:60]}"
            opened = 0


def check_format(root, paths):
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not program:
        yield "tools/tidy.py", 1, "format", "clang-format is not installed: apt-get install clang-format"
        return
    if not paths or not (root / ".clang-format").exists():
        return
    result = subprocess.run([program, "--dry-run", "--ferror-limit=0", *map(str, paths)], cwd=root,
                            stderr=subprocess.PIPE, text=True)
    seen = set()
    for line in result.stderr.splitlines():
        match = re.match(r"(.+?):(\d+):\d+: (?:warning|error): code should be clang-formatted", line)
        if match and match.group(1) not in seen:  # the first place of a file is enough
            seen.add(match.group(1))
            yield match.group(1), int(match.group(2)), "format", "run clang-format -i"


def files_of(root):
    """Tracked files and new ones that are not ignored; without git every file."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and (root / ".git").exists():
        names = listed.stdout.splitlines()
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    return sorted(root / n for n in names if (root / n).is_file())


def read_exceptions(root):
    """FILE CHECK WORD REASON...: the finding of CHECK in FILE whose text holds WORD is allowed."""
    path = root / "tools/tidy-exceptions.txt"
    rules = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if line.strip() and not line.startswith("#"):
            fields = line.split(None, 3)
            rules.append([number, *fields[:3], fields[3] if len(fields) > 3 else "", False])
    return rules


def tidy(root):
    """All findings as (file, line, check, text), and the warnings."""
    files = files_of(root)
    layers = read_layers(root)
    c_files = [f for f in files if f.suffix in (".c", ".h")
               and f.relative_to(root).parts[0] in ("src", "tests", "cli", "bench")]
    findings, warnings = [], []
    for path in c_files + [f for f in files if f.suffix == ".py"]:
        source = Source(root, path)
        checks = CHECKS if path.suffix != ".py" else [check_sleep, check_todo]
        for check in checks:
            findings += [(source.path.as_posix(), *found) for found in check(source, layers)]
        warnings += [(source.path.as_posix(), *found) for found in long_things(source)]
    findings += check_format(root, [f.relative_to(root) for f in c_files])
    rules = read_exceptions(root)
    kept = []
    for finding in findings:
        for rule in rules:
            if (rule[1], rule[2]) == (finding[0], finding[2]) and rule[3] in finding[3]:
                rule[5] = True
                break
        else:
            kept.append(finding)
    for number, file, check, word, reason, used in rules:
        if not used:
            kept.append(("tools/tidy-exceptions.txt", number, "exception", f"not needed: {file} {check} {word}"))
        elif not reason:
            kept.append(("tools/tidy-exceptions.txt", number, "exception", "without a reason"))
    return sorted(set(kept)), warnings


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    findings, warnings = tidy(root)
    for file, number, text in warnings:
        print(f"{file}:{number}: warning: {text}")
    for file, number, check, text in findings:
        print(f"{file}:{number}: {check}: {text}")
    print(f"tidy: {len(findings)} findings, {len(warnings)} warnings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
