"""Asking the router by UPnP (Internet Gateway Device 1 and 2): port mapping for IPv4, pinhole for IPv6.

The router is asked itself, not the whole network by multicast: its answer passes the box's firewall, and nobody else
can answer in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any, TypeVar

from async_upnp_client.client import UpnpService
from async_upnp_client.client_factory import UpnpFactory
from async_upnp_client.exceptions import UpnpActionError, UpnpError
from async_upnp_client.ssdp import build_ssdp_search_packet, decode_ssdp_packet

from appliance.courier.asking import Nonsense, ask
from appliance.courier.lane import Lane
from appliance.courier.router_http import RouterHttp
from appliance.errors import BadInput
from appliance.logs import log_unexpected
from appliance.network.way_in import Attempt, is_no_public

SSDP = 1900
DEVICES = tuple(f"urn:schemas-upnp-org:device:InternetGatewayDevice:{version}" for version in (1, 2))
TRANSLATORS = ("urn:schemas-upnp-org:service:WANIPConnection:", "urn:schemas-upnp-org:service:WANPPPConnection:")
FIREWALL = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:"
DESCRIPTION = "Negatoscope"
SECONDS = 25.0
UDP = 17
# Of WANIPConnection:2, 2.5.16 and 2.5.18, and of UPnP itself.
ACTION_FAILED, NO_SUCH_ENTRY, CONFLICT, PERMANENT_ONLY = 501, 714, 718, 725

Result = TypeVar("Result")
Act = Callable[[Sequence[UpnpService]], Coroutine[Any, Any, Attempt]]


def let_in(lane: Lane, port: int, wished: Sequence[int], seconds: int) -> Attempt:
    """Have UDP let through to our ``port``, at the first of ``wished`` that is free."""
    return _with_router(lane, lambda services: _map(services, lane, port, wished, seconds))


def let_in6(lane: Lane, port: int, seconds: int) -> tuple[Attempt, int]:
    """Have UDP let through the router's firewall to our IPv6 address; return the pinhole's number too, -1 for none."""
    number = -1

    async def act(services: Sequence[UpnpService]) -> Attempt:
        nonlocal number
        attempt, number = await _pinhole(services, lane, port, seconds)
        return attempt

    return _with_router(lane, act), number


def withdraw(lane: Lane, port: int, place: int) -> None:
    """Have the mapping of our ``port`` at ``place`` deleted, wherever it is; another machine's is left alone."""

    async def act(services: Sequence[UpnpService]) -> Attempt:
        for service in _of(services, TRANSLATORS):
            if _is_ours(await _entry_at(service, place), lane, port, free=False):
                await _call(service, "DeletePortMapping", **_entry(place))
        return Attempt("upnp", "silent")

    _with_router(lane, act)


def withdraw6(lane: Lane, number: int) -> None:
    """Have a pinhole deleted."""

    async def act(services: Sequence[UpnpService]) -> Attempt:
        for service in _of(services, (FIREWALL,)):
            await _call(service, "DeletePinhole", UniqueID=number)
        return Attempt("upnp", "silent")

    _with_router(lane, act)


def _with_router(lane: Lane, act: Act) -> Attempt:
    """Return what ``act`` makes of the router's services, or that there are none or lies."""
    points_elsewhere = False

    def elsewhere() -> None:
        nonlocal points_elsewhere
        points_elsewhere = True

    async def run(location: str) -> Attempt:
        factory = UpnpFactory(RouterHttp(lane, elsewhere), non_strict=True)
        device = await factory.async_create_device(location)
        return await act(device.all_services)

    try:
        location = _location(lane)
        if location is None:
            return Attempt("upnp", "silent")
        return _run(run(location))
    except UpnpActionError as error:
        return Attempt("upnp", "refused", said=_number(error))
    except Exception as error:
        # The library stumbles over hostile descriptions in more ways than it has errors for.
        if not isinstance(error, (Nonsense, UpnpError, TimeoutError)):
            log_unexpected(error)
        return Attempt("upnp", "contradicts", said="elsewhere" if points_elsewhere else "")


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(bounded())


def _location(lane: Lane) -> str | None:
    """Return where the router describes itself, ``None`` if it is no UPnP router."""
    place = lane.place(SSDP)
    first, second = (build_ssdp_search_packet(place, 1, kind) for kind in DEVICES)
    return ask(lane, SSDP, first, lambda raw: _read_location(raw, place), second)


def _read_location(raw: bytes, place: Any) -> str:
    try:
        status, headers = decode_ssdp_packet(raw, None, place)
        location = str(headers.get("location", ""))
    except Exception:
        # The packet is the library's to read; whatever it stumbles over is no answer.
        raise BadInput("A router's SSDP answer cannot be read.") from None
    if " 200 " not in f"{status} " or not location or len(location) > 512:
        raise BadInput("A router's SSDP answer is none.")
    return location


