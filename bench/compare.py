#!/usr/bin/python3
"""Speed and memory beside Debian's redis-server, in one run: requests a second, CPU per request, resident bytes per key.

usage: bench/compare.py [--rounds N] [--quick] [--server PATH] [--oracle PATH]

The two servers take turns, each alone on the first core; redis-benchmark has the second. Printed are medians, and pando's as a
ratio of Redis': below 1 is better for CPU and bytes, above 1 for requests. After each workload its work is checked.
"""
import argparse
import os
import socket
import statistics
import subprocess
import tempfile
import time

WORK = [  # label, redis-benchmark options, requests, flush first
    ("SET p1 c50", "-c 50 -P 1 -r 1000000 -d 16 -t set", 200000, True),
    ("GET p1 c50", "-c 50 -P 1 -r 1000000 -d 16 -t get", 200000, False),
    ("SET p16 c50", "-c 50 -P 16 -r 1000000 -d 16 -t set", 1500000, True),
    ("GET p16 c50", "-c 50 -P 16 -r 1000000 -d 16 -t get", 1500000, False),
    ("INCR p64 c50", "-c 50 -P 64 -r 1000000 -t incr", 2000000, True),
    ("MSET p16 c50", "-c 50 -P 16 -r 1000000 -t mset", 200000, True),
    ("SET 4KB p16", "-c 50 -P 16 -d 4096 -r 10000 -t set", 200000, True),
    ("GET 4KB p16", "-c 50 -P 16 -d 4096 -r 10000 -t get", 300000, False),
]
MEMORY = [  # label, value of key number i, deadline
    ("16/16", lambda i: "v" * 16, False),
    ("16/16 ttl", lambda i: "v" * 16, True),
    ("16/32", lambda i: "v" * 32, False),
    ("16/int", lambda i: str(i * 1000003), False),
    ("16/100", lambda i: "v" * 100, False),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, binary):
        self.port, self.folder = free_port(), tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", binary, "--port", str(self.port), "--save", "", "--dir", self.folder.name],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while self.cli("PING") != "PONG":
            assert time.monotonic() < deadline and self.process.poll() is None, f"{binary} does not start"

    def cli(self, *words, stdin=None):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], input=stdin, capture_output=True)
        return done.stdout.decode("latin1").strip()

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        for line in open(f"/proc/{self.process.pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return 0

    def errors(self):
        for line in self.cli("INFO", "stats").splitlines():
            if line.startswith("total_error_replies:"):
                return int(line.split(":")[1])
        return -1

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def speed(server, options, requests):
    errors, cpu = server.errors(), server.cpu()
    out = subprocess.run(["taskset", "-c", "1", "redis-benchmark", "-p", str(server.port), "--csv", "-n", str(requests),
                          *options.split()], capture_output=True, text=True, check=True).stdout
    used = server.cpu() - cpu
    assert server.errors() == errors, "error replies"
    assert int(server.cli("DBSIZE")) > 0, "nothing was written"
    row = [line for line in out.splitlines() if line.startswith('"')][-1]
    return float(row.split(",")[1].strip('"')), used / requests * 1e6


def memory(binary, value, deadline, keys):
    server = Server(binary)
    try:
        def load(first):
            lines = (f"SET key:{i:012d} {value(i)}{' EX 100000' if deadline else ''}\n" for i in range(first, first + keys))
            server.cli("--pipe", stdin="".join(lines).encode())
            return server.rss()
        first = load(0)
        return (load(keys) - first) / keys
    finally:
        server.stop()


def print_row(label, ours, theirs, form):
    print(f"{label:22s}{form % ours:>14s}{form % theirs:>14s}{ours / theirs if theirs else 0:>9.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the four plain rows, no memory")
    parser.add_argument("--server", default="build/pando-server")
    parser.add_argument("--oracle", default="/usr/bin/redis-server")
    options = parser.parse_args()
    work = WORK[:4] if options.quick else WORK
    results = {}
    for _ in range(options.rounds):
        for binary in (options.server, options.oracle):
            server = Server(binary)
            try:
                for label, words, requests, flush in work:
                    if flush:
                        server.cli("FLUSHALL")
                    results.setdefault((label, binary), []).append(speed(server, words, requests))
            finally:
                server.stop()
    print(f"{'':22s}{'pando':>14s}{'redis':>14s}{'ratio':>9s}")
    for label, *_ in work:
        ours, theirs = results[label, options.server], results[label, options.oracle]
        print_row(label + " req/s", *(statistics.median(r[0] for r in side) for side in (ours, theirs)), "%.0f")
        print_row(label + " us", *(statistics.median(r[1] for r in side) for side in (ours, theirs)), "%.3f")
    for label, value, deadline in [] if options.quick else MEMORY:
        print_row(label + " bytes/key", *(memory(b, value, deadline, 500000) for b in (options.server, options.oracle)), "%.1f")


main()
