"""What the courier can be asked and what it answers: a closed table of verbs, one line each way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal, cast, get_args

from appliance.errors import BadInput
from appliance.network import answers, line
from appliance.network.way_in import OUTCOMES, PROTOCOLS, VERDICTS, Outcome, Protocol, Verdict
from appliance.network.wireguard_config import require_endpoint

Verb = Literal["status", "look"]
VERBS: tuple[Verb, ...] = get_args(Verb)
_SAID = re.compile(r"[a-z0-9]{0,16}")


@dataclass(frozen=True, slots=True)
class Tried:
    """One protocol that the router was asked by, and what came of it; ``said`` is the router's number for a refusal."""

    protocol: Protocol
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The way in as the courier knows it. Times are Unix seconds, 0 for never.

    ``verdict`` is about IPv4; ``outside4`` and ``outside6`` are the endpoints that the router lets through, empty
    without; ``router`` is its address here, ``own`` this machine's beside it, ``own6`` over IPv6; ``address`` is the
    router's outside. ``outside4`` is so since ``since``, ``former`` was the one before. ``looking``: a look is under
    way, all this is from before.
    """

    verdict: Verdict
    looking: bool
    looked: int
    router: str = ""
    own: str = ""
    own6: str = ""
    address: str = ""
    outside4: str = ""
    outside6: str = ""
    tried: tuple[Tried, ...] = ()
    since: int = 0
    former: str = ""


def encode_request(verb: Verb) -> bytes:
    """Return a request as one line."""
    return line.encode({"verb": verb})


def decode_request(raw: bytes) -> Verb:
    """Return the verb on one line; :class:`BadInput` for everything that the table of verbs does not hold."""
    message = line.decode(raw)
    verb = message.pop("verb", None)
    if verb not in VERBS:
        raise BadInput("The courier knows no such verb.", f"One of: {', '.join(VERBS)}.")
    if message:
        raise BadInput(f"{verb} takes no further field.")
    return cast(Verb, verb)


def encode_report(report: Report) -> bytes:
    """Return the answer to every verb."""
    tried = [{"protocol": one.protocol, "outcome": one.outcome, "said": one.said} for one in report.tried]
    names = [name for name in Report.__slots__ if name != "tried"]
    return answers.encode_ok({name: getattr(report, name) for name in names} | {"tried": tried})


def decode_report(raw: bytes) -> Report:
    """Return the report in an answer; raises the error that the answer holds instead."""
    found = answers.decode(raw)
    try:
        return Report(
            verdict=_one_of(VERDICTS, found["verdict"]),
            looking=found["looking"] is True,
            looked=_moment(found["looked"]),
            router=_address(found["router"]),
            own=_address(found["own"]),
            own6=_address(found["own6"]),
            address=_address(found["address"]),
            outside4=_endpoint(found["outside4"]),
            outside6=_endpoint(found["outside6"]),
            tried=tuple(
                Tried(_one_of(PROTOCOLS, one["protocol"]), _one_of(OUTCOMES, one["outcome"]), _said(one["said"]))
                for one in found["tried"]
            ),
            since=_moment(found["since"]),
            former=_endpoint(found["former"]),
        )
    except (KeyError, TypeError, ValueError):
        raise BadInput("The courier gave an answer that is none.") from None


def _address(text: Any) -> str:
    if "%" in str(text):
        raise ValueError  # A zone may hold anything.
    return str(ip_address(str(text))) if text else ""


def _endpoint(text: Any) -> str:
    if not text:
        return ""
    _address(str(text).rpartition(":")[0].strip("[]"))
    return require_endpoint(str(text), "endpoint")


def _moment(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError
    return value


def _said(text: Any) -> str:
    if not _SAID.fullmatch(str(text)):
        raise ValueError
    return str(text)


def _one_of(known: tuple[Any, ...], text: Any) -> Any:
    if text not in known:
        raise ValueError
    return text
