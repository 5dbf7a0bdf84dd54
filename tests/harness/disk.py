"""A disk so small that it is really full: a tmpfs in a mount namespace of the server's own, which vanishes with it."""
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o "size=$1" pando-test "$2" && shift 2 && exec "$@"'


def command(folder, size):
    """What executes the rest of a command line with a file system of `size` bytes at `folder`."""
    return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(size), str(folder)]


@lru_cache(None)
def can_mount():
    return subprocess.run([*command("/mnt", 1 << 20), "true"], capture_output=True).returncode == 0


class SmallDisk:
    """The folder `dir` of a server that was not started yet, on a disk of its own."""

    def __init__(self, server, size):
        if not can_mount():
            pytest.skip("mounting a file system is not permitted here")
        self.server = server
        self.folder = server.folder / "disk"
        self.folder.mkdir()
        server.prefix = command(self.folder, size)
        server.directives["dir"] = str(self.folder)
        server.write_config()

    @property
    def path(self):
        """The folder as the server sees it."""
        return Path(f"/proc/{self.server.pid}/root{self.folder}")

    def fill(self, leave=0):
        """Takes all room but `leave` bytes."""
        with open(self.path / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
        if leave:
            size = (self.path / "filler").stat().st_size
            with open(self.path / "filler", "r+b") as file:
                file.truncate(max(0, size - leave))

    def make_room(self):
        (self.path / "filler").unlink()
