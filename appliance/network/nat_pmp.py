"""NAT Port Mapping Protocol (RFC 6886): PCP's elder, for IPv4 alone, as bytes. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.errors import BadInput

PORT = 5351
_ADDRESS, _MAP_UDP, _ANSWER = 0, 1, 0x80
_HEAD = struct.Struct("!BBHI")
_MAPPING = struct.Struct("!BBxxHHI")

SUCCESS, UNSUPPORTED_VERSION, NOT_AUTHORIZED, NETWORK_FAILURE, NO_RESOURCES = range(5)

ADDRESS_REQUEST = bytes([0, _ADDRESS])


@dataclass(frozen=True, slots=True)
class Mapping:
    """A router's answer to a mapping request; ``port`` is what the internet reaches for ``seconds``."""

    result: int
    port: int
    seconds: int


def map_request(port: int, wished: int, seconds: int) -> bytes:
    """Return a request to let UDP through to our ``port``, from outside at ``wished`` if that is free.

    0 ``seconds`` deletes; ``wished`` must be 0 then (RFC 6886, 3.4).
    """
    return _MAPPING.pack(0, _MAP_UDP, port, wished, seconds)


def read_address(raw: bytes) -> tuple[int, IPv4Address]:
    """Return result and public address; :class:`BadInput` for what is no answer to :data:`ADDRESS_REQUEST`."""
    result = _result(raw, _ADDRESS)
    if result != SUCCESS:
        return result, IPv4Address(0)
    if len(raw) != _HEAD.size + 4:
        raise BadInput("A router's NAT-PMP answer has a length that none has.")
    return result, IPv4Address(raw[_HEAD.size :])


def read_mapping(raw: bytes, port: int) -> Mapping:
    """Return the answer to a mapping request for ``port``; :class:`BadInput` for anything that is none."""
    result = _result(raw, _MAP_UDP)
    if len(raw) != _HEAD.size + 8:
        if result != SUCCESS:
            return Mapping(result, 0, 0)
        raise BadInput("A router's NAT-PMP answer has a length that none has.")
    internal, external, seconds = struct.unpack_from("!HHI", raw, _HEAD.size)
    if internal != port:
        raise BadInput("A router's NAT-PMP answer is about another port.")
    return Mapping(result, external, seconds)


def _result(raw: bytes, asked: int) -> int:
    if len(raw) < _HEAD.size:
        raise BadInput("A router's NAT-PMP answer has a length that none has.")
    version, opcode, result, _epoch = _HEAD.unpack_from(raw)
    if version != 0 or opcode != _ANSWER | asked:
        raise BadInput("A router's NAT-PMP answer is none to what was asked.")
    return int(result)
