#!/usr/bin/python3
"""pando beside Debian's redis-server, in one run and one table: CPU per request, bytes per key, latency, full sync, files.

usage: bench/compare.py [--only GROUP[,GROUP]] [--rounds N] [--quick] [--scale F] [--server PATH] [--oracle PATH]

The servers take turns, each alone on the first core; what loads them has the second. Figures are medians of the rounds, the
ratio is pando's to Redis', and MISSED marks a row beyond its bar. After each measurement its work is checked: a row whose work
was not done is BAD. Groups: """
import argparse
import dataclasses
import signal
import sys

import expiry
import files
import growth
import latency
import memory
import servers
import speed
import start
import sync
from table import Table

GROUPS = {"speed": speed, "sync": sync, "latency": latency, "memory": memory, "start": start, "files": files,
          "growth": growth, "expiry": expiry}


@dataclasses.dataclass
class Bench:
    """What was asked for on the command line, as the groups need it."""
    binaries: dict  # by side
    generator: str
    rounds: int  # 0: what each group takes to be enough
    scale: float
    quick: bool

    def server(self, side, *options, **where):
        return servers.Server(self.binaries[side], *options, **where)

    def scaled(self, count):
        return max(1000, int(count * self.scale))

    def seconds(self, seconds):
        return max(1, seconds * min(1, self.scale))


def read_options():
    parser = argparse.ArgumentParser(description=__doc__ + ", ".join(GROUPS) + ".",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="GROUPS", help="some of the groups, separated by commas")
    parser.add_argument("--rounds", type=int, default=0, help="instead of 3 to 11, by group")
    parser.add_argument("--quick", action="store_true", help="the rows of GET and SET in the group speed, nothing else")
    parser.add_argument("--scale", type=float, default=1, help="a part of the keys and requests, to try things out")
    parser.add_argument("--server", default="build/pando-server")
    parser.add_argument("--oracle", default="/usr/bin/redis-server")
    parser.add_argument("--generator", default="build/bench/rate_load", help="what bench/rate_load.c was built to")
    options = parser.parse_args()
    options.only = ["speed"] if options.quick else options.only.split(",") if options.only else list(GROUPS)
    for name in options.only:
        if name not in GROUPS:
            parser.error(f"no group {name}: there are {', '.join(GROUPS)}")
    return options


def main():
    options = read_options()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell has it ignored
    for number in signal.SIGTERM, signal.SIGHUP:  # leaves every block, which stops what was started
        signal.signal(number, lambda *_: sys.exit(1))
    servers.inherit_load_core()
    bench = Bench({servers.PANDO: options.server, servers.REDIS: options.oracle}, options.generator, options.rounds,
                  options.scale, options.quick)
    if options.scale != 1:
        print(f"Scale {options.scale}: the rows are tried out, their figures tell nothing.")
    table = Table()
    try:
        for name in options.only:
            GROUPS[name].measure_all(bench, table)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    print(f"{table.rows} rows, {table.missed} missed, {table.bad} bad")
    sys.exit(1 if table.bad else 0)


if __name__ == "__main__":
    main()
