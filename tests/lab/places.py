"""A small internet: the practice behind its router, a phone behind its carrier, an attacker; all of it namespaces.

Addresses: the practice's router is 203.0.120.2 outside and 192.168.77.1 inside, the box 192.168.77.2 and
2001:db8:77::2; the phone is 100.64.7.2 behind 203.0.121.2. The router has no loop-back: its public address leads
nowhere from inside, and it answers nobody outside itself. Its IPv6 firewall is off, as some come.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.netd.namespaces import Namespace, cable, namespaces

ROUTER4 = "203.0.120.2"
BOX4, BOX6 = "192.168.77.2", "2001:db8:77::2"
SENSOR4, NEIGHBOUR4 = "192.168.77.40", "192.168.77.9"
WIREGUARD = 51820
FORWARDED = f"udp dport {WIREGUARD} dnat to {BOX4}"
# What home routers call DMZ: whatever nobody inside asked for goes to one machine.
DMZ = f"dnat to {BOX4}"


@dataclass(frozen=True)
class Places:
    """The machines."""

    internet: Namespace
    router: Namespace
    carrier: Namespace
    phone: Namespace
    attacker: Namespace
    box: Namespace
    sensor: Namespace
    neighbour: Namespace

    def forward(self, rule: str) -> None:
        """Have the practice's router forward what comes from outside as ``rule`` says."""
        text = f"flush chain ip nat forward\nadd rule ip nat forward iifname wan0 {rule}\n"
        self.router.run("nft", "-f", "-", stdin=text.encode())

    def on_4g(self) -> None:
        """Put the phone on its carrier's network and take it from the Wi-Fi."""
        self.phone.run("ip", "link", "set", "wifi0", "down")
        self.phone.run("ip", "link", "set", "cell0", "up")
        self.phone.run("ip", "route", "replace", "default", "via", "100.64.7.1")

    def on_wifi(self) -> None:
        """Put the phone on the practice's Wi-Fi and take it from the carrier."""
        self.phone.run("ip", "link", "set", "cell0", "down")
        self.phone.run("ip", "link", "set", "wifi0", "up")
        self.phone.run("ip", "route", "replace", "default", "via", "192.168.77.1")

    def wait_to_be_called(self, waits: bool) -> None:
        """Have the carrier lose every call that the phone begins (WireGuard's first message), or let them through."""
        rules = "flush chain ip nat calls\n"
        if waits:
            rules += "add rule ip nat calls iifname cell0 udp length 156 @th,64,8 1 drop\n"
        self.carrier.run("nft", "-f", "-", stdin=rules.encode())

    def rebind(self) -> None:
        """Have the carrier forget every connection, so that the phone's next packet comes from another port."""
        ports = "udp sport 1-65535 masquerade to :40000-50000 random"
        rules = f"flush chain ip nat out\nadd rule ip nat out oifname air0 {ports}\n"
        rules += "add rule ip nat out oifname air0 masquerade\n"
        self.carrier.run("nft", "-f", "-", stdin=rules.encode())
        self.carrier.run("conntrack", "--flush")


@contextmanager
def places() -> Iterator[Places]:
    """Yield the machines, connected; they are gone afterwards."""
    names = ("internet", "router", "carrier", "phone", "attacker", "box", "sensor", "neighbour")
    with namespaces(*names) as spaces:
        made = Places(*spaces)
        _internet(made)
        _practice(made)
        _carrier(made)
        yield made


def _internet(made: Places) -> None:
    for number, (device, other) in enumerate(
        (("wan0", made.router), ("air0", made.carrier), ("bad0", made.attacker)), start=120
    ):
        cable(
            made.internet, other, device=device, subnet4=f"203.0.{number}", subnet6=f"2001:db8:{number}", hosts=(1, 2)
        )
        other.run("ip", "route", "add", "default", "via", f"203.0.{number}.1")
        other.run("ip", "-6", "route", "add", "default", "via", f"2001:db8:{number}::1")
    made.internet.run("ip", "-6", "route", "add", "2001:db8:77::/64", "via", "2001:db8:120::2")
    _routes(made.internet)


def _practice(made: Places) -> None:
    made.router.run("ip", "link", "add", "lan0", "type", "bridge")
    made.router.run("ip", "link", "set", "lan0", "up")
    made.router.run("ip", "address", "add", "192.168.77.1/24", "dev", "lan0")
    made.router.run("ip", "address", "add", "2001:db8:77::1/64", "dev", "lan0", "nodad")
    hosts = ((made.box, "lan0", 2), (made.sensor, "lan0", 40), (made.neighbour, "lan0", 9), (made.phone, "wifi0", 50))
    for number, (space, device, host) in enumerate(hosts):
        port = f"port{number}"
        made.router.run(
            "ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", str(space.holder.pid)
        )
        made.router.run("ip", "link", "set", port, "master", "lan0", "up")
        space.run("ip", "address", "add", f"192.168.77.{host}/24", "dev", device)
        space.run("ip", "address", "add", f"2001:db8:77::{host}/64", "dev", device, "nodad")
        if space is not made.phone:
            space.run("ip", "link", "set", device, "up")
            space.run("ip", "route", "add", "default", "via", "192.168.77.1")
            space.run("ip", "-6", "route", "add", "default", "via", "2001:db8:77::1")
    _routes(made.router)
    rules = """
table ip nat {
    chain forward { type nat hook prerouting priority -100; }
    chain out { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
}
table ip own {
    chain input { type filter hook input priority 0; iifname "wan0" ct state new drop; }
}
"""
    made.router.run("nft", "-f", "-", stdin=rules.encode())
    made.forward(FORWARDED)


def _carrier(made: Places) -> None:
    cable(made.carrier, made.phone, device="cell0", subnet4="100.64.7", subnet6="fd64:7", hosts=(1, 2))
    made.phone.run("ip", "route", "add", "default", "via", "100.64.7.1")
    _routes(made.carrier)
    rules = """
table ip nat {
    chain calls { type filter hook forward priority -1; }
    chain out { type nat hook postrouting priority 100; oifname "air0" masquerade; }
}
table inet filter {
    chain forward { type filter hook forward priority 0; policy drop;
        ct state established,related accept; iifname "cell0" accept; }
}
"""
    made.carrier.run("nft", "-f", "-", stdin=rules.encode())


def _routes(space: Namespace) -> None:
    space.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
