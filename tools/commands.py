#!/usr/bin/env python3
"""Turns the command rows of src/cmd/*.def into C.

    commands.py DEF_FOLDER OUT_FOLDER     writes OUT/commands.inc and OUT/handlers.h
    commands.py --check DEF_FOLDER        only reads and checks the rows

commands.inc holds the table, the documentation trees and the perfect hash over the top-level names; it is compiled
once, in src/server/commands.c. handlers.h declares every handler. src/cmd/README.md describes the rows.
"""
import os
import re
import sys

FLAGS = """write readonly denyoom admin pubsub noscript blocking loading stale skip_monitor skip_slowlog asking fast
no_auth may_replicate no_async_loading no_multi movablekeys allow_busy touches_arbitrary_keys no_mandatory_keys
protected in_place subscribed""".split()
CATEGORIES = """keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow
blocking dangerous connection transaction scripting""".split()
KEY_FLAGS = "RO RW OW RM access update insert delete not_key incomplete variable_flags".split()
REPLICATES = "NONE VERBATIM EFFECT MAY".split()
ARGUMENT_TYPES = "string integer double key pattern unix-time pure-token oneof block".split()
GROUPS = """string list set sorted-set hash pubsub transactions connection server scripting hyperloglog cluster
sentinel geo stream bitmap generic""".split()
# Categories that follow from a flag: a row names only those beyond them.
IMPLIED = {"write": ["write"], "readonly": ["read"], "admin": ["admin", "dangerous"], "pubsub": ["pubsub"],
           "fast": ["fast"], "blocking": ["blocking"]}
C_FLAG = {"movablekeys": "MOVABLE_KEYS"}


class RowError(Exception):
    pass


class Line:
    def __init__(self, path, number, text):
        self.where = f"{path}:{number}"
        self.indent = len(text) - len(text.lstrip(" "))
        self.text = text.strip()
        self.children = []

    def fail(self, why):
        raise RowError(f"{self.where}: {why}")

    def words(self):
        return self.text.split()


