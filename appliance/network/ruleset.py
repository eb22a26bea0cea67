"""The firewall as nftables reads it: one table for IPv4 and IPv6, everything else silent.

Applied again, the rules and the lists of the network are replaced in one step; what the box has seen meanwhile
(unknown senders, strangers) stays. What is dropped gets no answer: no reset, no "unreachable".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from appliance.network.desired import INTERFACE, Address, DesiredNetwork
from appliance.network.ports import DICOM, NARROW_PAGES, PAGES, QUERY

TABLE: Final = "negatoscope"
UNKNOWN: Final = ("unknown4", "unknown6")
STRANGERS: Final = ("strangers4", "strangers6")
# Addresses that no packet from the internet carries when it reaches a practice's network (RFC 1918, 3927, 4193, 6598).
_LOCAL4: Final = "10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16"
_LOCAL6: Final = "fc00::/7, fe80::/10"


def render(network: DesiredNetwork) -> str:
    """Return the text for ``nft -f -``."""
    pages = [peer for peer in network.peers if peer.reach == "pages"]
    narrow = [peer for peer in network.peers if peer.reach != "pages"]
    sets: dict[str, tuple[str, list[Address]]] = {
        "senders4": ("ipv4_addr", [s for s in network.senders if s.version == 4]),
        "senders6": ("ipv6_addr", [s for s in network.senders if s.version == 6]),
        "pages4": ("ipv4_addr", [peer.ipv4 for peer in pages]),
        "pages6": ("ipv6_addr", [peer.ipv6 for peer in pages]),
        "narrow4": ("ipv4_addr", [peer.ipv4 for peer in narrow]),
        "narrow6": ("ipv6_addr", [peer.ipv6 for peer in narrow]),
    }
    lines = [f"table inet {TABLE} {{"]
    lines += [f"    set {name} {{ type {kind}; }}" for name, (kind, _) in sets.items()]
    for name, kind in zip(UNKNOWN, ("ipv4_addr", "ipv6_addr"), strict=True):
        lines.append(f"    set {name} {{ type {kind}; size 256; flags dynamic,timeout; counter; timeout 1h; }}")
    for name, kind in zip(STRANGERS, ("ipv4_addr", "ipv6_addr"), strict=True):
        lines.append(f"    set {name} {{ type {kind}; size 1024; flags dynamic,timeout; counter; timeout 24h; }}")
    lines += ["}", f"flush table inet {TABLE}"]
    lines += [f"flush set inet {TABLE} {name}" for name in sets]
    lines += [
        f"add element inet {TABLE} {name} {{ {_listed(addresses)} }}"
        for name, (_, addresses) in sets.items()
        if addresses
    ]
    lines += [f"table inet {TABLE} {{", *_chains(network), "}"]
    return "\n".join(lines) + "\n"


def _chains(network: DesiredNetwork) -> list[str]:
    box4, box6 = network.ipv4.ip, network.ipv6.ip
    pages, narrow = _listed((*PAGES, QUERY)), _listed(NARROW_PAGES)
    return [
        "    chain guard {",
        "        type filter hook prerouting priority raw; policy accept;",
        "        # The tunnel's addresses are reached through the tunnel, not by a neighbour who routes them here.",
        f'        iifname != {{ "{INTERFACE}", "lo" }} ip daddr {network.ipv4.network} drop',
        f'        iifname != {{ "{INTERFACE}", "lo" }} ip6 daddr {network.ipv6.network} drop',
        "    }",
        "    chain input {",
        "        type filter hook input priority filter; policy drop;",
        '        iifname "lo" accept',
        f'        iifname "{INTERFACE}" jump tunnel',
        "        ct state established,related accept",
        "        ct state invalid drop",
        f"        udp dport {network.listen_port} accept",
        "        icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
        "        icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
        "        icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
        "        udp sport 67 udp dport 68 accept",
        "        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
        f"        ip saddr @senders4 tcp dport {{ {DICOM}, {QUERY} }} accept",
        f"        ip6 saddr @senders6 tcp dport {{ {DICOM}, {QUERY} }} accept",
        f"        ip saddr {{ {_LOCAL4} }} tcp dport {DICOM} add @unknown4 {{ ip saddr }} drop",
        f"        ip6 saddr {{ {_LOCAL6} }} tcp dport {DICOM} add @unknown6 {{ ip6 saddr }} drop",
        f"        ip saddr != {{ {_LOCAL4} }} add @strangers4 {{ ip saddr }} drop",
        f"        ip6 saddr != {{ {_LOCAL6} }} add @strangers6 {{ ip6 saddr }} drop",
        "    }",
        "    chain tunnel {",
        f"        ip saddr @pages4 ip daddr {box4} tcp dport {{ {pages} }} accept",
        f"        ip6 saddr @pages6 ip6 daddr {box6} tcp dport {{ {pages} }} accept",
        f"        ip saddr @narrow4 ip daddr {box4} tcp dport {{ {narrow} }} accept",
        f"        ip6 saddr @narrow6 ip6 daddr {box6} tcp dport {{ {narrow} }} accept",
        "        drop",
        "    }",
        "    chain forward {",
        "        type filter hook forward priority filter; policy drop;",
        "    }",
    ]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
