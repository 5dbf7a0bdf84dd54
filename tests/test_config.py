"""Configuration files, command lines and CONFIG, beside Redis 7.0.15."""
import re
import subprocess

import pytest

from harness.servers import ORACLE, PANDO, ROOT

OWN = {"io-threads-auto", "repl-log-memory-max", "repl-log-disk-max", "repl-slow-writers", "repl-backlog-seconds", "replica-refuse-emptied-primary"}  # directives that Redis 7.0.15 does not have


def refusal(binary, folder, *arguments, text=""):
    """What a server that refuses its configuration says: the block on stderr, or the reason in the log's one line."""
    result = subprocess.run([binary, *arguments], cwd=folder, input=text, capture_output=True, text=True, timeout=20)
    assert result.returncode == 1, (arguments, result)
    # Which file a fault stands in is said by pando alone.
    stderr = re.sub(r"(?m)^(Reading the configuration file, at line \d+) of .*$", r"\1", result.stderr)
    return stderr or re.search(r"# (Fatal error, .*)", result.stdout).group(1)


def same_refusal(folder, *arguments, text=""):
    ours, theirs = (refusal(binary, folder, *arguments, text=text) for binary in (PANDO, ORACLE))
    assert ours == theirs, arguments


# --- files ---

# Each file is followed by `--nosuch x`, so that a good one is refused too, with the line number that shows where the
# server believes to be.
FILES = [
    "timeout", "timeout 1 2", "nosuch 1", "TIMEOUT 1", "  timeout   x  ", "# c\n\n\ntimeout x", 'timeout "1',
    "timeout '1", 'timeout "1"x', 'timeout "1" # c', 'requirepass "a\\x41\\n" foo', "timeout 1\r\nhz x\r\n", "\\n", '"hz" x',
    '"" x', "''", "hz 0", "port 1 x", "always-show-logo \"yes\\n\"", 'always-show-logo "y\\x65s"',
    "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "bind", 'bind ""',
    "include /nosuch", "include /nosuch*", "include", "include a b", "include bad.conf",
    "save 1", "save", "save 1 1 1", 'save ""', 'save "" 1', 'save "1 1"',
    "client-output-buffer-limit normal 1", "client-output-buffer-limit", "client-output-buffer-limit foo 1 1 1",
    "client-output-buffer-limit normal 1 -1 1", "oom-score-adj-values 1 2", "oom-score-adj-values 1 2 x",
    "replicaof a", "replicaof a b", "replicaof a 0", "replicaof a 65536", "replicaof no one", "slaveof a b c",
    "list-max-ziplist-entries 1\nlist-max-ziplist-value 2\nlua-replicate-commands yes", "list-max-ziplist-entries",
    "list-max-ziplist-entries 1 2", "user", "user alice", "user alice on\nuser alice off", 'user "a b" on',
    "loadmodule", "sentinel monitor x 1 2 3", "foo.bar",
    "appendfilename a/b", "appenddirname a/b", 'appenddirname ""', 'appendfilename ""', "dbfilename a/b", 'dbfilename ""',
    "dir /nosuch", "dir /tmp x", "unixsocketperm 999", "unixsocketperm 1000", "unixsocketperm -1", "unixsocketperm 777",
    "notify-keyspace-events q", 'notify-keyspace-events "K E"', "maxmemory 1x", "maxmemory 1.5gb", "maxmemory-clients 5%",
    "maxmemory-clients 101%", "shutdown-on-sigterm save nosave", "shutdown-on-sigterm save now", "shutdown-on-sigterm",
    "supervised foo", "latency-tracking-info-percentiles 50 x", "latency-tracking-info-percentiles 101",
    "latency-tracking-info-percentiles", "requirepass", "requirepass a b", "io-threads 129", "databases 0",
    "repl-ping-slave-period 0", "slave-read-only maybe", 'proc-title-template "{x}"', "active-defrag-threshold-lower 5000",
    "tls-port 1", "tls-auth-clients foo", "repl-diskless-load flush", "maxmemory-policy foo", "key-load-delay x",
    'cluster-config-file ""', "cluster-announce-hostname a_b", "bio_cpulist 1", "min-slaves-to-write -1", "timeout -1",
    "socket-mark-id 4294967296", "daemonize yes no", "syslog-facility LOCAL3", "syslog-facility local9",
    "rename-command", "rename-command get", "rename-command nosuch x", "rename-command get set", "rename-command get a b",
    'rename-command GET ""\nrename-command GET x', "rename-command GET x\nrename-command x y\nrename-command GET z",
]


