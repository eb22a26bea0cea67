"""Keeps the way in open: asks the router by one protocol after the other, asks again before the lease ends, and takes
the mapping back at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from appliance.courier import by_nat_pmp, by_pcp, by_upnp, kept
from appliance.courier.lane import Lane, lane4, lane6
from appliance.logs import log, log_unexpected
from appliance.network.courier_wire import Report, Tried
from appliance.network.public import is_public
from appliance.network.way_in import Attempt, Protocol, candidates, endpoint, host_and_port, judge
from appliance.paths import StatePaths

LEASE_SECONDS = 3600
# A router that was restarted has forgotten the mapping: it is asked again long before the lease ends.
AGAIN_SECONDS = 300
SOONEST_SECONDS = 30
# A round that is under way is waited for; the unit gives thirty seconds.
TAKE_BACK_SECONDS = 25.0
PROTOCOL_SECONDS = 8.0


class Keeper:
    """One thread asks the router; everybody else reads its last report."""

    def __init__(self, paths: StatePaths, port: int) -> None:
        """``port`` is the only one that is ever asked for: where WireGuard listens."""
        self._paths = paths
        self._port = port
        self._kept = kept.load(paths)
        self._report = Report("silent", looking=True, looked=0)
        self._open4: tuple[Protocol, Lane, int] | None = None
        self._open6: tuple[Protocol, Lane, int] | None = None
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="way-in", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def report(self) -> Report:
        """Return what is known."""
        return self._report

    def look(self) -> Report:
        """Ask the router again, now; return what was known before, marked as being looked at."""
        self._report = replace(self._report, looking=True)
        self._wake.set()
        return self._report

    def stop(self) -> None:
        """Take the mapping back: a port that leads to a box which is off may lead to another machine tomorrow."""
        self._over.set()
        self._wake.set()
        self._thread.join(TAKE_BACK_SECONDS)

    def _run(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            pause = AGAIN_SECONDS
            try:
                pause = self._round()
            except Exception as error:
                # A router whose answers we did not foresee must not end the courier.
                log_unexpected(error)
                self._report = replace(self._report, looking=False)
            self._wake.wait(pause)
        self._take_back()

    def _round(self) -> int:
        """Ask once; return after how many seconds to ask again."""
        four, six = lane4(), lane6()
        before = self._report
        # A silent router takes seconds a protocol: both families at once.
        with ThreadPoolExecutor(1) as other:
            asked6 = other.submit(self._ask6, six)
            attempts = self._ask4(four)
            attempt6 = asked6.result()
        done = attempts[-1] if attempts and attempts[-1].outcome == "mapped" else None
        verdict = judge(four.own if four else None, self._port, attempts)
        outside4 = endpoint(done)
        if verdict == "direct" and four is not None:
            outside4 = host_and_port(four.own, self._port)
        address = outside4.rpartition(":")[0]
        now = int(time.time())
        fresh = self._kept.at(outside4, now)
        if done is not None:
            fresh = replace(fresh, port=done.port)
        if fresh != self._kept or not self._paths.way_in.exists():
            self._kept = fresh
            kept.store(self._paths, fresh)
        self._report = Report(
            verdict=verdict,
            looking=False,
            looked=now,
            router=str(four.router) if four else "",
            own=str(four.own) if four else "",
            own6=str(six.own) if six else "",
            address=_named(attempts, address),
            outside4=outside4,
            outside6=endpoint(attempt6),
            tried=tuple(Tried(one.protocol, one.outcome, one.said) for one in attempts),
            since=fresh.since,
            former=fresh.former,
        )
        if (before.verdict, before.outside4, before.outside6) != (verdict, outside4, self._report.outside6):
            log("way_in", verdict=verdict, tried=[f"{one.protocol}:{one.outcome}" for one in attempts])
        leases = [one.seconds for one in (done, attempt6) if one is not None and one.seconds]
        return max(SOONEST_SECONDS, min([AGAIN_SECONDS, *(lease // 2 for lease in leases)]))

    def _ask4(self, lane: Lane | None) -> list[Attempt]:
        """Return what came of each protocol up to the first that lets the port through."""
        if lane is None or is_public(lane.own):
            return []
        # The usual port first, then the one that devices may know from an earlier time.
        wished = list(dict.fromkeys([self._port, self._kept.port or self._port, *candidates(self._port)]))
        attempts: list[Attempt] = []
        for attempt in self._protocols4(lane, wished):
            attempts.append(attempt)
            # One that contradicts itself may have let something through; one that fails now did so an hour ago.
            if attempt.port:
                self._open4 = (attempt.protocol, lane, attempt.port)
            if attempt.outcome == "mapped":
                break
        return attempts

    def _protocols4(self, lane: Lane, wished: Sequence[int]) -> Iterator[Attempt]:
        yield by_pcp.let_in(lane, self._nonce, self._port, self._until_over(wished), LEASE_SECONDS)
        yield by_nat_pmp.let_in(lane, self._port, self._until_over(wished), LEASE_SECONDS)
        if not self._over.is_set():
            yield by_upnp.let_in(lane, self._port, wished, LEASE_SECONDS)

    def _until_over(self, wished: Sequence[int]) -> Iterator[int]:
        """Yield the ports to ask for, until the box is stopped or a router has taken too long over them."""
        deadline = time.monotonic() + PROTOCOL_SECONDS
        for place in wished:
            if self._over.is_set() or time.monotonic() > deadline:
                return
            yield place

    def _ask6(self, lane: Lane | None) -> Attempt | None:
        """Have our own IPv6 address let through; there is nothing to translate, so the port is ours or none."""
        if lane is None or not is_public(lane.own):
            return None
        attempt = by_pcp.let_in(lane, self._nonce, self._port, [self._port], LEASE_SECONDS)
        number = self._port
        if attempt.outcome != "mapped":
            attempt, number = by_upnp.let_in6(lane, self._port, LEASE_SECONDS)
        elif (attempt.address, attempt.port) != (lane.own, self._port):
            attempt = replace(attempt, outcome="contradicts")
        if attempt.outcome == "mapped":
            self._open6 = (attempt.protocol, lane, number)
        return attempt

    def _take_back(self) -> None:
        with ThreadPoolExecutor(1) as other:
            other.submit(self._take_back6)
            match self._open4:
                case ("pcp", lane, _):
                    by_pcp.withdraw(lane, self._nonce, self._port)
                case ("nat-pmp", lane, _):
                    by_nat_pmp.withdraw(lane, self._port)
                case ("upnp", lane, place):
                    by_upnp.withdraw(lane, self._port, place)

    def _take_back6(self) -> None:
        match self._open6:
            case ("pcp", lane, _):
                by_pcp.withdraw(lane, self._nonce, self._port)
            case ("upnp", lane, number) if number >= 0:
                by_upnp.withdraw6(lane, number)

    @property
    def _nonce(self) -> bytes:
        return bytes.fromhex(self._kept.nonce)


def _named(attempts: Sequence[Attempt], address: str) -> str:
    """Return the router's address outside, public or not, as far as anybody said it."""
    named = [str(attempt.address) for attempt in attempts if attempt.address is not None]
    return address or next(iter(named), "")