def read_tree(path):
    """The lines of a file as a tree by indentation; comments and empty lines left out."""
    top, stack = [], []
    with open(path, encoding="ascii") as file:
        for number, text in enumerate(file, 1):
            text = text.rstrip()
            if not text or text.lstrip().startswith("#"):
                continue
            line = Line(path, number, text)
            if "\t" in text or line.indent % 4 or line.indent > 4 * len(stack):
                line.fail("indent by four blanks, one level at a time")
            del stack[line.indent // 4:]
            (stack[-1].children if stack else top).append(line)
            stack.append(line)
    return top


def known(line, word, words, what):
    if word not in words:
        line.fail(f"'{word}' is no {what}; known are: {' '.join(words)}")
    return word


def integer(line, word):
    if not re.fullmatch(r"-?\d+", word):
        line.fail(f"'{word}' is no number")
    return int(word)


class KeySpec:
    """key FLAG... at N | after WORD from N | unknown   [range LAST STEP LIMIT | keynum INDEX FIRST STEP | unknown]"""

    def __init__(self, line):
        words = line.words()[1:]
        self.flags, self.note, self.keyword = [], None, None
        while words and words[0] not in ("at", "after", "unknown"):
            self.flags.append(known(line, words.pop(0), KEY_FLAGS, "key flag"))
        if len([flag for flag in self.flags if flag in KEY_FLAGS[:4]]) > 1:
            line.fail("one of RO RW OW RM at most")
        self.begin = words.pop(0) if words else line.fail("where does the key begin: at N, after WORD from N, unknown")
        self.index = 0
        if self.begin == "at":
            self.index = integer(line, words.pop(0))
        elif self.begin == "after":
            self.keyword = words.pop(0)
            if words.pop(0) != "from":
                line.fail("after WORD from N")
            self.index = integer(line, words.pop(0))
        self.find = words.pop(0) if words else ("unknown" if self.begin == "unknown" else "range")
        known(line, self.find, ["range", "keynum", "unknown"], "way to find keys")
        self.numbers = [integer(line, word) for word in words]
        if self.find == "range" and not words:
            self.numbers = [0, 1, 0]
        if len(self.numbers) != (0 if self.find == "unknown" else 3):
            line.fail(f"{self.find} takes three numbers")
        for child in line.children:
            if child.words()[0] != "note":
                child.fail("only a note belongs to a key")
            self.note = text_of(child)


class Argument:
    """NAME TYPE ["TOKEN"] [key=N] [since=V] [deprecated=V] [optional] [multiple] [multiple_token]"""

    def __init__(self, line):
        words = line.words()
        if len(words) < 2:
            line.fail("an argument is NAME TYPE ...")
        self.name, self.type = words[0], known(line, words[1], ARGUMENT_TYPES, "type of argument")
        self.token = self.since = self.deprecated = None
        self.key, self.flags = -1, []
        for word in words[2:]:
            option, _, value = word.partition("=")
            if word.startswith('"') and word.endswith('"'):
                self.token = word[1:-1]
            elif option in ("since", "deprecated") and value:
                setattr(self, option, value)
            elif option == "key" and value:
                self.key = integer(line, value)
            else:
                self.flags.append(known(line, word, ["optional", "multiple", "multiple_token"], "word of an argument"))
        self.children = [Argument(child) for child in line.children]
        if bool(self.children) != (self.type in ("oneof", "block")):
            line.fail("oneof and block have arguments of their own, the other types none")


def text_of(line):
    """The text behind a field's name; deeper lines continue it."""
    parts = [line.text.partition(" ")[2].strip()] + [child.text for child in line.children]
    return " ".join(parts)


class Row:
    def __init__(self, line):
        self.line = line
        words = line.words()
        if len(words) < 3:
            line.fail("a row is NAME ARITY REPLICATES flag... @category...")
        self.name = words[0]
        if not re.fullmatch(r"[a-z][a-z0-9_-]*(\|[a-z][a-z0-9_-]*)?", self.name):
            line.fail(f"'{self.name}' is no name of a command")
        self.arity = integer(line, words[1])
        self.replicates = known(line, words[2], REPLICATES, "way to replicate")
        self.flags, categories = [], []
        self.handler, self.key_finder, self.pending = None, None, False
        self.first_element = self.element_step = 0
        for word in words[3:]:
            if word.startswith("@"):
                categories.append(known(line, word[1:], CATEGORIES, "ACL category"))
            elif word.startswith("handler="):
                self.handler = word[8:]
            elif word.startswith("keys="):
                self.key_finder = word[5:]
            elif word.startswith("elements="):
                first, _, step = word[9:].partition("/")
                self.first_element = integer(line, first)
                self.element_step = integer(line, step) if step else 0
            elif word == "pending":
                self.pending = True
            else:
                self.flags.append(known(line, word, FLAGS, "flag"))
        if self.replicates == "MAY":
            self.flags.append("may_replicate")
        for flag in self.flags:
            categories += IMPLIED.get(flag, [])
        if "scripting" in categories and "readonly" in self.flags:
            categories.remove("read")
        if "fast" not in categories:
            categories.append("slow")
        self.categories = [word for word in CATEGORIES if word in categories]
        self.summary = self.since = self.group = self.complexity = None
        self.deprecated = self.replaced_by = None
        self.doc_flags, self.history, self.tips, self.keys, self.arguments = [], [], [], [], []
        self.subcommands = []
        for field in line.children:
            self.read_field(field)
        for name in ("summary", "since", "group"):
            if getattr(self, name) is None:
                line.fail(f"{self.name} has no {name}")

    def read_field(self, field):
        name = field.words()[0]
        if name in ("summary", "since", "complexity", "replaced_by", "deprecated"):
            setattr(self, name, text_of(field))
        elif name == "group":
            self.group = known(field, text_of(field), GROUPS, "group")
        elif name == "syscmd":
            self.doc_flags.append(name)
        elif name == "history":
            version, _, text = text_of(field).partition(" ")
            if not text:
                field.fail("history VERSION TEXT")
            self.history.append((version, text.strip()))
        elif name == "tip":
            self.tips.append(text_of(field))
        elif name == "key":
            self.keys.append(KeySpec(field))
        elif name == "arguments":
            self.arguments = [Argument(child) for child in field.children]
        else:
            field.fail(f"'{name}' is no field of a row")

    def settle(self):
        """What needs the whole table: handler, and the first/last/step that clients of old know."""
        if self.handler is None and not self.subcommands:
            self.handler = "cmd_" + re.sub(r"[|-]", "_", self.name)
        if self.deprecated:
            self.doc_flags.insert(0, "deprecated")
        self.first_key = self.last_key = self.key_step = 0
        spans = [spec for spec in self.keys if spec.begin == "at" and spec.find == "range" and not spec.numbers[2]]
        if spans and spans[0] is self.keys[0]:
            self.first_key = min(spec.index for spec in spans)
            ends = [spec.numbers[0] if spec.numbers[0] < 0 else spec.index + spec.numbers[0] for spec in spans]
            self.last_key = min(ends) if min(ends) < 0 else max(ends)
            self.key_step = spans[0].numbers[1]
        for argument in walk_arguments(self.arguments):
            if argument.key >= len(self.keys):
                self.line.fail(f"argument {argument.name} names key {argument.key}, which is not there")

    def c_name(self):
        return re.sub(r"[|-]", "_", self.name)


def walk_arguments(arguments):
    for argument in arguments:
        yield argument
        yield from walk_arguments(argument.children)


def read_rows(folder):
    """All rows: top-level ones by name, then the subcommands of each; and the number of pending ones."""
    rows = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".def"):
            continue
        for line in read_tree(os.path.join(folder, name)):
            row = Row(line)
            if row.name in rows:
                line.fail(f"{row.name} stands also at {rows[row.name].line.where}")
            rows[row.name] = row
    for row in rows.values():
        container = row.name.partition("|")[0]
        if container != row.name:
            if container not in rows:
                row.line.fail(f"{container} has no row")
            rows[container].subcommands.append(row)
    for row in rows.values():
        row.settle()
    pending = [row for row in rows.values() if row.pending]
    top = sorted((row for row in rows.values() if "|" not in row.name), key=lambda row: row.name)
    table = []
    for row in top:
        row.subcommands = [sub for sub in row.subcommands if not sub.pending]
        if row.handler is None and not row.subcommands:
            row.pending = True  # a container without a subcommand that runs
        if row.pending and row.subcommands:
            row.line.fail(f"{row.name} is pending, but {row.subcommands[0].name} is not")
        if not row.pending:
            table.append(row)
    for row in list(table):
        table += row.subcommands
    return table, list(rows.values()), pending