async def _map(services: Sequence[UpnpService], lane: Lane, port: int, wished: Sequence[int], seconds: int) -> Attempt:
    found = _of(services, TRANSLATORS)
    if not found:
        return Attempt("upnp", "silent")
    for service in found:  # A router on DSL may have an idle one beside the one that is connected.
        address, said = await _address(service)
        if address is not None:
            break
    if address is None:
        return Attempt("upnp", "no_public_address", said=said)
    attempt = Attempt("upnp", "refused")
    for place in wished:
        attempt = await _map_at(service, lane, port, place, seconds)
        if attempt.outcome in ("mapped", "contradicts"):
            break
    if is_no_public(address) and attempt.outcome != "mapped":
        return Attempt("upnp", "no_public_address", address=address, said=attempt.said)
    return Attempt("upnp", attempt.outcome, attempt.port, address, attempt.seconds, attempt.said)


async def _map_at(service: UpnpService, lane: Lane, port: int, place: int, seconds: int) -> Attempt:
    # IGD 1 routers may give a port that another machine has to whoever asks last: it is left alone.
    if not _is_ours(await _entry_at(service, place), lane, port, free=True):
        return Attempt("upnp", "taken", said=str(CONFLICT))
    entry = _entry(place) | {
        "NewInternalPort": port, "NewInternalClient": str(lane.own), "NewEnabled": True,
        "NewPortMappingDescription": DESCRIPTION,
    }  # fmt: skip
    try:
        await _call(service, "AddPortMapping", **entry, NewLeaseDuration=seconds)
    except UpnpActionError as error:
        if error.error_code != PERMANENT_ONLY:
            return Attempt("upnp", "taken" if error.error_code == CONFLICT else "refused", said=_number(error))
        seconds = 0
        await _call(service, "AddPortMapping", **entry, NewLeaseDuration=seconds)
    if not _is_ours(await _entry_at(service, place), lane, port, free=False):
        return Attempt("upnp", "contradicts", place)
    return Attempt("upnp", "mapped", place, seconds=seconds)


async def _address(service: UpnpService) -> tuple[IPv4Address | None, str]:
    """Return the router's address outside as it says, ``None`` if it has none, with its number for that."""
    try:
        answer = await _call(service, "GetExternalIPAddress")
        address = IPv4Address(str(answer.get("NewExternalIPAddress") or "0.0.0.0"))  # noqa: S104 - the router's "none"
    except UpnpActionError as error:
        if error.error_code == ACTION_FAILED:
            return None, _number(error)
        raise
    return (address, "") if int(address) else (None, "")


async def _entry_at(service: UpnpService, place: int) -> Mapping[str, Any] | None:
    """Return what the router maps at ``place``, ``None`` for nothing, or if it does not tell."""
    try:
        return await _call(service, "GetSpecificPortMappingEntry", **_entry(place))
    except UpnpActionError as error:
        if error.error_code == NO_SUCH_ENTRY:
            return None
        return {}


def _is_ours(entry: Mapping[str, Any] | None, lane: Lane, port: int, free: bool) -> bool:
    """Return whether an entry leads to us; ``free`` is the answer for none. A router that does not tell is believed."""
    if entry is None:
        return free
    if not entry:
        return True
    return (str(entry.get("NewInternalClient")), entry.get("NewInternalPort")) == (str(lane.own), port)


async def _pinhole(services: Sequence[UpnpService], lane: Lane, port: int, seconds: int) -> tuple[Attempt, int]:
    found = _of(services, (FIREWALL,))
    if not found:
        return Attempt("upnp", "silent"), -1
    status = await _call(found[0], "GetFirewallStatus")
    if status.get("FirewallEnabled") is False:
        return Attempt("upnp", "mapped", port, lane.own), -1
    if status.get("InboundPinholeAllowed") is False:
        return Attempt("upnp", "refused"), -1
    answer = await _call(
        found[0], "AddPinhole", RemoteHost="", RemotePort=0, InternalClient=str(lane.own), InternalPort=port,
        Protocol=UDP, LeaseTime=seconds,
    )  # fmt: skip
    return Attempt("upnp", "mapped", port, lane.own, seconds), int(answer["UniqueID"])


async def _call(service: UpnpService, action: str, **arguments: Any) -> Mapping[str, Any]:
    if not service.has_action(action):
        raise UpnpActionError(error_code=401)
    return await service.action(action).async_call(**arguments)


def _entry(place: int) -> dict[str, Any]:
    return {"NewRemoteHost": "", "NewExternalPort": place, "NewProtocol": "UDP"}


def _of(services: Sequence[UpnpService], kinds: Sequence[str]) -> list[UpnpService]:
    return [service for service in services if service.service_type.startswith(tuple(kinds))]


def _number(error: UpnpActionError) -> str:
    return str(int(error.error_code))[:5] if error.error_code is not None else ""
