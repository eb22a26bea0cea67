"""What ``nft -j list table`` says: the addresses that packets brought in, and where the firewall is not the one wanted.

Source: libnftables-json(5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from appliance.errors import Damaged
from appliance.network.desired import DesiredNetwork
from appliance.network.netd_wire import Outsider, UnknownSender
from appliance.network.ruleset import (
    CHAINS,
    OUTSIDER_SECONDS,
    OUTSIDERS,
    STATIC_SETS,
    UNKNOWN_SECONDS,
    UNKNOWN_SENDERS,
    elements,
    rules,
)


@dataclass(slots=True)
class Listing:
    """Our table as it is. ``chains``: hook, priority and policy (``None``: no base chain); ``rules``: a digest of each
    rule, counters and handles left out; ``sets``: what the static sets hold, as texts."""

    chains: dict[str, tuple[str, int, str] | None] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, set[str]] = field(default_factory=dict)
    unknown_senders: list[UnknownSender] = field(default_factory=list)
    outsiders: list[Outsider] = field(default_factory=list)


def parse_listing(text: str, moment: float) -> Listing:
    """Return what nft's JSON says; ``moment`` is now in Unix seconds. :class:`Damaged` when it cannot be read."""
    found = Listing()
    try:
        for item in json.loads(text)["nftables"]:
            for kind, value in item.items():
                if reader := _READERS.get(kind):
                    reader(found, value, moment)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        raise Damaged("nft shows something that cannot be read.", "See: nft list ruleset") from None
    found.unknown_senders.sort(key=lambda sender: -sender.last)
    found.outsiders.sort(key=lambda outsider: -outsider.last)
    return found


def compare(
    senders: Iterable[IPv4Address | IPv6Address],
    tunnel: DesiredNetwork | None,
    loaded: Listing | None,
    found: Listing,
) -> list[str]:
    """Return in words where the firewall differs from what is wanted, and from how it was when it was ``loaded``."""
    texts = [
        f"The firewall's chain {name} is not as wanted."
        for name, base in CHAINS.items()
        if found.chains.get(name, "missing") != base
    ]
    texts += [f"The firewall has a chain of somebody else: {name}." for name in found.chains if name not in CHAINS]
    for name, wanted in rules(tunnel).items():
        if len(found.rules.get(name, [])) != len(wanted):
            texts.append(
                f"The firewall's chain {name} has {len(found.rules.get(name, []))} rules instead of {len(wanted)}."
            )
        elif loaded is not None and found.rules.get(name, []) != loaded.rules.get(name, []):
            texts.append(f"A rule of the firewall's chain {name} was changed.")
    for name, members in elements(senders, tunnel).items():
        if found.sets.get(name) != set(map(str, members)):
            texts.append(f"The firewall's set {name} does not hold what it should.")
    return texts


def _read_chain(found: Listing, value: dict[str, Any], _moment: float) -> None:
    base = (value["hook"], value["prio"], value["policy"]) if "hook" in value else None
    found.chains[value["name"]] = base
    found.rules.setdefault(value["name"], [])


def _read_rule(found: Listing, value: dict[str, Any], _moment: float) -> None:
    # What a rule counted is no part of what it is.
    expressions = [item for item in value["expr"] if "counter" not in item]
    digest = hashlib.sha256(json.dumps(expressions, sort_keys=True).encode()).hexdigest()
    found.rules.setdefault(value["chain"], []).append(digest)


def _read_set(found: Listing, value: dict[str, Any], moment: float) -> None:
    name, members = value["name"], value.get("elem", [])
    if name in STATIC_SETS:
        found.sets[name] = set(map(str, members))
    elif name in UNKNOWN_SENDERS.values():
        for one in (member["elem"] for member in members):
            last = int(moment) - (UNKNOWN_SECONDS - int(one["expires"]))
            found.unknown_senders.append(UnknownSender(str(one["val"]), int(one["counter"]["packets"]), last))
    elif name in OUTSIDERS.values():
        for one in (member["elem"] for member in members):
            address, port = one["val"]["concat"]
            last = int(moment) - (OUTSIDER_SECONDS - int(one["expires"]))
            found.outsiders.append(Outsider(str(address), int(port), int(one["counter"]["packets"]), last))


_READERS = {"chain": _read_chain, "rule": _read_rule, "set": _read_set}
