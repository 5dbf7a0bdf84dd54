"""LATENCY: spikes are kept, drawn and forgotten; distributions have Redis' slots."""
from harness.resp import ReplyError, Status
from harness.wait import wait_until


def spikes(server, event):
    return server.call("LATENCY", "HISTORY", event)


def test_a_slow_command_is_kept_with_its_time(pando):
    server = pando(latency_monitor_threshold=20)
    server.call("PING")
    assert server.call("LATENCY", "LATEST") == []
    server.call("DEBUG", "SLEEP", "0.03")
    (second, took), = spikes(server, "command")
    assert 30 <= took
    name, last, latest, worst = server.call("LATENCY", "LATEST")[0]
    assert (name, last, latest, worst) == (b"command", second, took, took)


def test_a_second_keeps_its_worst(pando):
    server = pando(latency_monitor_threshold=1)

    def two_in_one_second():
        server.call("LATENCY", "RESET")
        server.call("DEBUG", "SLEEP", "0.05")
        server.call("DEBUG", "SLEEP", "0.002")
        return len(spikes(server, "command")) == 1
    wait_until(two_in_one_second)
    assert spikes(server, "command")[0][1] >= 50


def test_reset_forgets_what_it_names(pando):
    server = pando(latency_monitor_threshold=1)
    server.call("DEBUG", "SLEEP", "0.01")
    assert server.call("LATENCY", "RESET", "nosuch", "fast-command") == 0
    assert server.call("LATENCY", "RESET", "command", "command") == 1
    assert spikes(server, "command") == []
    server.call("DEBUG", "SLEEP", "0.01")
    assert server.call("LATENCY", "RESET") >= 1
    assert server.call("LATENCY", "LATEST") == []


def test_the_longest_turn_is_a_record(pando):
    server = pando()
    server.call("DEBUG", "SLEEP", "0.3")
    assert server.stat("engine_longest_turn_us") >= 300000
    server.call("CONFIG", "RESETSTAT")
    wait_until(lambda: 0 < server.stat("engine_longest_turn_us") < 300000)


def test_graph_draws_every_sample(pando):
    server = pando(latency_monitor_threshold=1)
    server.call("DEBUG", "SLEEP", "0.01")
    lines = server.call("LATENCY", "GRAPH", "command").decode().split("\n")
    assert lines[0].startswith("command - high ") and lines[0].endswith(" ms)")
    assert lines[1] == "-" * 80
    assert lines[2:7] == [" ", " ", " ", "_", " "], "one sample is the lowest of all"
    assert lines[7].isdigit() and lines[8] == "s"
    assert server.do("LATENCY", "GRAPH", "none") == b"ERR No samples available for event 'none'"


def test_doctor_speaks_of_what_was_seen(pando):
    server = pando(latency_monitor_threshold=0)
    assert b"latency-monitor-threshold" in server.call("LATENCY", "DOCTOR")
    server.configure(latency_monitor_threshold=10)
    assert b"No latency spike" in server.call("LATENCY", "DOCTOR")
    server.call("DEBUG", "SLEEP", "0.015")
    assert b"1. command: 1 latency spikes" in server.call("LATENCY", "DOCTOR")


def test_histogram_has_the_shape_of_redis(pando, oracle):
    ours, theirs = pando(), oracle()
    for protocol in 2, 3:
        shapes = []
        for server in ours, theirs:
            with server.connect(protocol) as connection:
                connection.call("CONFIG", "RESETSTAT")
                for _ in range(20):
                    connection.call("SET", "k", "v")
                reply = connection.call("LATENCY", "HISTOGRAM", "set", "nosuch", "get")
            (name, body), = reply if protocol == 3 else [tuple(reply)]
            pairs = dict(body if protocol == 3 else zip(body[::2], body[1::2]))
            levels = pairs[b"histogram_usec"]
            levels = list(levels) if protocol == 3 else list(zip(levels[::2], levels[1::2]))
            assert levels == sorted(levels) and levels[-1][1] == 20
            assert all(upto in LEVELS for upto, _ in levels)
            shapes.append((type(reply), name, list(pairs), pairs[b"calls"]))
        assert shapes[0] == shapes[1]


LEVELS = {1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065}


def test_histogram_of_a_container_names_its_subcommands(pando):
    server = pando()
    server.call("CONFIG", "GET", "port")
    assert server.call("LATENCY", "HISTOGRAM", "config")[0] == b"config|get"
    assert server.call("LATENCY", "HISTOGRAM", "CONFIG|GET")[0] == b"config|get"


def test_errors_and_help_are_those_of_redis(pando, oracle):
    ours, theirs = pando(), oracle()
    for command in ["LATENCY"], ["LATENCY", "NOSUCH"], ["LATENCY", "GRAPH"], ["LATENCY", "LATEST", "x"], ["LATENCY", "HELP"], \
            ["MEMORY"], ["MEMORY", "NOSUCH"], ["MEMORY", "USAGE"], ["MEMORY", "STATS", "x"], ["MEMORY", "HELP"]:
        mine, other = ours.do(*command), theirs.do(*command)
        assert (type(mine), mine) == (type(other), other), command
        assert isinstance(mine, (ReplyError, list))
    assert isinstance(ours.call("MEMORY", "PURGE"), Status)
