"""A network namespace with loopback at the MTU of an Ethernet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MTU = 1500


def possible() -> bool:
    """Return whether this user can make one."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@contextmanager
def namespace() -> Iterator[str]:
    """Make a namespace of a unique name, loopback up at MTU 1500; remove it afterwards."""
    name = f"negatoscope-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "mtu", str(MTU), "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def run_inside(arguments: list[str]) -> int:
    """Run this program again inside a namespace with ``arguments``; return its exit code."""
    with namespace() as name:
        process = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-m", "tests.bench", "--here", *arguments]
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            return 130


def loopback_mtu() -> int:
    """Return the MTU of loopback where we are."""
    with open("/sys/class/net/lo/mtu") as file:  # noqa: PTH123
        return int(file.read())
