"""The firewall on this machine: one table of nftables, loaded in one transaction after it was tried."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from appliance.netd.programs import ProgramRefused, run
from appliance.network.desired import DesiredNetwork
from appliance.network.nft_listing import Listing, parse_listing
from appliance.network.ruleset import TABLE, ruleset


def try_out(senders: Iterable[IPv4Address | IPv6Address], tunnel: DesiredNetwork | None) -> str:
    """Return a ruleset that nft takes here and now; nothing is changed. :class:`ProgramRefused` when it takes none.

    Addresses seen so far are kept where the table that lies there allows it.
    """
    senders = tuple(senders)
    kept = ruleset(senders, tunnel)
    try:
        run("nft", "--check", "--file", "-", stdin=kept)
    except ProgramRefused:
        afresh = ruleset(senders, tunnel, keep_seen=False)
        run("nft", "--check", "--file", "-", stdin=afresh)
        return afresh
    return kept


def load(text: str) -> None:
    """Make a ruleset the firewall; :class:`ProgramRefused` when nft does not, and then nothing changed."""
    run("nft", "--file", "-", stdin=text)


def listing(moment: float) -> Listing | None:
    """Return our table as it is at ``moment`` (Unix seconds), ``None`` when there is none or it cannot be asked for."""
    try:
        return parse_listing(run("nft", "--json", "list", "table", "inet", TABLE), moment)
    except ProgramRefused:
        return None
