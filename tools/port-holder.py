#!/usr/bin/env python3
"""port-holder.py PORT: says who listens on a TCP port of this machine, from /proc alone.

Prints one line and exits 0 when the port is taken; exits 1, printing nothing, when it is free.
"""
import os
import sys


def listening_inodes(port):
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                next(lines)
                for line in lines:
                    field = line.split()
                    if field[3] == "0A" and int(field[1].rsplit(":", 1)[1], 16) == port:
                        inodes.add(field[9])
        except OSError:
            pass
    return inodes


def holder(inodes):
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{name}") in wanted:
                    with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                        command = cmdline.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                    return f"process {pid} ({command[:120]})"
        except OSError:
            continue
    return None


def main():
    inodes = listening_inodes(int(sys.argv[1]))
    if not inodes:
        return 1
    print(holder(inodes) or "a process of another user")
    return 0


if __name__ == "__main__":
    sys.exit(main())
