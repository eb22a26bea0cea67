"""What a scan found out about one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.dicom.note import Bulk


@dataclass(frozen=True, slots=True)
class Scanned:
    """One scanned file or data set; everything a :class:`~appliance.dicom.note.Note` needs to know of the
    bytes.

    ``dataset_offset`` and ``size`` count bytes of the Part 10 file, also when only the data set was scanned
    (with its ``base``). ``dataset_sha256`` is the hex digest of the data set as transferred, deflated if it
    is. ``attributes`` is the data set in the DICOM JSON model without group lengths, in the order of the
    file; ``meta`` group 2 likewise, empty for a bare data set. Offsets in ``bulk`` count from the start of
    the file, except in a deflated data set: there they count from the start of the *inflated* data set.
    ``character_set`` is what the texts were converted from.
    """

    transfer_syntax: str
    dataset_offset: int
    dataset_sha256: str
    size: int
    attributes: Mapping[str, Any]
    bulk: Mapping[str, Bulk]
    meta: Mapping[str, Any]
    character_set: tuple[str, ...] = ()

    def text(self, tag: str) -> str:
        """Return the first value of a top-level text attribute (eight upper-case hex digits), or the empty
        string.
        """
        values = self.attributes.get(tag, {}).get("Value") or [""]
        return values[0] if isinstance(values[0], str) else ""

    @property
    def sop_class(self) -> str:
        """SOPClassUID, unchecked; empty if missing."""
        return self.text("00080016")

    @property
    def sop_instance(self) -> str:
        """SOPInstanceUID, unchecked; empty if missing."""
        return self.text("00080018")

    @property
    def study(self) -> str:
        """StudyInstanceUID, unchecked; empty if missing."""
        return self.text("0020000D")

    @property
    def series(self) -> str:
        """SeriesInstanceUID, unchecked; empty if missing."""
        return self.text("0020000E")
