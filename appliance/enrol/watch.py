"""Follows the tunnel: first handshakes are noticed within a second, what has lapsed goes, lost networks come back."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance.enrol.enrolment import Enrolment, Hand
from appliance.errors import NegatoError
from appliance.logs import log, log_unexpected

# While an invitation is open, and otherwise.
SOON_SECONDS, LATER_SECONDS = 1.0, 10.0


class Watch:
    """Looks at netd from a thread of its own for as long as the process lives."""

    def __init__(self, enrolment: Enrolment, hand: Hand, on_change: Callable[[], None]) -> None:
        """``on_change`` is called, from the thread, when a device or the list of unknown senders changed."""
        self._enrolment = enrolment
        self._hand = hand
        self._on_change = on_change
        self._woken = threading.Event()
        self._knocking: frozenset[str] = frozenset()
        self._trouble = ""

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="enrol", daemon=True).start()

    def wake(self) -> None:
        """Look now: something was changed."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            pause = LATER_SECONDS
            try:
                pause = self._round()
                self._trouble = ""
            except NegatoError as error:
                if error.message != self._trouble:
                    log("enrol.waiting", reason=type(error).__name__, message=error.message)
                self._trouble = error.message
            except Exception as error:
                log_unexpected(error)
            self._woken.wait(pause)
            self._woken.clear()

    def _round(self) -> float:
        status, changed = self._enrolment.look(self._hand)
        knocking = frozenset(sender.address for sender in status.unknown_senders)
        if changed or knocking != self._knocking:
            self._knocking = knocking
            self._on_change()
        return SOON_SECONDS if self._enrolment.has_open_invitation() else LATER_SECONDS
