"""Asking the router by PCP (RFC 6887): IPv4 through its address translation, IPv6 through its firewall."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.courier.asking import Nonsense, ask
from appliance.courier.lane import Lane
from appliance.logs import log
from appliance.network import pcp
from appliance.network.way_in import Attempt, is_no_public


def let_in(lane: Lane, nonce: bytes, port: int, wished: Iterable[int], seconds: int) -> Attempt:
    """Have UDP let through to our ``port``, at the first of ``wished`` that the router gives."""
    answer = None
    for place in wished:
        try:
            answer = _ask(lane, nonce, port, place, seconds)
        except Nonsense:
            return Attempt("pcp", "contradicts")
        if answer is None or answer.result == pcp.UNSUPPORTED_VERSION:
            return Attempt("pcp", "silent")
        if answer.result == pcp.SUCCESS:
            if not answer.port or not int(answer.address) or answer.address.version != lane.own.version:
                return Attempt("pcp", "contradicts")
            return Attempt("pcp", "mapped", answer.port, answer.address, answer.seconds)
        if answer.result in (pcp.NETWORK_FAILURE, pcp.NO_RESOURCES) and is_no_public(answer.address):
            return Attempt("pcp", "no_public_address", address=answer.address, said=str(answer.result))
    return Attempt("pcp", "refused", said=str(answer.result)) if answer is not None else Attempt("pcp", "silent")


def withdraw(lane: Lane, nonce: bytes, port: int) -> None:
    """Have the mapping deleted; a router that does not, or does not answer, forgets it at the end of the lease."""
    try:
        answer = _ask(lane, nonce, port, 0, 0)
    except Nonsense:
        return
    if answer is not None and answer.result != pcp.SUCCESS:
        log("way_in_not_taken_back", protocol="pcp", result=answer.result)


def _ask(lane: Lane, nonce: bytes, port: int, wished: int, seconds: int) -> pcp.Answer | None:
    question = pcp.map_request(nonce, lane.own, port, wished, seconds)
    return ask(lane, pcp.PORT, question, lambda raw: pcp.read_answer(raw, nonce, port))
