"""A box in a network namespace of its own, where the addresses of its tunnel lie on loopback.

netd's stand-in moves no packet; so a device's address is simply there, and who asks from it is that device. What the
real tunnel adds, that nobody else can ask from it, is shown in the lab.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.box import Box
from tests.inside import Inside
from tests.netd_simulator import NetdSimulator, simulated_netd

_numbers = itertools.count()


class TunnelledBox(Box):
    """A box whose pages are asked from its devices' addresses."""

    def __init__(self, root: Path, namespace: str, **settings: str) -> None:
        super().__init__(root, **{"tunnel": "fake", **settings})
        self.namespace = namespace
        self._network = Path("/run/netns") / namespace
        self.prefix = ("ip", "netns", "exec", namespace)
        self.listen = "0.0.0.0"
        self._addresses: set[str] = set()
        self.netd: NetdSimulator | None = None

    def client(self) -> httpx.Client:
        """Return a client at the box itself."""
        return httpx.Client(base_url=self.url, timeout=60, transport=Inside(self._network))

    def at(self, address: str) -> httpx.Client:
        """Return a fresh browser on the device with this address, or of a stranger's."""
        box = self.tunnel_address()
        self._have(address, box)
        inside = Inside(self._network, address)
        return httpx.Client(base_url=f"http://{box}:{self.http_port}", timeout=60, transport=inside)

    def from_device(self, address: str) -> str:
        """Return the box's address for a browser; whoever asks it from now on in the namespace has ``address``."""
        box = self.tunnel_address()
        self._have(address, box)
        way = ["local", box, "dev", "lo", "table", "local", "src", address]
        subprocess.run(["ip", "-n", self.namespace, "route", "replace", *way], check=True)
        return f"http://{box}:{self.http_port}"

    def _have(self, *addresses: str) -> None:
        for one in {*addresses} - self._addresses:
            subprocess.run(["ip", "-n", self.namespace, "addr", "add", f"{one}/32", "dev", "lo"], check=True)
            self._addresses.add(one)

    def tunnel_address(self) -> str:
        """Return the box's own address in the tunnel."""
        from appliance.people.devices import Devices
        from appliance.people.file import SystemFile

        file = SystemFile(self.state / "system.db")
        try:
            tunnel = Devices(file).tunnel()
        finally:
            file.close()
        assert tunnel is not None
        return tunnel.ipv4.partition("/")[0]

    def command(self, *arguments: str, code: int = 0) -> str:
        """Run a command on this box's state; return what it printed."""
        done = self.run(*arguments, "--state", str(self.state))
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return (done.stdout if code == 0 else done.stderr).decode()

    def invite(self, person: str, name: str, *more: str) -> dict[str, Any]:
        """Let a device in by the command line, and return what it says of it."""
        told = self.command("device", "add", "--person", person, "--name", name, "--no-wait", "--json", *more)
        return dict(json.loads(told))

    def devices(self) -> dict[str, dict[str, Any]]:
        """Return the devices by name as the command line lists them."""
        return {row["name"]: row for row in json.loads(self.command("device", "list", "--json"))}


@contextmanager
def tunnelled(root: Path, simulated: bool = False, **settings: str) -> Iterator[TunnelledBox]:
    """Yield a started box in a namespace of its own; both are gone afterwards.

    ``simulated``: netd is the test's own, as ``box.netd``, instead of the appliance's stand-in.
    """
    namespace = f"negatoscope-enrol-{os.getpid()}-{next(_numbers)}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        box = TunnelledBox(root, namespace, **settings)
        box.init()
        with contextlib.ExitStack() as stack:
            box.start()
            stack.callback(box.stop)
            if simulated:  # Another listener under the same name: from here on nobody finds the stand-in.
                box.netd = stack.enter_context(simulated_netd(box.state / "run/netd.sock"))
            box.command("device", "endpoint", "--outside", "box.example.org:51820", "--cabinet", "192.168.1.10:51820")
            yield box
    finally:
        subprocess.run(["ip", "netns", "delete", namespace], check=False)