@pytest.mark.parametrize("lines", FILES)
def test_a_file_is_refused_alike(tmp_path, lines):
    (tmp_path / "bad.conf").write_text("timeout 1\nhz x\n")
    (tmp_path / "a.conf").write_text(lines + "\n")
    same_refusal(tmp_path, "a.conf", "--port", "0", "--nosuch", "x")


def test_a_cluster_node_is_no_replica(tmp_path):
    (tmp_path / "a.conf").write_text("replicaof a 1\ncluster-enabled yes\n")
    same_refusal(tmp_path, "a.conf")


# --- command lines ---

LINES = [
    ["a.conf", "--nosuch", "x"], ["--nosuch", "x"], ["--port", "0", "--nosuch", "x", "y"], ["--port", "0", "--nosuch"],
    ["--port"], ["--port", "--bla"], ["--port", "1", "2"], ["a.conf", "--port", "--bla"], ["--loglevel", "--bla"],
    ["--replicaof", "127.0.0.1", "abc"], ["--replicaof", "127.0.0.1 abc"], ["--replicaof 127.0.0.1 abc"],
    ["--replicaof", "--nosuch", "x"], ["--user", "a", "on", "--user", "a", "on"], ["--save", "--loglevel", "foo"],
    ["--save", "--nosuch", "x"], ["--save", "", "--nosuch", "x"], ["--save", "", "", "--nosuch", "x"],
    ["--save", "1", "--nosuch", "x"], ["--save", "1 1", "--nosuch", "x"], ["--save", "1", "1", "--nosuch", "x"],
    ["--save", "1 1 2", "--nosuch", "x"], ["--save", "--save", "--nosuch", "x"], ["--save ", "--nosuch", "x"],
    ["--SAVE", "--nosuch", "x"], ["a.conf", "--save", "--nosuch"], ["--maxmemory 700xx"], ["--maxmemory '700xx'"],
    ["loglevel", "foo", "--nosuch", "x"], ["--proc-title-template", "--my--title--template", "--nosuch", "x"],
    ["--shutdown-on-sigint", "nosave", "force", "now", "--nosuch", "x"], ["--shutdown-on-sigint", "nosave", "foo"],
    ["--", "nosuch", "x"], ["-", "--nosuch", "x"], ["-x"], ["--port=1"], ["a.conf", "port"], ["a.conf", "nosuch", "x"],
    ["a.conf", "--port", "0", "bar"], ["nosuch.conf"], ["nosuch.conf", "--port", "0"],
    ["--requirepass", 'a"b', "--nosuch", "x"], ["--requirepass", "a\nb", "--nosuch", "x"],
    ["--requirepass", "", "--nosuch", "x"], ["--bind", "-::1", "127.0.0.1", "--nosuch", "x"], ["--nosuch", "-x"],
    ["--nosuch", "--", "x"], ["--nosuch", "--"], ["--nosuch", ""], ["--nosuch a b", "c"], ["--nosuch 'a b' c"],
    ["--client-output-buffer-limit", "normal", "1", "2", "3", "slave", "1", "2"], ["--include", "a.conf", "--nosuch", "x"],
    ["--rename-command", "GET", "", "--nosuch", "x"], ["--port 0", "--nosuch", "x"], ["--port ", "--nosuch", "x"],
    ["--port", "0 1"], ["--port", "0", "", "--nosuch", "x"], ["--loglevel", "verbose --nosuch x"],
    ["--nosuch", "a\\b", "\x01\n\t\r\a\b", "'"], ["--daemonize", "--nosuch", "x"], ["--tls-port"],
]


@pytest.mark.parametrize("arguments", LINES, ids=" ".join)
def test_a_command_line_is_refused_alike(tmp_path, arguments):
    (tmp_path / "a.conf").write_text("port 0\nsave 900 1\n")
    same_refusal(tmp_path, *arguments)


@pytest.mark.parametrize("arguments", [["-"], ["a.conf", "-"], ["--port", "0", "-"], ["a.conf", "--port", "0", "-"],
                                       ["-", "--port", "0"], ["-", "-"], ["a.conf", "-", "--nosuch", "x"]], ids=" ".join)
def test_standard_input_is_read_alike(tmp_path, arguments):
    (tmp_path / "a.conf").write_text("port 0\nsave 900 1\n")
    same_refusal(tmp_path, *arguments, text="\nnosuch y\n")


