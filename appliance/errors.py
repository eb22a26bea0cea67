"""The few ways in which the appliance says no, by who is to blame.

Every error carries a sentence a doctor or technician can read and the next step to take. The edges (command line,
HTTP, DIMSE) each hold one table that maps these classes to exit codes and statuses. Neither text may ever hold a
secret or anything about a patient.
"""

from __future__ import annotations


class NegatoError(Exception):
    """Base of every error that the appliance raises on purpose.

    ``message`` says what happened, ``next_step`` what the reader can do about it (may be empty).
    """

    exit_code = 1

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class BadInput(NegatoError):
    """What the caller handed in is malformed: not DICOM, a bad query, a wrong option."""

    exit_code = 2


class NotAcceptable(BadInput):
    """What the caller asked for exists, but not in a form that the caller takes."""


class NotSupported(BadInput):
    """What the caller sends may be right, but is of a kind that is not taken here."""


class NotFound(NegatoError):
    """What the caller named does not exist, or not for this caller."""

    exit_code = 2


class Locked(NegatoError):
    """The archive is locked: somebody entitled has to log in first."""

    exit_code = 3


class Refused(NegatoError):
    """The caller may not do this: wrong password, ended lease, missing permission."""

    exit_code = 4


class NotLoggedIn(Refused):
    """Nobody is logged in on this session, or no longer."""


class Damaged(NegatoError):
    """Something stored does not verify: truncated, altered or not in our format."""

    exit_code = 5


class EnvironmentProblem(NegatoError):
    """The machine is in the way: port in use, a missing program, a newer state, no rights."""

    exit_code = 6


class DiskFailed(EnvironmentProblem):
    """The disk did not do what it was asked to (EIO and its like), which says nothing of other files."""


class StorageFull(EnvironmentProblem):
    """There is no room for what should be stored; nothing of it was kept."""
