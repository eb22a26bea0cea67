"""The practice's router as it is asked to let a port through: Debian's miniupnpd, whose parts can be switched off."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.box import wait_for
from tests.lab.places import ROUTER4, Places

# The router drops what comes from outside unasked, IPv6 too, but for what miniupnpd lets through.
RULES = """
table inet filter
delete table inet filter
table inet filter {
    chain mini {}
    chain mini_in {}
    chain mini_out {}
    chain input { type filter hook input priority 0; SILENCED }
    chain forward { type filter hook forward priority 0; policy drop;
        ct state established,related accept; iifname "lan0" accept; jump mini; }
    chain before { type nat hook prerouting priority -110; jump mini_in; }
    chain after { type nat hook postrouting priority 90; jump mini_out; }
}
"""
CONFIGURATION = """
ext_ifname=wan0
listening_ip=lan0
port=5555
enable_natpmp={ports}
enable_upnp={upnp}
secure_mode=yes
force_igd_desc_v1={igd1}
min_lifetime=120
max_lifetime={longest}
uuid=3f6dcdff-df23-48b0-a9a6-d194d830d0bb
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=mini
upnp_nat_chain=mini_in
upnp_nat_postrouting_chain=mini_out
allow {allowed} {client} 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
# miniupnpd knows PCP and NAT-PMP at one port, told apart by the first byte of a question.
SILENCED = {
    "pcp": "udp dport 5351 @th,64,8 2 drop;",
    "nat-pmp": "udp dport 5351 @th,64,8 0 drop;",
}


@dataclass
class Mapper:
    """miniupnpd on the practice's router."""

    places: Places
    folder: Path

    @property
    def pid(self) -> Path:
        return self.folder / "miniupnpd.pid"

    def start(
        self,
        *speaks: str,
        allowed: str = "1024-65535",
        client: str = "192.168.77.0/24",
        igd1: bool = False,
        longest: int = 86400,
    ) -> None:
        """Begin to speak these protocols alone (pcp, nat-pmp, upnp), and to give ``client`` the ports ``allowed``."""
        self.stop()
        silenced = "".join(rule for name, rule in SILENCED.items() if speaks and name not in speaks)
        self.places.router.run("nft", "-f", "-", stdin=RULES.replace("SILENCED", silenced).encode())
        ports = "yes" if {"pcp", "nat-pmp"} & set(speaks) else "no"
        upnp, version = ("yes" if yes else "no" for yes in ("upnp" in speaks, igd1))
        file = self.folder / "miniupnpd.conf"
        file.write_text(
            CONFIGURATION.format(ports=ports, upnp=upnp, igd1=version, allowed=allowed, client=client, longest=longest)
        )
        if not speaks:
            return
        # As a daemon: it tries port after port for one that it may give, and writes each down when it is watched.
        self.places.router.run("miniupnpd", "-f", file, "-P", self.pid)
        sockets = ":1900 " if "upnp" in speaks else ":5351 "
        wait_for(lambda: sockets in self.places.router.run("ss", "-lnu"), 10)

    def stop(self) -> None:
        """End it; what it let through goes with the rules at the next start."""
        if self.pid.exists():
            number = int(self.pid.read_text())
            os.kill(number, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{number}").exists(), 10)
            self.pid.unlink(missing_ok=True)

    def let_through(self) -> str:
        """Return the rules that miniupnpd made."""
        return self.places.router.run("nft", "list", "chain", "inet", "filter", "mini_in")

    def pinholes(self) -> str:
        """Return the rules that miniupnpd made for IPv6 and for what is translated."""
        return self.places.router.run("nft", "list", "chain", "inet", "filter", "mini")

    @contextmanager
    def outside(self, address: str) -> Iterator[None]:
        """Have the router get another address from its provider."""
        router = self.places.router
        router.run("sysctl", "-qw", "net.ipv4.conf.wan0.promote_secondaries=1")
        router.run("ip", "address", "add", f"{address}/24", "dev", "wan0")
        router.run("ip", "address", "delete", f"{ROUTER4}/24", "dev", "wan0")
        try:
            yield
        finally:
            router.run("ip", "address", "add", f"{ROUTER4}/24", "dev", "wan0")
            router.run("ip", "address", "delete", f"{address}/24", "dev", "wan0")
            router.run("ip", "route", "replace", "default", "via", "203.0.120.1")