def test_check_config_says_what_a_start_would(tmp_path):
    (tmp_path / "good.conf").write_text("port 0\nrename-command GET x\n")
    (tmp_path / "bad.conf").write_text("port x\n")
    good, bad = (subprocess.run([PANDO, "--check-config", name], cwd=tmp_path, capture_output=True, text=True, timeout=20)
                 for name in ("good.conf", "bad.conf"))
    assert good.returncode == 0
    assert bad.returncode == 1 and refusal(ORACLE, tmp_path, "bad.conf").splitlines()[-2:] == bad.stderr.splitlines()[-2:]


# --- CONFIG GET and SET ---

def pairs(reply):
    return dict(zip(reply[::2], reply[1::2]))


def all_settings(server):
    return {name.decode(): value.decode() for name, value in pairs(server.call("CONFIG", "GET", "*")).items()}


def test_names_and_defaults_are_those_of_redis(pando, oracle):
    bare = dict.fromkeys(("bind", "save", "enable-debug-command", "enable-protected-configs", "repl-diskless-sync-delay",
                          "repl-ping-replica-period", "shutdown-timeout", "loglevel"))
    ours, theirs = (all_settings(start(**bare)) for start in (pando, oracle))
    for settings in (ours, theirs):
        del settings["port"], settings["dir"]
    assert OWN <= set(ours)
    assert {name: value for name, value in ours.items() if name not in OWN} == theirs


def test_every_value_can_be_set_to_itself(pando):
    server = pando()
    for name, value in all_settings(server).items():
        reply = server.do("CONFIG", "SET", name, value)
        assert reply == b"OK" or reply.endswith(b"can't set immutable config"), (name, reply)
        assert server.config(name) == value


VALUES = ["-1", "bogus", "", "0", "1", "yes", "no", "5", "100", "1gb", "1k", "5%", "save", "default", "a b", "0 0 0", "1 1",
          "a.b", "99999999999999999999"]
# Setting these has effects outside the reply, other in the two servers (ports, TLS, memory limits that close clients).
APART = {"port", "bind", "tls-port", "maxclients", "requirepass", "activedefrag", "appendonly", "oom-score-adj",
         "proc-title-template", "jemalloc-bg-thread", "timeout", "dir"}


def test_values_are_taken_and_refused_alike(pando, oracle):
    ours, theirs = pando(), oracle()
    for name, value in all_settings(theirs).items():
        if name in APART or name.startswith("tls-"):
            continue
        for tried in VALUES:
            if name.startswith("maxmemory") and tried.startswith("999"):
                continue  # wraps around in Redis
            replies = [server.do("CONFIG", "SET", name, tried) for server in (ours, theirs)]
            assert replies[0] == replies[1], (name, tried)
            shown = [server.config(name) for server in (ours, theirs)]
            assert shown[0] == shown[1], (name, tried)
        for server in (ours, theirs):
            server.do("CONFIG", "SET", name, value)


def test_all_or_nothing(pando, oracle):
    for start in (pando, oracle):
        server = start()
        reply = server.do("CONFIG", "SET", "timeout", "77", "maxmemory-policy", "allkeys-lru", "HZ", "x")
        assert reply == b"ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer"
        assert (server.config("timeout"), server.config("maxmemory-policy")) == ("0", "noeviction")
        taken = start().port
        reply = server.do("CONFIG", "SET", "timeout", "77", "port", taken)
        assert reply == b"ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. " \
                        b"Check server logs."
        assert (server.config("timeout"), server.config("port")) == ("0", str(server.port))
        assert server.connect().do("PING") == b"PONG"


def test_protected_directives_ask_for_leave(pando, oracle):
    for start in (pando, oracle):
        server = start(**{"enable-protected-configs": "no"})
        for name in ("dir", "dbfilename"):
            assert server.do("CONFIG", "SET", name, "x") == \
                b"ERR CONFIG SET failed (possibly related to argument '%s') - can't set protected config" % name.encode()


# --- CONFIG REWRITE ---

def test_a_rewritten_file_starts_the_same_server(pando):
    server = pando(**{"rename-command": "FLUSHALL wipe", "maxmemory": "1gb", "save": ["900 1", "300 10"]})
    with open(server.config_file, "a") as file:
        file.write("# a comment\n\n# Another\n")
    server.configure("hz", "20", "save", "5 6 7 8", "masterauth", 'a "b"\n', "notify-keyspace-events", "KEA",
                     "client-output-buffer-limit", "replica 1mb 0 0")
    before = all_settings(server)
    assert server.call("CONFIG", "REWRITE") == b"OK"
    text = server.config_file.read_text()
    assert "rename-command FLUSHALL wipe\n" in text and "# a comment\n\n# Another\n" in text
    assert "maxmemory 1gb\n" in text and "save 5 6\nsave 7 8\n" in text and "900 1" not in text
    server.restart()
    assert all_settings(server) == before
    assert server.call("wipe") == b"OK"
    assert server.call("CONFIG", "REWRITE") == b"OK"
    assert server.config_file.read_text() == text


