"""What netd can be asked and what it answers: a closed table of verbs, one line each way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from appliance.errors import BadInput
from appliance.network import answers, line
from appliance.network.desired import DesiredNetwork, from_json, to_json
from appliance.network.wireguard_key import require_key

Verb = Literal["status", "apply", "disable_all", "server_public_key"]
VERBS: tuple[Verb, ...] = get_args(Verb)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``network`` belongs to ``apply`` alone."""

    verb: Verb
    network: DesiredNetwork | None = None


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A peer as the interface has it. ``endpoint`` is ADDRESS:PORT or empty, ``latest_handshake`` in Unix seconds
    (0: never), ``rx`` and ``tx`` in bytes from and to the peer since the interface came up."""

    public_key: str
    endpoint: str
    latest_handshake: int
    rx: int
    tx: int


@dataclass(frozen=True, slots=True)
class UnknownSender:
    """An address of the practice's network that tried the DICOM port in the last hour; ``last`` in Unix seconds."""

    address: str
    packets: int
    last: int


@dataclass(frozen=True, slots=True)
class Outsider:
    """A public address that opened a connection to ``port`` unasked in the last day: a router that lets it through."""

    address: str
    port: int
    packets: int
    last: int


@dataclass(frozen=True, slots=True)
class Status:
    """The tunnel and the firewall as they are; ``differences`` says in words where that is not what was asked for.

    ``applied`` is the fingerprint of the network that netd keeps up (``desired``), empty without one; ``local`` are the
    box's own addresses on the practice's network, each with its prefix length.
    """

    up: bool
    listen_port: int
    peers: tuple[PeerStatus, ...] = ()
    unknown_senders: tuple[UnknownSender, ...] = ()
    outsiders: tuple[Outsider, ...] = ()
    differences: tuple[str, ...] = ()
    applied: str = ""
    local: tuple[str, ...] = ()


def encode_request(request: Request) -> bytes:
    """Return a request as one line."""
    message: dict[str, Any] = {"verb": request.verb}
    if request.network is not None:
        message["network"] = to_json(request.network)
    return line.encode(message)


def decode_request(raw: bytes) -> Request:
    """Return the request on one line; :class:`BadInput` for everything that the table of verbs does not hold."""
    message = line.decode(raw)
    verb = message.pop("verb", None)
    if verb not in VERBS:
        raise BadInput("netd knows no such verb.", f"One of: {', '.join(VERBS)}.")
    network = from_json(message.pop("network", None)) if verb == "apply" else None
    if message:
        raise BadInput(f"{verb} takes no further field.")
    return Request(verb, network)


def encode_status(status: Status) -> bytes:
    """Return the answer to ``status`` and ``apply``."""
    return answers.encode_ok(asdict(status))


def decode_status(raw: bytes) -> Status:
    """Return the status in an answer; raises the error that the answer holds instead."""
    found = answers.decode(raw)
    try:
        return Status(
            up=bool(found["up"]),
            listen_port=int(found["listen_port"]),
            peers=tuple(PeerStatus(**item) for item in found["peers"]),
            unknown_senders=tuple(UnknownSender(**item) for item in found["unknown_senders"]),
            outsiders=tuple(Outsider(**item) for item in found["outsiders"]),
            differences=tuple(map(str, found["differences"])),
            applied=str(found["applied"]),
            local=tuple(map(str, found["local"])),
        )
    except (KeyError, TypeError, ValueError):
        raise BadInput("netd gave an answer that is none.") from None


def encode_public_key(public_key: str) -> bytes:
    """Return the answer to ``server_public_key``."""
    return answers.encode_ok({"public_key": public_key})


def decode_public_key(raw: bytes) -> str:
    """Return the public key (base64) in an answer; raises the error that the answer holds instead."""
    return require_key(answers.decode(raw).get("public_key"), "public_key")
