"""From where a request comes, as the socket says; a header that claims another address is not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from fastapi import Request

from appliance.clock import stamp
from appliance.enrol.whereabouts import Whereabouts, address_of, whereabouts
from appliance.people.devices import Devices

TRUSTED_SECONDS = 0.5
MOST_REMEMBERED = 512


class Visitors:
    """Tells which device asks. What system.db said of an address is believed for half a second."""

    def __init__(self, devices: Devices, clock: Callable[[], datetime]) -> None:
        self._devices = devices
        self._clock = clock
        self._seen: dict[str, tuple[float, Whereabouts]] = {}

    async def of(self, request: Request) -> Whereabouts:
        """Return from where a request comes."""
        return await self.at(request.client.host if request.client else "")

    async def at(self, host: str, fresh: bool = False) -> Whereabouts:
        """Return from where the other end of a socket asks; ``fresh`` asks system.db in any case."""
        address = address_of(host)
        if address is not None and address.is_loopback:
            return Whereabouts("loopback")
        now = time.monotonic()
        known = self._seen.get(host)
        if known is not None and now < known[0] and not fresh:
            return known[1]
        found = await asyncio.to_thread(self._look, address)
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen = {}
        self._seen[host] = (now + TRUSTED_SECONDS, found)
        return found

    def forget(self) -> None:
        """Ask system.db again for everybody."""
        self._seen = {}

    def _look(self, address: IPv4Address | IPv6Address | None) -> Whereabouts:
        tunnel = self._devices.tunnel()
        device = self._devices.at(str(address)) if tunnel is not None and address is not None else None
        return whereabouts(address, tunnel, device, stamp(self._clock()))
