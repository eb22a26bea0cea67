"""HTTP with the router for UPnP: to addresses of the practice's own link alone, bounded in time and size."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import aiohttp
from async_upnp_client.client import UpnpRequester
from async_upnp_client.const import HttpRequest, HttpResponse
from async_upnp_client.exceptions import UpnpCommunicationError

from appliance.courier.lane import Lane

SECONDS = 5.0
LARGEST = 256 * 1024


class RouterHttp(UpnpRequester):
    """Asks what a description names only if it lies where ``lane`` leads: a router that points elsewhere is lying, and
    our request would be its request."""

    def __init__(self, lane: Lane, elsewhere: Callable[[], None] = lambda: None) -> None:
        """``elsewhere`` is called when the router points to another machine."""
        self._lane = lane
        self._elsewhere = elsewhere

    async def async_http_request(self, http_request: HttpRequest) -> HttpResponse:
        """Do one request; redirects are not followed. Raises :class:`UpnpCommunicationError`."""
        if not _is_on_link(http_request.url, self._lane):
            self._elsewhere()
            raise UpnpCommunicationError(message="not the router")
        try:
            connector = aiohttp.TCPConnector(local_addr=(str(self._lane.own), 0))
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.request(
                    http_request.method, http_request.url, headers=http_request.headers, data=http_request.body,
                    allow_redirects=False,
                ) as answer,
            ):  # fmt: skip
                body = bytearray()
                async for part in answer.content.iter_chunked(65536):
                    body += part
                    if len(body) > LARGEST:
                        raise UpnpCommunicationError(message="too long")
                return HttpResponse(answer.status, answer.headers, bytes(body).decode("utf-8", "replace"))
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise UpnpCommunicationError(message=type(error).__name__) from error


def _is_on_link(url: str, lane: Lane) -> bool:
    """Return whether ``url`` is plain HTTP at the router's own address; over IPv6 any of its addresses on our link."""
    try:
        parts = urlsplit(url)
        host = ip_address(parts.hostname or "")
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or parts.username is not None:
        return False
    if host == lane.own:
        return False
    return host == lane.router or (isinstance(host, IPv6Address) and _link(host) == _link(lane.own))


def _link(address: IPv4Address | IPv6Address) -> bytes:
    return address.packed[:8]
