"""The way in from the internet to the box's one UDP port: what was tried, and what that means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, get_args

from appliance.network.public import CARRIER, is_private, is_public

Protocol = Literal["pcp", "nat-pmp", "upnp"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
# What came of asking one protocol: the port is let through; nobody answered; the router does not want to; somebody
# else has the port; the router has no public address; its answers contradict each other or make no sense.
Outcome = Literal["mapped", "silent", "refused", "taken", "no_public_address", "contradicts"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Verdict = Literal[
    "no_router",  # this machine has no way to the internet at all
    "direct",  # this machine has a public address itself
    "mapped",  # the router lets the port through
    "other_port",  # it lets another one through: the line has only some of the ports
    "carrier_nat",  # the provider shares one public address among many lines
    "double_nat",  # another router stands before this one
    "no_public_address",  # one of these two, and the router does not say which
    "refused",  # the router was asked and does not want to
    "silent",  # the router knows none of the protocols, or they are off
    "contradicts",  # the router says one thing and does another
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of asking the router once. ``port`` is what the internet would reach and ``address`` the router's
    address outside, as far as it said them; ``seconds`` is the lease (0: until it is deleted); ``said`` is the
    router's number for its refusal."""

    protocol: Protocol
    outcome: Outcome
    port: int = 0
    address: Address | None = None
    seconds: int = 0
    said: str = ""


def candidates(port: int) -> list[int]:
    """Return the ports to ask for, ``port`` first: lines that share an address have a range of 1/4 to 1/16 of them.

    Every sixteenth has one; the ends of quarters come before those of sixteenths.
    """
    places = [(port + 4096 * step) % 65536 for step in range(16)]
    quarters = places[::4]
    others = [place for place in places if place not in quarters]
    return [place for place in quarters + others if place >= 1024]


def judge(own: Address | None, wanted: int, attempts: Sequence[Attempt]) -> Verdict:
    """Return what the attempts for IPv4 mean; ``own`` is this machine's address, ``wanted`` the port preferred."""
    if own is None:
        return "no_router"
    if is_public(own):
        return "direct"
    named = [attempt.address for attempt in attempts if isinstance(attempt.address, IPv4Address)]
    if any(address in CARRIER for address in named):
        return "carrier_nat"
    if any(is_private(address) for address in named):
        return "double_nat"
    for attempt in attempts:
        if attempt.outcome == "mapped":
            if attempt.address is None or not is_public(attempt.address):
                return "no_public_address"
            return "mapped" if attempt.port == wanted else "other_port"
    outcomes = {attempt.outcome for attempt in attempts}
    if "no_public_address" in outcomes:
        return "no_public_address"
    if "contradicts" in outcomes:
        return "contradicts"
    return "refused" if outcomes & {"refused", "taken"} else "silent"


def endpoint(attempt: Attempt | None) -> str:
    """Return ADDRESS:PORT at which the internet reaches the box after ``attempt``, empty if it does not."""
    if attempt is None or attempt.outcome != "mapped" or attempt.address is None or not is_public(attempt.address):
        return ""
    return host_and_port(attempt.address, attempt.port)


def host_and_port(address: Address, port: int) -> str:
    """Return ADDRESS:PORT as WireGuard writes it."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def is_no_public(address: Address) -> bool:
    """Return whether a router names its address outside, and it is none that the internet reaches."""
    return int(address) != 0 and not is_public(address)
