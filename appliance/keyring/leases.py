"""Who may have keys unwrapped, for what, and until when: a table in memory.

Times are seconds of a monotonic clock, given by the caller, so that no jump of the wall clock ends or prolongs a lease.
"""

from __future__ import annotations

import hashlib
import secrets
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


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one caller: a person who logged in, or the appliance's own work while one is logged in."""

    id: str
    person: str
    kind: str
    purposes: frozenset[str]
    ends: float
    idle_ends: float


class LeaseTable:
    """The leases that live. Only the SHA-256 of a token is kept."""

    def __init__(self, idle: float, longest: float) -> None:
        """A person's lease ends ``idle`` seconds after its last use and ``longest`` seconds after its beginning."""
        self._idle = idle
        self._longest = longest
        self._leases: dict[bytes, Lease] = {}

    def open_person(self, person: str, now: float) -> tuple[str, Lease]:
        """Open a lease for somebody whose slot was just opened; return its token."""
        return self._open(Lease(_name(), person, "person", PERSON_PURPOSES, now + self._longest, now + self._idle))

    def open_job(self, now: float) -> tuple[str, Lease]:
        """Open a lease for the appliance's own work on notes; it never outlives the last person's lease."""
        if not self.people(now):
            raise Refused("Nobody is logged in.", "Log in first.")
        return self._open(Lease(_name(), "", "job", JOB_PURPOSES, now + self._longest, now + self._longest))

    def use(self, token: str, now: float) -> Lease:
        """Return the lease of ``token``; a person's use of it puts off its idle end."""
        lease = self.find(token, now)
        if lease.kind == "person":
            lease = replace(lease, idle_ends=now + self._idle)
            self._leases[_digest(token)] = lease
        return lease

    def find(self, token: str, now: float) -> Lease:
        """Return the lease of ``token`` and change nothing; :class:`NotLoggedIn` when it has ended."""
        self.expire(now)
        lease = self._leases.get(_digest(token))
        if lease is None:
            raise NotLoggedIn("This session has ended.", "Log in again.")
        return lease

    def end(self, token: str) -> Lease | None:
        """End a lease; return it, or ``None`` if there was none."""
        return self._leases.pop(_digest(token), None)

    def end_all(self) -> None:
        """End every lease."""
        self._leases = {}

    def expire(self, now: float) -> None:
        """Drop what has ended."""
        self._leases = {
            digest: lease for digest, lease in self._leases.items() if now < min(lease.ends, lease.idle_ends)
        }

    def people(self, now: float) -> int:
        """Return how many people's leases live."""
        self.expire(now)
        return sum(lease.kind == "person" for lease in self._leases.values())

    def _open(self, lease: Lease) -> tuple[str, Lease]:
        token = secrets.token_urlsafe(32)
        self._leases[_digest(token)] = lease
        return token, lease


def _name() -> str:
    return secrets.token_hex(8)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
