"""Small networks on this machine: namespaces of net and mount, held by a process each, and cables between them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

# wireguard-go and wg meet in this directory: each namespace gets one of its own.
DAD_OFF = "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
OWN_RUN = "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard"
HOLD = f"{OWN_RUN} && {DAD_OFF} && ip link set lo up && echo up && exec cat"


class Namespace:
    """One machine of the test: what runs in it sees its interfaces alone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._started: list[subprocess.Popen[bytes]] = []
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"up\n"

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command that runs ``arguments`` in here."""
        inside = ["nsenter", "--target", str(self.holder.pid), "--net", "--mount", "--"]
        return [*inside, *map(str, arguments)]

    def run(self, *arguments: str | Path, stdin: bytes = b"", timeout: float = 60) -> str:
        """Run a command to its end and return what it printed; fail when it does."""
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, timeout=timeout)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def works(self, *arguments: str | Path, timeout: float = 60) -> bool:
        """Return whether a command succeeds."""
        return subprocess.run(self.command(*arguments), capture_output=True, timeout=timeout).returncode == 0

    def start(self, *arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
        """Start a command that goes on until the namespace ends."""
        process = subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
        self._started.append(process)
        return process  # type: ignore[no-any-return]

    def end(self) -> None:
        """End everything that still runs in here, by its process id."""
        network = Path(f"/proc/{self.holder.pid}/ns/net").stat().st_ino
        assert network != Path("/proc/self/ns/net").stat().st_ino, "this is the machine's own network"
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != self.holder.pid:
                with contextlib.suppress(OSError):
                    if (entry / "ns/net").stat().st_ino == network:
                        os.kill(int(entry.name), 9)
        for process in [*self._started, self.holder]:
            process.kill()
            process.wait()


def cable(one: Namespace, other: Namespace, *, device: str, subnet4: str, subnet6: str, hosts: tuple[int, int]) -> None:
    """Join two namespaces by ``device``; ``subnet4`` as 192.0.2, ``subnet6`` as 2001:db8:1, the hosts' numbers."""
    one.run("ip", "link", "add", device, "type", "veth", "peer", "name", device, "netns", str(other.holder.pid))
    for space, host in zip((one, other), hosts, strict=True):
        space.run("ip", "address", "add", f"{subnet4}.{host}/24", "dev", device)
        space.run("ip", "address", "add", f"{subnet6}::{host}/64", "dev", device, "nodad")
        space.run("ip", "link", "set", device, "up")


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[list[Namespace]]:
    """Yield namespaces of these names and end them afterwards."""
    made: list[Namespace] = []
    try:
        for name in names:
            made.append(Namespace(name))
        yield made
    finally:
        for space in made:
            space.end()
