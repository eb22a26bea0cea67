"""Gives every inode of an ext4 image one time, so that two builds of one commit are equal: ``times.py IMAGE SECONDS``.

mke2fs takes the times of change from the build machine's file system, where nobody can set them, and calls the times
of making now. debugfs(8) sets them afterwards.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

# Not the time of modification: Python compares it with what its compiled files say.
FIELDS = ("atime", "ctime", "crtime")
EXTRA = ("atime_extra", "ctime_extra", "crtime_extra")


def used(image: str) -> list[int]:
    """Return the numbers of the inodes in use, by dumpe2fs(8)'s lists of the free ones."""
    told = subprocess.run(["/usr/sbin/dumpe2fs", image], capture_output=True, text=True, check=True).stdout
    match = re.search(r"^Inode count:\s+(\d+)$", told, re.MULTILINE)
    assert match is not None
    free: set[int] = set()
    for line in re.findall(r"^  Free inodes: (.*)$", told, re.MULTILINE):
        for part in filter(None, line.split(", ")):
            first, _, last = part.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    return [number for number in range(1, int(match[1]) + 1) if number not in free]


def main() -> None:
    """Set all of them."""
    image, seconds = sys.argv[1], sys.argv[2]
    commands = []
    for number in used(image):
        commands += [f"set_inode_field <{number}> {field} @{seconds}" for field in FIELDS]
        commands += [f"set_inode_field <{number}> {field} 0" for field in EXTRA]
    subprocess.run(
        ["/usr/sbin/debugfs", "-w", "-f", "-", image], input="\n".join(commands), text=True, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"E2FSPROGS_FAKE_TIME": seconds},
    )  # fmt: skip


main()
