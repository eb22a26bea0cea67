"""How devices find the box from outside: what the courier knows, what was written down by hand, and what was proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, IPv6Interface, ip_address
from typing import Literal

from appliance.clock import stamp
from appliance.enrol.courier import CourierClient
from appliance.enrol.enrolment import Enrolment, Seen
from appliance.errors import NegatoError
from appliance.network.courier_wire import Report
from appliance.network.public import RELAY, is_public
from appliance.network.way_in import host_and_port

Source = Literal["hand", "name", "router", "none"]


@dataclass(frozen=True, slots=True)
class WayIn:
    """The way in. ``report`` is the courier's, ``None`` without one; ``outside`` is HOST:PORT as new devices are told,
    from ``source``. ``reached`` is when a device last shook hands from outside (Unix seconds, 0: not since the tunnel
    came up); ``stale`` are the names of devices that were told an address that is no longer the practice's."""

    report: Report | None
    outside: str
    source: Source
    reached: int
    stale: tuple[str, ...]


class WayIns:
    """Knows where the internet finds the box, as far as the courier or a name say it."""

    def __init__(self, courier: CourierClient | None, public_name: str, port: int) -> None:
        """``public_name`` is kept by dynamic DNS, empty without; ``port`` is where WireGuard listens."""
        self._courier = courier
        self._name = public_name
        self.port = port

    def report(self) -> Report | None:
        """Return the courier's report, ``None`` where none runs or answers."""
        try:
            return self._courier.status() if self._courier is not None else None
        except NegatoError:
            return None

    def look(self) -> None:
        """Have the router asked again; :class:`EnvironmentProblem` when the courier does not run."""
        if self._courier is not None:
            self._courier.look()

    def endpoint(self) -> str:
        """Return HOST:PORT for new devices, empty if none is known.

        A name comes first: it stands for IPv6 and IPv4, of which the device takes what it has. An address can only be
        of one of them, and every network has IPv4.
        """
        report = self.report()
        known = (report.outside4 or report.outside6) if report is not None else ""
        if self._name:
            return f"{self._name}:{known.rpartition(':')[2] or self.port}"
        return known

    def inside(self) -> str:
        """Return ADDRESS:PORT on the practice's network as the courier sees it, empty without one.

        The pages themselves are shut off from the network and see no address.
        """
        report = self.report()
        own = ip_address(report.own) if report is not None and report.own else None
        return host_and_port(own, self.port) if own is not None and not is_public(own) else ""

    def state(self, enrolment: Enrolment) -> WayIn:
        """Return all that is known, with what the devices prove of it."""
        report, written = self.report(), enrolment.tunnel().outside
        outside = written or self.endpoint()
        source: Source = "hand" if written else "name" if self._name else "router" if outside else "none"
        seen = enrolment.listing()
        return WayIn(
            report, outside, source, _reached(seen, report), () if written or self._name else _stale(seen, report)
        )


def _reached(seen: Sequence[Seen], report: Report | None) -> int:
    """Return the last handshake from outside: from a public address that is not the practice's own, or by a relay."""
    own = report.address if report is not None else ""
    link = IPv6Interface(f"{report.own6}/64").network if report is not None and report.own6 else None
    found = [0]
    for one in seen:
        host = one.peer.endpoint.rpartition(":")[0].strip("[]") if one.peer is not None else ""
        if not host or one.peer is None or host == own:
            continue
        address = ip_address(host)
        if link is not None and isinstance(address, IPv6Address) and address in link:
            continue  # The practice's own network.
        if is_public(address) or address in RELAY:
            found.append(one.peer.latest_handshake)
    return max(found)


def _stale(seen: Sequence[Seen], report: Report | None) -> tuple[str, ...]:
    if report is None or not report.former:
        return ()
    changed = stamp(datetime.fromtimestamp(report.since, UTC))
    return tuple(one.device.name for one in seen if one.device.created < changed and one.device.reach == "pages")
