"""Scripts of commands, sent alike to the oracle and to pando.

A script is a text file; a case starts at a line `== title` and ends at the next. Each case starts with
empty databases, zeroed statistics and new connections. The lines of a case:

    SET key "a\\x00b"            a command, quoted as redis-cli does; its reply is compared
    (sorted) KEYS *             a comparison other than "equal"; see compare.py
    b: SUBSCRIBE news           the same on a connection of its own, here b; a is the default
    b< 2                        reads two more messages that connection b is due
    b| BLPOP key 0              sends without reading: the reply is read by a later `b<`
    blocked 2                   waits until so many clients are blocked, be it more or fewer than before
    raw "PING\\r\\n" 1            sends bytes as they are and reads so many replies
    needs rpush                 the case is left out while the server under test has no such command
    closed                      the server must have closed connection a (b: closed works too)
    resp2 ... / resp3 ...       a line only for that protocol
    everywhere DEBUG ...        at the replicas too, whose replies are not compared
    repeat 3 INCR key           the line three times
    until (1) EXISTS key        repeats until both servers give this reply; not compared
    # comment

`$large` in an argument stands for 100,000 letters, `$DUMP(key)` for what DUMP key answers there.
A file may begin with lines `config NAME VALUE`: directives of both servers for this script.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent / "scripts"


@dataclass
class Line:
    number: int
    text: str              # as written, the key into the list of differences
    verb: str = "command"  # command, send, read, raw, closed, until, blocked
    connection: str = "a"
    mode: str = "equal"
    args: list = field(default_factory=list)
    count: int = 1
    protocol: int = 0      # 0: both
    expect: str = ""
    everywhere: bool = False


@dataclass
class Case:
    file: str
    title: str
    lines: list
    needs: list

    @property
    def id(self):
        return f"{self.file}: {self.title}"


def split_arguments(text):
    """redis-cli's quoting: "..." with escapes, '...' without, else words."""
    args, i = [], 0
    while True:
        while i < len(text) and text[i].isspace():
            i += 1
        if i >= len(text):
            return args
        out = bytearray()
        if text[i] == '"':
            i += 1
            while text[i] != '"':
                if text[i] == "\\":
                    i += 1
                    if text[i] == "x":
                        out.append(int(text[i + 1:i + 3], 16))
                        i += 2
                    else:
                        out += {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b"}.get(text[i], text[i]).encode()
                else:
                    out += text[i].encode()
                i += 1
            i += 1
        elif text[i] == "'":
            end = text.index("'", i + 1)
            out += text[i + 1:end].encode()
            i = end + 1
        else:
            start = i
            while i < len(text) and not text[i].isspace():
                i += 1
            out += text[start:i].encode()
        args.append(bytes(out))


def parse_line(number, text):
    line = Line(number, text)
    rest = text
    match = re.match(r"resp([23]) ", rest)
    if match:
        line.protocol, rest = int(match.group(1)), rest[match.end():]
    match = re.match(r"([a-z])([:<|]) ?", rest)
    if match:
        line.connection, rest = match.group(1), rest[match.end():]
        if match.group(2) == "<":
            line.verb = "read"
        elif match.group(2) == "|":
            line.verb = "send"
    if rest.startswith("everywhere "):
        line.everywhere, rest = True, rest[len("everywhere "):]
    match = re.match(r"repeat (\d+) ", rest)
    if match:
        line.count, rest = int(match.group(1)), rest[match.end():]
    match = re.match(r"until \(([^)]*)\) ", rest)
    if match:
        line.verb, line.expect, rest = "until", match.group(1), rest[match.end():]
    match = re.match(r"\(([a-z][a-z0-9 -]*)\) ?", rest)
    if match:
        line.mode, rest = match.group(1), rest[match.end():]
    if rest == "closed":
        line.verb = "closed"
    elif line.verb == "read":
        line.count = int(rest or 1)
    elif rest.startswith("blocked "):
        line.verb, line.expect = "blocked", rest.split()[1]
    else:
        line.args = split_arguments(rest)
        if line.args[0] == b"raw":
            line.verb, line.count = "raw", int(line.args[2])
            line.args = [line.args[1]]
    return line


def parse(path):
    """(directives, cases) of a script file."""
    config, cases = {}, []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = text.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("== "):
            assert text[3:] not in {c.title for c in cases}, f"{path}:{number}: a second case of this title"
            cases.append(Case(path.stem, text[3:], [], []))
        elif not cases:
            word, name, value = text.split(None, 2)
            assert word == "config", f"{path}:{number}: {text}"
            config[name] = value
        elif text.startswith("needs "):
            cases[-1].needs += text.split()[1:]
        else:
            try:
                cases[-1].lines.append(parse_line(number, text))
            except (IndexError, ValueError) as error:
                raise ValueError(f"{path}:{number}: {text}: {error}") from error
    return config, cases


def all_scripts():
    return {path.stem: parse(path) for path in sorted(HERE.glob("*.txt"))}


def read_differences(path):
    """{(file, title): {line text: reason}}; each entry is four fields with :: between."""
    listed = {}
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        parts = [p.strip() for p in text.split(" :: ")]
        assert len(parts) == 4 and all(parts), f"{path}:{number}: FILE :: CASE :: LINE :: REASON"
        file, title, line, reason = parts
        case = listed.setdefault((file, title), {})
        assert line not in case, f"{path}:{number}: listed twice"
        case[line] = reason
    return listed
