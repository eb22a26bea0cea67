"""The firewall: one nftables ruleset for IPv4 and IPv6, as text for ``nft -f -``.

It is one transaction: either all of it holds or what was before. What it drops it drops in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from appliance.network.desired import LOCAL4, LOCAL6, DesiredNetwork
from appliance.network.ports import DICOM, HTTP, HTTPS, QUERY
from appliance.network.public import NOT_PUBLIC4, NOT_PUBLIC6

TABLE = "negatoscope"
UNKNOWN_SENDERS = {4: "unknown_senders4", 6: "unknown_senders6"}
OUTSIDERS = {4: "outsiders4", 6: "outsiders6"}
# Seconds that an address stays remembered, and how many of them: whoever forges more is not listed, nor let in.
UNKNOWN_SECONDS, MOST_UNKNOWN = 3600, 256
OUTSIDER_SECONDS, MOST_OUTSIDERS = 86400, 256
# Filled by what is wanted, unlike the sets above, which packets fill.
STATIC_SETS = ("senders4", "senders6", "pages4", "pages6", "narrow4", "narrow6")

# Chain: what nft calls its hook, priority and policy; a chain without is entered by a jump.
CHAINS: dict[str, tuple[str, int, str] | None] = {
    "guard": ("prerouting", -300, "accept"),
    "input": ("input", 0, "drop"),
    "in_tunnel": None,
    "forward": ("forward", 0, "drop"),
    "output": ("output", 0, "accept"),
}


def ruleset(
    senders: Iterable[IPv4Address | IPv6Address] = (), tunnel: DesiredNetwork | None = None, *, keep_seen: bool = True
) -> str:
    """Return the ruleset that lets in ``senders`` to the DICOM ports and, with ``tunnel``, its peers to the pages.

    With ``keep_seen`` the addresses seen so far (unknown senders, outsiders) stay remembered; without, the table is
    made afresh, which also works where another version of it lies.
    """
    begin = f"table inet {TABLE} {{}}\n{'flush' if keep_seen else 'delete'} table inet {TABLE}\n"
    body = "\n".join([*_declarations(), *(_chain(name, held) for name, held in rules(tunnel).items())])
    return f"{begin}table inet {TABLE} {{\n{body}}}\n{_fill(elements(senders, tunnel))}"


def rules(tunnel: DesiredNetwork | None) -> dict[str, list[str]]:
    """Return the rules of every chain of :data:`CHAINS`, in order."""
    return {
        "guard": _guard(tunnel),
        "input": _input(tunnel),
        "in_tunnel": _in_tunnel(tunnel),
        "forward": [],
        "output": _output(tunnel),
    }


def elements(
    senders: Iterable[IPv4Address | IPv6Address], tunnel: DesiredNetwork | None
) -> dict[str, list[IPv4Address | IPv6Address]]:
    """Return what each set of :data:`STATIC_SETS` holds, sorted."""
    found: dict[str, list[IPv4Address | IPv6Address]] = {name: [] for name in STATIC_SETS}
    for sender in senders:
        found[f"senders{sender.version}"].append(sender)
    for peer in tunnel.peers if tunnel is not None else ():
        room = "pages" if peer.reach == "pages" else "narrow"
        found[f"{room}4"].append(peer.ipv4)
        found[f"{room}6"].append(peer.ipv6)
    return {name: sorted(held, key=int) for name, held in found.items()}


def _declarations() -> list[str]:
    sets = [f"\tset {name} {{\n\t\ttype {_type(name)}\n\t}}\n" for name in STATIC_SETS]
    for names, size, seconds, key in (
        (UNKNOWN_SENDERS, MOST_UNKNOWN, UNKNOWN_SECONDS, ""),
        (OUTSIDERS, MOST_OUTSIDERS, OUTSIDER_SECONDS, " . inet_service"),
    ):
        sets += [
            f"\tset {name} {{\n\t\ttype {_type(name)}{key}\n\t\tsize {size}\n\t\tflags dynamic,timeout\n"
            f"\t\tcounter\n\t\ttimeout {seconds}s\n\t}}\n"
            for name in names.values()
        ]
    return sets


def _guard(tunnel: DesiredNetwork | None) -> list[str]:
    if tunnel is None:
        return []
    # A neighbour who routes the tunnel's subnet through the box would reach a socket bound to the tunnel's address:
    # Linux takes a packet for any of its addresses from any side. Such sources are refused as well.
    elsewhere = f'iifname != {{ "lo", "{tunnel.interface}" }}'
    return [
        f"{elsewhere} {family} {end} {network} counter drop"
        for family, network in (("ip", tunnel.ipv4.network), ("ip6", tunnel.ipv6.network))
        for end in ("daddr", "saddr")
    ]


def _input(tunnel: DesiredNetwork | None) -> list[str]:
    dicom = f"tcp dport {{ {DICOM.number}, {QUERY.number} }}"
    return [
        'iifname "lo" accept',
        *([f'iifname "{tunnel.interface}" jump in_tunnel'] if tunnel is not None else []),
        # A stranger's attempt to connect only arrives if the router lets everything through.
        _outsiders("ip", map(str, NOT_PUBLIC4), OUTSIDERS[4]),
        _outsiders("ip6", map(str, NOT_PUBLIC6), OUTSIDERS[6]),
        # Before what is established: a sender who is taken off the list is out in the middle of a connection.
        f"{dicom} ip saddr @senders4 accept",
        f"{dicom} ip6 saddr @senders6 accept",
        f"tcp dport {DICOM.number} ip saddr {_set(map(str, LOCAL4))} update @{UNKNOWN_SENDERS[4]} {{ ip saddr }}",
        f"tcp dport {DICOM.number} ip6 saddr {_set(map(str, LOCAL6))} update @{UNKNOWN_SENDERS[6]} {{ ip6 saddr }}",
        f"{dicom} counter drop",
        "ct state established,related accept",
        *([f"udp dport {tunnel.listen_port} accept"] if tunnel is not None else []),
        # IPv6 does not work without (RFC 4890 4.4.1); none of these comes through a router.
        "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
        "icmpv6 type mld-listener-query ip6 saddr fe80::/10 accept",
        f"ip saddr {_set(map(str, LOCAL4))} udp sport 67 udp dport 68 accept",
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
        "counter drop",
    ]


def _in_tunnel(tunnel: DesiredNetwork | None) -> list[str]:
    reaches: list[str] = []
    if tunnel is not None:
        wide = f"tcp dport {{ {HTTP.number}, {HTTPS.number}, {QUERY.number} }}"
        reaches = [
            f"{family} daddr {own} {family} saddr @{name}{version} {ports} accept"
            for family, version, own in (("ip", 4, tunnel.ipv4.ip), ("ip6", 6, tunnel.ipv6.ip))
            for name, ports in (("pages", wide), ("narrow", f"tcp dport {HTTP.number}"))
        ]
    # No word of established connections: whoever loses his reach loses it at once.
    return [*reaches, "counter drop"]


def _output(tunnel: DesiredNetwork | None) -> list[str]:
    # The open UDP port has to stay silent even while nothing listens behind it.
    inside = f'{{ "lo", "{tunnel.interface}" }}' if tunnel is not None else '"lo"'
    return [f"oifname != {inside} {protocol} type destination-unreachable drop" for protocol in ("icmp", "icmpv6")]


def _fill(found: dict[str, list[IPv4Address | IPv6Address]]) -> str:
    lines = [f"flush set inet {TABLE} {name}\n" for name in STATIC_SETS]
    lines += [f"add element inet {TABLE} {name} {_set(map(str, found[name]))}\n" for name in STATIC_SETS if found[name]]
    return "".join(lines)


def _outsiders(family: str, not_public: Iterable[str], name: str) -> str:
    return (
        f"{family} saddr != {_set(not_public)} ct state new tcp flags syn / fin,syn,rst,ack"
        f" update @{name} {{ {family} saddr . tcp dport }}"
    )


def _chain(name: str, held: Iterable[str]) -> str:
    lines = list(held)
    if (base := CHAINS[name]) is not None:
        hook, priority, policy = base
        lines.insert(0, f"type filter hook {hook} priority {priority}; policy {policy};")
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _set(members: Iterable[str]) -> str:
    return f"{{ {', '.join(members)} }}"


def _type(name: str) -> str:
    return "ipv4_addr" if name.endswith("4") else "ipv6_addr"
