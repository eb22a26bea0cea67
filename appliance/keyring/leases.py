"""Who may have keys unwrapped, for what, and until when: a table in memory.

Times are seconds of a monotonic clock, given by the caller, so that no jump of the wall clock ends or prolongs a lease.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.errors import NotLoggedIn, Refused
from appliance.paths import Kind

PURPOSES: dict[str, Kind] = {
    "view": "images",
    "retrieve": "images",
    "settle": "notes",
    "rebuild": "notes",
    "index": "notes",
}
PERSON_PURPOSES = frozenset({"view", "retrieve"})
JOB_PURPOSES = frozenset({"settle", "rebuild", "index"})
TICKET_PURPOSES = frozenset({"view"})
RECOVERY_SECONDS = 900.0
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """The process at the other end of a socket, as the kernel names it (SO_PEERCRED): its user and its pid."""

    user: int
    process: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one caller: a person who logged in, a ticket that one issued, or the appliance's own work.

    ``device`` is where the person logged in, an id, empty for the box itself; the lease is good there alone.
    ``scope`` holds the opaque keys of the studies it reaches, ``None`` for all of them. A lease on notes reaches no
    study, whatever its scope.
    """

    id: str
    person: str
    kind: str
    purposes: frozenset[str]
    ends: float
    idle_ends: float
    caller: Caller
    scope: frozenset[str] | None = None
    device: str = ""

    def objection(self, purpose: str, study: str) -> str:
        """Return why this lease does not cover a read, empty when it does."""
        if purpose not in self.purposes:
            return "purpose"
        if PURPOSES[purpose] == "notes":
            return "scope" if study else ""
        if not study or (self.scope is not None and study not in self.scope):
            return "scope"
        return ""


class TakenToken(Refused):
    """A token is used by another program than the one it was given to."""

    def __init__(self, lease: Lease) -> None:
        super().__init__("This session belongs to another program.", "Log in again.")
        self.lease = lease


class LeaseTable:
    """The leases that live. Only the SHA-256 of a token is kept."""

    def __init__(self, idle: float, longest: float) -> None:
        """A person's lease ends ``idle`` seconds after its last use and ``longest`` seconds after its beginning."""
        self._idle = idle
        self._longest = longest
        self._leases: dict[bytes, Lease] = {}
        self._ended: OrderedDict[bytes, Lease] = OrderedDict()

    def open_person(self, person: str, caller: Caller, now: float, device: str = "") -> tuple[str, Lease]:
        """Open a lease on all studies for somebody whose slot was just opened; return its token."""
        ends, idle_ends = now + self._longest, now + self._idle
        return self._open(Lease(_name(), person, "person", PERSON_PURPOSES, ends, idle_ends, caller, device=device))

    def open_ticket(self, issuer: Lease, studies: Iterable[str], now: float) -> tuple[str, Lease]:
        """Open a lease on some studies, to view only, in the name of the person who issues it.

        It ends with the longest time of its issuer's at the latest and never keeps the archive unlocked.
        """
        if issuer.kind != "person" or issuer.scope is not None:
            raise Refused("This session may issue no ticket.", "Ask the owner of the box.")
        scope = frozenset(studies)
        ends, device = issuer.ends, issuer.device
        return self._open(
            Lease(_name(), issuer.person, "ticket", TICKET_PURPOSES, ends, ends, issuer.caller, scope, device)
        )

    def open_job(self, caller: Caller, now: float) -> tuple[str, Lease]:
        """Open a lease for the appliance's own work on notes; it never outlives the last person's lease."""
        if not self.people(now):
            raise Refused("Nobody is logged in.", "Log in first.")
        ends = now + self._longest
        return self._open(Lease(_name(), "", "job", JOB_PURPOSES, ends, ends, caller, frozenset()))

    def open_recovery(self, caller: Caller, now: float) -> tuple[str, Lease]:
        """Open a lease for whoever showed the paper key: it reads nothing, and lets a device in or out for a while."""
        ends = now + RECOVERY_SECONDS
        return self._open(Lease(_name(), "", "recovery", frozenset(), ends, ends, caller, frozenset()))

    def use(self, token: str, caller: Caller, now: float) -> Lease:
        """Return the lease of ``token``; a person's use of it puts off its idle end."""
        lease = self.find(token, caller, now)
        if lease.kind == "person":
            lease = replace(lease, idle_ends=now + self._idle)
            self._leases[_digest(token)] = lease
        return lease

    def find(self, token: str, caller: Caller, now: float) -> Lease:
        """Return the lease of ``token`` and change nothing.

        Raises :class:`NotLoggedIn` when it has ended, :class:`TakenToken` when another program holds it.
        """
        self.expire(now)
        lease = self._leases.get(_digest(token))
        if lease is None:
            raise NotLoggedIn("This session has ended.", "Log in again.")
        if lease.caller != caller:
            raise TakenToken(lease)
        return lease

    def ended(self, token: str) -> Lease | None:
        """Return the lease that ``token`` had, if it ended not too long ago: only to name it."""
        return self._ended.get(_digest(token))

    def end(self, token: str, caller: Caller, now: float) -> Lease | None:
        """End a lease; return it, or ``None`` if there was none. :class:`TakenToken` as above."""
        try:
            lease = self.find(token, caller, now)
        except NotLoggedIn:
            return None
        self._drop(_digest(token))
        return lease

    def end_device(self, device: str) -> list[Lease]:
        """End every lease that was opened on a device; return them."""
        found = {digest: lease for digest, lease in self._leases.items() if lease.device == device}
        for digest in found:
            self._drop(digest)
        return list(found.values())

    def has(self, person: str, now: float) -> bool:
        """Return whether somebody's own lease lives."""
        self.expire(now)
        return any(lease.kind == "person" and lease.person == person for lease in self._leases.values())

    def withdraw(self, token: str) -> None:
        """Forget a lease that was opened and never given out."""
        self._leases.pop(_digest(token), None)

    def end_all(self) -> None:
        """End every lease."""
        self._leases = {}

    def expire(self, now: float) -> None:
        """Drop what has ended."""
        for digest in [key for key, lease in self._leases.items() if now >= min(lease.ends, lease.idle_ends)]:
            self._drop(digest)

    def people(self, now: float) -> int:
        """Return how many people's leases live."""
        self.expire(now)
        return sum(lease.kind == "person" for lease in self._leases.values())

    def _drop(self, digest: bytes) -> None:
        self._ended[digest] = self._leases.pop(digest)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _open(self, lease: Lease) -> tuple[str, Lease]:
        token = secrets.token_urlsafe(32)
        self._leases[_digest(token)] = lease
        return token, lease


def _name() -> str:
    return secrets.token_hex(8)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
