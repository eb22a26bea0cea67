"""Which status a C-STORE is answered with, by error class (PS3.4 B.2.3, PS3.7 Annex C)."""

from __future__ import annotations

from appliance.errors import BadInput, NegatoError, StorageFull

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0x0110

STATUS: tuple[tuple[type[NegatoError], int], ...] = (
    (StorageFull, OUT_OF_RESOURCES),
    (BadInput, CANNOT_UNDERSTAND),
    (NegatoError, PROCESSING_FAILURE),
)


def status_of(error: NegatoError) -> int:
    """Return the status that says ``error`` to a modality."""
    return next(status for kind, status in STATUS if isinstance(error, kind))
