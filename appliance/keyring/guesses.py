"""How long the next passphrase for a person has to wait after wrong ones.

The wait doubles with each wrong guess up to four seconds and is forgotten after a right one: a person who knows the
passphrase is never kept out longer than that, however many wrong ones a stranger sends.
"""

from __future__ import annotations

from collections import OrderedDict

FIRST_SECONDS, LONGEST_SECONDS = 0.25, 4.0
REMEMBERED = 1024


class Guesses:
    """Wrong guesses by person. Times are seconds of a monotonic clock, given by the caller."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, person: str, now: float) -> float:
        """Return the seconds until a passphrase for ``person`` may be tried."""
        _, until = self._wrong.get(person, (0, now))
        return min(max(0.0, until - now), LONGEST_SECONDS)

    def wrong(self, person: str, now: float) -> None:
        """Count a wrong guess."""
        count = self._wrong.pop(person, (0, 0.0))[0] + 1
        pause: float = min(FIRST_SECONDS * 2 ** min(count - 1, 10), LONGEST_SECONDS)
        self._wrong[person] = (count, now + pause)
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def right(self, person: str) -> None:
        """Forget the wrong guesses of a person who knows the passphrase."""
        self._wrong.pop(person, None)
