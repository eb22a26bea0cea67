"""What the archive asks of the place where sealed bytes are kept.

The contract, which one test suite states for every backend:

* ``draft`` opens a place to write ciphertext that nobody can see before ``admit``; a draft that is not admitted is
  gone after ``abandon`` or at the latest when its writer starts again.
* ``admit`` returns only once object and note are both durable in the inbox under the object's id. If it raises,
  neither is listed. The order between the two is not promised; a lone half is never listed.
* ``inbox`` lists whole pairs only. ``shelve`` moves a pair from the inbox to the shelves and may be repeated after a
  crash; it returns only once the move is durable. A pair whose move was cut short is still listed in the inbox.
  ``discard`` takes a pair out of the inbox.
* ``shelved`` lists whole pairs only.
* ``erase`` deletes a pair for good wherever it is, what was derived from it and what was set aside of it, the note
  first: what a killed run leaves is a lone object, which is never listed. It may be repeated; it returns only once all
  of it is durable.
* ``decide`` returns only once the decision is durable; numbers only grow, and no decision is ever replaced. Who knows
  that later numbers were given and lost says so: a backup that is put back must meet none of them again.
* ``note`` and ``object`` open what is in the inbox or on a shelf, wherever it is now, and raise :class:`NotFound`.
* A full disk raises :class:`StorageFull` and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol


class Draft(Protocol):
    """Ciphertext being written."""

    def write(self, data: bytes | memoryview) -> int:
        """Take all of ``data``; :class:`StorageFull` when there is no room."""

    def abandon(self) -> None:
        """Forget the draft; may be called at any time, more than once, and after ``admit``."""


class Backend(Protocol):
    """Where sealed bytes are kept."""

    def draft(self) -> Draft:
        """Begin to write; :class:`StorageFull` when the reserve is touched."""

    def admit(self, object_id: str, object_draft: Draft, note_draft: Draft) -> None:
        """Make both drafts durable in the inbox under ``object_id``."""

    def inbox(self) -> list[str]:
        """Return the ids of all pairs in the inbox, oldest first as far as the clock of the store tells them apart."""

    def shelve(self, object_ids: Iterable[str]) -> None:
        """Move pairs from the inbox to the shelves, durably."""

    def discard(self, object_ids: Iterable[str]) -> None:
        """Delete pairs from the inbox, durably."""

    def shelved(self) -> Iterator[str]:
        """Yield the ids of all pairs on the shelves, in no order."""

    def erase(self, object_ids: Iterable[str]) -> None:
        """Delete pairs for good, from inbox and shelves, with what was derived from them, durably."""

    def note(self, object_id: str) -> BinaryIO:
        """Open a sealed note."""

    def object(self, object_id: str) -> BinaryIO:
        """Open a sealed object."""

    def decide(self, sealed: bytes, above: int = 0) -> str:
        """Append a sealed decision durably, under a number beyond ``above``; return its number as text."""

    def decisions(self, after: str = "") -> Iterator[tuple[str, BinaryIO]]:
        """Yield number and sealed bytes of every decision behind ``after``, in order."""