def test_redis_reads_what_pando_rewrites(pando, oracle):
    server = pando()
    server.configure("hz", "20", "save", "5 6 7 8", "masterauth", 'a "b"\n', "notify-keyspace-events", "KEA")
    server.call("CONFIG", "REWRITE")
    settings = all_settings(server)
    server.stop()
    other = oracle(port=server.port)
    other.stop()
    other.config_file.write_text(server.config_file.read_text())
    other.start()
    theirs = all_settings(other)
    assert {name: value for name, value in settings.items() if name not in OWN} == theirs


def test_without_a_file_there_is_nothing_to_rewrite(pando, oracle):
    for start in (pando, oracle):
        server = start(start=False)
        text = server.config_file.read_text()
        server.config_file.write_text("")
        server.arguments = [word for line in text.splitlines() for word in
                            ["--" + line.split()[0], *line.replace('""', "").split()[1:]]]
        server.start()
        assert server.call("CONFIG", "REWRITE") == b"OK"  # the empty file is one
        assert f"port {server.port}\n" in server.config_file.read_text()


# --- the shipped file, and the list of what has no effect ---

def table():
    """Names, aliases and flags of config.def."""
    rows = re.findall(r'^[A-Z]+\([^"\n]*"([^"]+)", ("[^"]+"|NULL),.*, ([A-Z_ |0]+)\)$',
                      (ROOT / "src/server/config.def").read_text(), re.M)
    assert len(rows) >= 178
    return {name: (alias.strip('"'), flags) for name, alias, flags in rows}


def test_the_shipped_file_starts_a_safe_server_and_names_every_directive(tmp_path):
    text = (ROOT / "pando.conf").read_text()
    active = [line.split()[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert {"bind", "protected-mode", "daemonize"} <= set(active)
    assert "bind 127.0.0.1 -::1\n" in text and "protected-mode yes\n" in text and "daemonize no\n" in text
    offered = set(active) | set(re.findall(r"^# ([a-z][a-z_-]*)(?: |$)", text, re.M))
    hidden = {name for name, (_, flags) in table().items() if "HIDDEN" in flags}
    assert set(table()) - hidden <= offered
    # Every example must be good: the file with its examples switched on passes. An example is a line `# name value`
    # whose name is a directive's; prose that begins with such a word is written so that it does not.
    names = set(table()) | {"rename-command", "include", "user", "loadmodule"}
    examples = [line[2:] for line in text.splitlines() if line.startswith("# ") and line[2:].split()[0:1] and
                line[2:].split()[0] in names]
    skipped = ("include", "loadmodule", "dir", "cluster-enabled")
    (tmp_path / "all.conf").write_text("\n".join(line for line in examples if line.split()[0] not in skipped) + "\n")
    for name in (ROOT / "pando.conf", tmp_path / "all.conf"):
        result = subprocess.run([PANDO, "--check-config", name], capture_output=True, text=True, timeout=20)
        assert result.returncode == 0, result.stderr


def test_compatibility_lists_what_has_no_effect():
    text = (ROOT / "docs/COMPATIBILITY.md").read_text()
    listed = re.search(r"<!-- directives without effect -->\n(.*?)<!-- end -->", text, re.S).group(1)
    assert sorted(re.findall(r"`([a-z_-]+)`", listed)) == sorted(name for name, (_, flags) in table().items() if "INERT" in flags)


def test_what_has_no_effect_is_named_once_at_start(pando):
    inert = sorted(name for name, (_, flags) in table().items() if "INERT" in flags)
    if not inert:
        pytest.skip("every directive has its effect")
    server = pando(**{"cluster-node-timeout": "15001", "timeout": "10"})
    lines = [line for line in server.log().splitlines() if "cluster-node-timeout" in line]
    assert len(lines) == 1 and "without effect" in lines[0]


def test_what_claims_an_effect_is_read_by_the_server():
    """A directive without the INERT flag is read somewhere outside the configuration itself."""
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.[ch]")
                   if not re.match(r"(config.*|.*_test|.*_fuzz)\.[ch]$", path.name))
    unread = [name for name, (_, flags) in table().items()
              if "INERT" not in flags and not re.search(r"->%s\b" % name.replace("-", "_"), code)]
    assert not unread, "without INERT, but nobody reads them"