# --- the perfect hash: src/cmd/command.c computes the same ---------------------------------------

MASK = (1 << 64) - 1


def words_of(name):
    """Two words that hold the name's first and last bytes, folded; see name_words() in command.c."""
    data = name.encode("ascii")
    size = len(data)
    if size >= 8:
        return int.from_bytes(data[:8], "little"), int.from_bytes(data[-8:], "little")
    if size >= 4:
        return int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
    return data[0] | data[size // 2] << 8 | data[-1] << 16, 0


def name_hash(name, seed):
    low, high = words_of(name)
    product = ((low ^ seed ^ len(name)) & MASK) * ((high ^ 0x9E3779B97F4A7C15) & MASK)
    return ((product & MASK) ^ (product >> 64)) & MASK


def perfect_hash(names):
    """(seed, displacements, slots): slot of a name is (hash >> 32 ^ displacement[hash & mask]) & slot mask."""
    slot_count = bucket_count = 8
    while slot_count < 2 * len(names):
        slot_count *= 2
    while bucket_count * 4 < slot_count:
        bucket_count *= 2
    for attempt in range(1, 1000):
        seed = (attempt * 0xD1B54A32D192ED03) & MASK
        buckets = {}
        for index, name in enumerate(names):
            value = name_hash(name, seed)
            buckets.setdefault(value & (bucket_count - 1), []).append(((value >> 32) & (slot_count - 1), index))
        slots, displacements = [0] * slot_count, [0] * bucket_count
        for bucket, members in sorted(buckets.items(), key=lambda item: -len(item[1])):
            for shift in range(slot_count):
                places = {place ^ shift for place, _ in members}
                if len(places) == len(members) and not any(slots[place] for place in places):
                    break
            else:
                break
            displacements[bucket] = shift
            for place, index in members:
                slots[place ^ shift] = index + 1
        else:
            return seed, displacements, slots
    raise RowError("no perfect hash was found")


# --- writing C ------------------------------------------------------------------------------------

def quoted(text):
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def c_flags(prefix, words):
    return " | ".join(f"{prefix}{C_FLAG.get(word, word.upper())}" for word in words) or "0"


def symbol(text):
    return re.sub(r"[^A-Za-z0-9]", "_", text).upper()


class Writer:
    def __init__(self):
        self.lines = []
        self.serial = 0

    def add(self, text):
        self.lines.append(text)

    def array(self, kind, name, items):
        """Declares a constant array and returns the expression `pointer, count`."""
        if not items:
            return "NULL, 0"
        self.add(f"static const {kind} {name}[] = {{")
        for item in items:
            self.add(f"    {item},")
        self.add("};")
        return f"{name}, {len(items)}"

    def arguments(self, arguments):
        if not arguments:
            return "NULL, 0"
        items = []
        for argument in arguments:
            children = self.arguments(argument.children)
            items.append("{%s, %s, %s, %s, ARGUMENT_%s, %s, %d, %s}" % (
                quoted(argument.name), quoted(argument.token), quoted(argument.since), quoted(argument.deprecated),
                symbol(argument.type), c_flags("ARGUMENT_IS_", argument.flags), argument.key, children))
        self.serial += 1
        return self.array("struct command_argument", f"arguments_{self.serial}", items)

    def row_parts(self, row):
        name = row.c_name()
        history = self.array("struct command_history", f"history_{name}",
                             ["{%s, %s}" % (quoted(version), quoted(text)) for version, text in row.history])
        arguments = self.arguments(row.arguments)
        self.add(f"static const struct command_docs docs_{name} = {{")
        self.add(f"    {quoted(row.summary)}, {quoted(row.since)}, {quoted(row.group)},")
        self.add(f"    {quoted(row.complexity)},")
        self.add(f"    {quoted(row.deprecated)}, {quoted(row.replaced_by)}, {c_flags('DOCS_', row.doc_flags)},")
        self.add(f"    {history}, {arguments}}};")
        specs = []
        for spec in row.keys:
            numbers = (spec.numbers + [0, 0, 0])[:3]
            specs.append("{%s, %s, KEYS_BEGIN_%s, KEYS_FIND_%s, %d, %s, {%d, %d, %d}}" % (
                quoted(spec.note), c_flags("KEY_", spec.flags), symbol(spec.begin), symbol(spec.find), spec.index,
                quoted(spec.keyword), *numbers))
        keys = self.array("struct key_spec", f"keys_{name}", specs)
        tips = self.array("char *const", f"tips_{name}", [quoted(tip) for tip in row.tips])
        return keys, tips


def write_table(table, path):
    out = Writer()
    out.add("/* Made by tools/commands.py from the rows in src/cmd. Compiled once, in server/commands.c. */")
    parts = {row.name: out.row_parts(row) for row in table}
    index = {row.name: number for number, row in enumerate(table)}
    top = [row for row in table if "|" not in row.name]
    out.add(f"const int command_count = {len(top)};")
    out.add(f"const int command_id_count = {len(table)};")
    out.add(f"const struct command command_table[{len(table)}] = {{")
    for row in table:
        keys, tips = parts[row.name]
        container, _, word = row.name.rpartition("|")
        subs = "NULL, 0"
        if row.subcommands:
            subs = f"&command_table[{index[row.subcommands[0].name]}], {len(row.subcommands)}"
        out.add("    {%s, %s, %d, %d, %s, %d," % (
            quoted(row.name), quoted(word), len(row.name), len(word), row.handler or "NULL", row.arity))
        out.add("     %s," % c_flags("CMD_", [flag for flag in FLAGS if flag in row.flags]))
        out.add("     REPLICATES_%s, %s," % (row.replicates, c_flags("CATEGORY_", row.categories)))
        out.add("     %d, %d, %d, %d, %d, %s, %s," % (row.first_key, row.last_key, row.key_step, row.first_element,
                                                     row.element_step, keys, row.key_finder or "NULL"))
        out.add("     %s, %s, %s, &docs_%s, %d}," % (
            subs, f"&command_table[{index[container]}]" if container else "NULL", tips, row.c_name(),
            index[row.name]))
    out.add("};")
    seed, displacements, slots = perfect_hash([row.name for row in top])
    out.add(f"static const uint16_t hash_displacements[{len(displacements)}] = {{")
    out.add("    " + ", ".join(map(str, displacements)))
    out.add("};")
    out.add(f"static const uint16_t hash_slots[{len(slots)}] = {{")
    out.add("    " + ", ".join(map(str, slots)))
    out.add("};")
    out.add("const struct command_hash command_hash = {0x%016xull, %d, %d, hash_displacements, hash_slots};" % (
        seed, len(displacements) - 1, len(slots) - 1))
    write(path, out.lines)


def write_handlers(rows, path):
    lines = ["/* Made by tools/commands.py from the rows in src/cmd: every handler, and every finder of keys. */",
             "#ifndef PANDO_GEN_HANDLERS_H", "#define PANDO_GEN_HANDLERS_H", '#include "cmd/command.h"']
    for handler in sorted({row.handler for row in rows if row.handler}):
        lines.append(f"enum err {handler}(struct call *call);")
    for finder in sorted({row.key_finder for row in rows if row.key_finder}):
        lines.append(f"key_finder {finder};")
    write(path, lines + ["#endif"])


def write(path, lines):
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def main(argv):
    if len(argv) != 3:
        sys.exit(__doc__)
    try:
        table, rows, pending = read_rows(argv[2] if argv[1] == "--check" else argv[1])
        if argv[1] != "--check":
            write_handlers(rows, os.path.join(argv[2], "handlers.h"))
            write_table(table, os.path.join(argv[2], "commands.inc"))
    except RowError as error:
        sys.exit(str(error))
    if pending:
        print(f"commands.py: {len(pending)} rows are pending: no handler yet")


if __name__ == "__main__":
    main(sys.argv)
