"""A box with a practice network on one side and the internet on the other, its netd the shipped command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

from appliance import sockets
from appliance.network import line, netd_wire
from appliance.network.desired import DesiredNetwork, Peer, Reach
from appliance.network.netd_wire import Request, Status
from appliance.network.wireguard_config import ClientTunnel, client_config
from appliance.paths import RunPaths, StatePaths
from appliance.sealing.tunnel_keys import new_preshared_key, new_private_key, public_key_of
from tests.box import APPLIANCE, wait_for
from tests.netd.namespaces import Namespace

NETWORK = DesiredNetwork(ipv4=IPv4Interface("10.83.12.1/24"), ipv6=IPv6Interface("fd83:12::1/64"))
OWN4, OWN6 = "10.83.12.1", "fd83:12::1"
OUTSIDE4, OUTSIDE6 = "203.0.113.2", "2001:db8:113::2"
INSIDE4, INSIDE6 = "192.168.77.2", "fd77::2"
PROBE = """
import asyncio, json, sys
async def probe(address, port, seconds):
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
            said = "answer" if await reader.read(64) else "closed"
            writer.close()
            return said
    except TimeoutError:
        return "silent"
    except OSError as error:
        return "refused"
async def all_of(places, seconds):
    return await asyncio.gather(*(probe(address, port, seconds) for address, port in places))
print(json.dumps(asyncio.run(all_of(json.loads(sys.argv[1]), float(sys.argv[2])))))
"""
ANSWER = """
import socket, sys, threading
def talk(connection):
    with connection:
        while connection.recv(4096):
            connection.sendall(b"answer\\n")
listeners = [
    socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True) for port in sys.argv[1:]
]
def serve(listener):
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
threads = [threading.Thread(target=serve, args=(listener,)) for listener in listeners]
for thread in threads: thread.start()
print("up", flush=True)
"""


@dataclass
class Netd:
    """netd on an archive of its own, in a namespace or in none."""

    state: Path
    log: Path
    tunnel: str = "real"
    space: Namespace | None = None
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.state)

    @property
    def socket(self) -> Path:
        return RunPaths(self.state / "run").netd

    def start(self) -> None:
        """Start ``appliance run netd`` and wait until it answers."""
        (self.state / "run").mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NEGATO_")}
        environment |= {"NEGATO_STATE": str(self.state), "NEGATO_TUNNEL": self.tunnel} | self.settings
        command = [*APPLIANCE, "run", "netd"]
        began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.space.command(*command) if self.space else command, env=environment, stderr=log
            )
        wait_for(lambda: self._ready(began), 20)

    def _ready(self, began: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return b'"ready"' in self.log.read_bytes()[began:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End netd; a real tunnel goes on."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(15)
            self.process = None

    def raw(self, request: bytes) -> bytes:
        """Return the answer to any bytes."""
        return sockets.ask(self.socket, request, line.LONGEST, 20, "netd")

    def status(self) -> Status:
        return netd_wire.decode_status(self.raw(netd_wire.encode_request(Request("status"))))

    def apply(self, network: DesiredNetwork) -> Status:
        return netd_wire.decode_status(self.raw(netd_wire.encode_request(Request("apply", network))))

    def disable_all(self) -> Status:
        return netd_wire.decode_status(self.raw(netd_wire.encode_request(Request("disable_all"))))

    def public_key(self) -> str:
        return netd_wire.decode_public_key(self.raw(netd_wire.encode_request(Request("server_public_key"))))


@dataclass
class Phone:
    """A device: its keys, its peer on the box, and the stock wg-quick with the text that the box made."""

    number: int
    private_key: str
    peer: Peer

    @classmethod
    def make(cls, number: int, reach: Reach = "pages") -> Phone:
        """Return device ``number`` (2 to 254) of :data:`NETWORK`."""
        private = new_private_key()
        addresses = IPv4Address(f"10.83.12.{number}"), IPv6Address(f"fd83:12::{number:x}")
        return cls(number, private, Peer(public_key_of(private), new_preshared_key(), *addresses, reach))

    def connect(self, space: Namespace, folder: Path, server_key: str, endpoint: str) -> None:
        """Bring the tunnel up in ``space``, as the app does after reading the code."""
        text = client_config(
            ClientTunnel(
                self.private_key, (self.peer.ipv4, self.peer.ipv6), server_key, self.peer.preshared_key,
                endpoint, (IPv4Address(OWN4), IPv6Address(OWN6)),
            )
        )  # fmt: skip
        file = folder / f"phone{self.number}.conf"
        file.write_text(text)
        file.chmod(0o600)
        space.run("wg-quick", "up", file)

    def disconnect(self, space: Namespace, folder: Path) -> None:
        """Take the tunnel down."""
        space.run("wg-quick", "down", folder / f"phone{self.number}.conf")


def with_peers(*phones: Phone, senders: tuple[str, ...] = ()) -> DesiredNetwork:
    """Return the network with these devices and confirmed senders."""
    addresses = tuple(IPv6Address(text) if ":" in text else IPv4Address(text) for text in senders)
    return replace(NETWORK, peers=tuple(phone.peer for phone in phones), senders=addresses)


def probe(space: Namespace, *places: tuple[str, int], seconds: float = 1.0) -> list[str]:
    """Return what ``space`` meets at each address and port: answer, refused (an RST or ICMP), closed, silent."""
    found: list[str] = json.loads(space.run("python3", "-c", PROBE, json.dumps(places), str(seconds)))
    return found


def reaches(space: Namespace, address: str, port: int, seconds: float = 2.0) -> bool:
    """Return whether ``space`` gets an answer from ``address``."""
    return probe(space, (address, port), seconds=seconds) == ["answer"]


def eventually(condition: object, seconds: float = 10) -> float:
    """Wait until ``condition`` holds; return how long that took."""
    began = time.monotonic()
    wait_for(condition, seconds)  # type: ignore[arg-type]
    return time.monotonic() - began
