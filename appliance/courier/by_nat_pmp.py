"""Asking the router by NAT-PMP (RFC 6886)."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.courier.asking import Nonsense, ask
from appliance.courier.lane import Lane
from appliance.network import nat_pmp
from appliance.network.way_in import Attempt


def let_in(lane: Lane, port: int, wished: Iterable[int], seconds: int) -> Attempt:
    """Have UDP let through to our ``port``, at the first of ``wished`` that the router gives."""
    try:
        said = ask(lane, nat_pmp.PORT, nat_pmp.ADDRESS_REQUEST, nat_pmp.read_address)
        if said is None or said[0] == nat_pmp.UNSUPPORTED_VERSION:
            return Attempt("nat-pmp", "silent")
        result, address = said
        if result == nat_pmp.NETWORK_FAILURE or (result == nat_pmp.SUCCESS and not int(address)):
            return Attempt("nat-pmp", "no_public_address", said=str(result))
        for place in wished:
            mapping = _ask(lane, port, place, seconds)
            if mapping is None:
                return Attempt("nat-pmp", "silent")
            result = mapping.result
            if result == nat_pmp.SUCCESS:
                if not mapping.port or not int(address):
                    return Attempt("nat-pmp", "contradicts")
                return Attempt("nat-pmp", "mapped", mapping.port, address, mapping.seconds)
    except Nonsense:
        return Attempt("nat-pmp", "contradicts")
    return Attempt("nat-pmp", "refused", said=str(result))


def withdraw(lane: Lane, port: int) -> None:
    """Have the mapping deleted; a router that does not answer forgets it at the end of the lease."""
    try:
        _ask(lane, port, 0, 0)
    except Nonsense:
        return


def _ask(lane: Lane, port: int, wished: int, seconds: int) -> nat_pmp.Mapping | None:
    question = nat_pmp.map_request(port, wished, seconds)
    return ask(lane, nat_pmp.PORT, question, lambda raw: nat_pmp.read_mapping(raw, port))
