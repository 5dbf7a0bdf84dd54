"""RDB files of small keys: saving, and loading at the start. Both servers load the file that Redis wrote."""
import os
import shutil
import subprocess
import tempfile
import time

from servers import REDIS, SIDES, need
from table import Figures

KEYS = 5_000_000
SAVE, LOAD = "RDB save, 5 M small keys", "RDB load, 5 M small keys"


def make_file(bench, folder, keys):
    """Returns the digest of the keyspace that the file holds."""
    with bench.server(REDIS, folder=folder) as server:
        server.run("DEBUG", "POPULATE", keys)
        server.run("SAVE")
        return server.run("DEBUG", "DIGEST")


def check_file(path, keys):
    done = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True)
    need(done.returncode == 0 and f"{keys} keys read" in done.stdout, f"redis-check-rdb: {done.stdout.strip()[-80:]}")


def measure(bench, side, source, keys, digest):
    """Loads a copy of the file and writes it anew; returns the seconds of both."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = os.path.join(folder, "dump.rdb")
        shutil.copyfile(source, path)
        with bench.server(side, folder=folder) as server:
            need(server.run.info("persistence", "loading") == "0", "it answers before it has loaded")
            need(server.run("DBSIZE") == keys and server.run("DEBUG", "DIGEST") == digest, "other data were loaded")
            os.remove(path)
            began = time.monotonic()
            server.run("SAVE")
            save_s = time.monotonic() - began
            check_file(path, keys)
            return server.started_s, save_s


def measure_all(bench, table):
    figures, keys = Figures(), bench.scaled(KEYS)
    with figures.guard(REDIS, SAVE, LOAD), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        digest = make_file(bench, folder, keys)
        for _ in range(bench.rounds or 3):
            for side in SIDES:
                with figures.guard(side, SAVE, LOAD):
                    load_s, save_s = measure(bench, side, os.path.join(folder, "dump.rdb"), keys, digest)
                    figures.add(LOAD, side, load_s)
                    figures.add(SAVE, side, save_s)
    table.row(SAVE, "%.2f s", figures, times=0.5)
    table.row(LOAD, "%.2f s", figures, times=0.5)
