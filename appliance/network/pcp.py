"""Port Control Protocol, version 2 (RFC 6887): asking a router to let one UDP port through, as bytes. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.errors import BadInput

PORT = 5351
VERSION = 2
NONCE_BYTES = 12
LONGEST = 1100
_MAP, _ANSWER = 1, 0x80
_UDP = 17
_HEADER = struct.Struct("!BBHI16s")
_ANSWER_HEADER = struct.Struct("!BBxBII12x")
_BODY = struct.Struct("!12sB3xHH16s")
_MAPPED4 = bytes(10) + b"\xff\xff"

SUCCESS, UNSUPPORTED_VERSION, NOT_AUTHORIZED = 0, 1, 2
NETWORK_FAILURE, NO_RESOURCES, CANNOT_PROVIDE = 7, 8, 11

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """A router's answer to MAP. ``seconds`` is the lease or, in a refusal, how long it will go on refusing;
    ``address`` and ``port`` are what the internet reaches, if ``result`` is 0."""

    result: int
    seconds: int
    epoch: int
    port: int
    address: Address


def map_request(nonce: bytes, client: Address, port: int, wished: int, seconds: int) -> bytes:
    """Return a MAP request for UDP: ``client`` at ``port``, from outside at ``wished`` if that is free.

    ``nonce``: the 12 random bytes that own the mapping. 0 ``seconds`` deletes it. An IPv6 client asks for a hole in the
    router's firewall.
    """
    any_address = IPv4Address(0) if client.version == 4 else IPv6Address(0)
    head = _HEADER.pack(VERSION, _MAP, 0, seconds, _packed(client))
    return head + _BODY.pack(nonce, _UDP, port, wished, _packed(any_address))


def read_answer(raw: bytes, nonce: bytes, port: int) -> Answer:
    """Return the answer to a MAP request of ours; :class:`BadInput` for anything that is none.

    A router without PCP says so in an older version (RFC 6887, 9; RFC 6886, 3.5): :data:`UNSUPPORTED_VERSION`.
    """
    if not 4 <= len(raw) <= LONGEST:
        raise BadInput("A router's PCP answer has a length that none has.")
    if raw[0] < VERSION and raw[1] & _ANSWER and raw[2:4] in (b"\0\1", b"\1\0"):
        return Answer(UNSUPPORTED_VERSION, 0, 0, 0, IPv4Address(0))
    if raw[0] != VERSION or len(raw) % 4 or len(raw) < _ANSWER_HEADER.size or raw[1] != _ANSWER | _MAP:
        raise BadInput("A router's PCP answer is none to what was asked.")
    _, _, result, seconds, epoch = _ANSWER_HEADER.unpack_from(raw)
    if len(raw) < _ANSWER_HEADER.size + _BODY.size:
        if result == SUCCESS:
            raise BadInput("A router's PCP answer is cut off.")
        return Answer(result, seconds, epoch, 0, IPv4Address(0))
    given, protocol, internal, external, address = _BODY.unpack_from(raw, _ANSWER_HEADER.size)
    if (given, protocol, internal) != (nonce, _UDP, port):
        raise BadInput("A router's PCP answer is about another port.")
    return Answer(result, seconds, epoch, external, _unpacked(address))


def _packed(address: Address) -> bytes:
    return address.packed if address.version == 6 else _MAPPED4 + address.packed


def _unpacked(raw: bytes) -> Address:
    return IPv4Address(raw[12:]) if raw.startswith(_MAPPED4) else IPv6Address(raw)
