"""Short codes by which somebody who is logged in lets a further browser of theirs in. Kept in memory, once each.

Times are seconds of a monotonic clock, given by the caller.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace

from appliance.errors import Refused

SECONDS = 300.0
TRIES = 3
DIGITS = 8


@dataclass(frozen=True, slots=True)
class _Approval:
    code: str
    ends: float
    tries: int = TRIES


class Approvals:
    """One open code a person; a fresh one replaces it, three wrong tries end it."""

    def __init__(self) -> None:
        self._open: dict[str, _Approval] = {}

    def give(self, person: str, now: float) -> str:
        """Return a fresh code of eight digits, good for five minutes."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        self._open[person] = _Approval(code, now + SECONDS)
        return code

    def take(self, person: str, code: str, now: float) -> None:
        """Use up a person's code; :class:`Refused` for a wrong one, and after that or in time for none."""
        known = self._open.get(person)
        if known is None or now >= known.ends:
            self._open.pop(person, None)
            raise _refused()
        if not hmac.compare_digest(known.code.encode(), code.encode()):
            self._open[person] = replace(known, tries=known.tries - 1)
            if known.tries <= 1:
                del self._open[person]
            raise _refused()
        del self._open[person]

    def forget_all(self) -> None:
        """Take every code back."""
        self._open = {}


def _refused() -> Refused:
    return Refused("This code is wrong or not good any more.", "Ask for a fresh one on a device that is logged in.")
