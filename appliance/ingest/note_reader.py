"""Reading sealed notes in batches through the key agent, whatever lies among them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence

from appliance.archive.backend import Backend
from appliance.dicom import note as notes
from appliance.dicom.note import Note
from appliance.dicom.uids import is_valid_uid
from appliance.errors import BadInput, Damaged, DiskFailed, NotFound, NotLoggedIn, Refused
from appliance.keyring.client import AgentClient
from appliance.sealing.header import read_header
from appliance.sealing.reader import SealedReader

BATCH = 250
LARGEST_NOTE = 64 * 1024 * 1024
HELD = 1024 * 1024  # a sealed note up to this size is kept in memory until its key is there
DIGEST = re.compile(r"[0-9a-f]{64}")


class NoteReader:
    """Opens notes with one lease. A note comes from whoever knows a public key: nothing in it is trusted."""

    def __init__(self, archive: Backend, agent: AgentClient, token: str) -> None:
        self._archive = archive
        self._agent = agent
        self._token = token

    def read(self, object_ids: Sequence[str], purpose: str) -> tuple[list[Note], list[str]]:
        """Return the notes of these objects, and the ids of those that cannot be read.

        A batch in which something is wrong is halved until the culprit stands alone, so one bad note costs a few more
        requests and never the others.
        """
        if not object_ids:
            return [], []
        try:
            return self._read_all(object_ids, purpose), []
        except NotLoggedIn:
            raise
        except (BadInput, Damaged, DiskFailed, Refused, NotFound, RecursionError):
            if len(object_ids) == 1:
                return [], list(object_ids)
        half = len(object_ids) // 2
        first, first_damaged = self.read(object_ids[:half], purpose)
        second, second_damaged = self.read(object_ids[half:], purpose)
        return first + second, first_damaged + second_damaged

    def batches(self, object_ids: Sequence[str], purpose: str) -> Iterator[tuple[list[Note], list[str]]]:
        """Yield what :meth:`read` returns, for so many objects at a time that memory stays flat."""
        for start in range(0, len(object_ids), BATCH):
            yield self.read(object_ids[start : start + BATCH], purpose)

    def open_small(self, sealed: Sequence[bytes], purpose: str) -> list[bytes]:
        """Return the plaintexts of small sealed files; :class:`Damaged` or :class:`Refused` if one does not open."""
        if not sealed:
            return []
        keys = self._agent.unwrap(self._token, purpose, "", [read_header(io.BytesIO(raw)).raw for raw in sealed])
        return [
            SealedReader(io.BytesIO(raw), key).read_all(LARGEST_NOTE) for raw, key in zip(sealed, keys, strict=True)
        ]

    def _read_all(self, object_ids: Sequence[str], purpose: str) -> list[Note]:
        headers: list[bytes] = []
        held: dict[str, bytes] = {}
        for object_id in object_ids:
            with self._archive.note(object_id) as file:
                start = file.read(HELD)
            headers.append(read_header(io.BytesIO(start)).raw)
            if len(start) < HELD:
                held[object_id] = start
        keys = self._agent.unwrap(self._token, purpose, "", headers)
        found = []
        for object_id, key in zip(object_ids, keys, strict=True):
            if object_id in held:
                raw = SealedReader(io.BytesIO(held.pop(object_id)), key).read_all(LARGEST_NOTE)
            else:
                with self._archive.note(object_id) as file:
                    raw = SealedReader(file, key).read_all(LARGEST_NOTE)
            note = notes.from_bytes(raw)
            _require_sound(note, object_id)
            found.append(note)
        return found


def _require_sound(note: Note, object_id: str) -> None:
    """Raise :class:`Damaged` for a note of another object, or one whose fields are not what they must be."""
    texts = (note.received, note.transfer_syntax, note.source.way, note.source.name, note.source.address)
    if not (
        note.object == object_id
        and all(is_valid_uid(uid) for uid in (note.sop_class, note.sop_instance, note.study, note.series))
        and all(isinstance(text, str) for text in texts)
        and all(type(number) is int and number >= 0 for number in (note.size, note.dataset_offset))
        and isinstance(note.dataset_sha256, str)
        and DIGEST.fullmatch(note.dataset_sha256)
        and isinstance(note.attributes, Mapping)
        and all(isinstance(element, Mapping) for element in note.attributes.values())
    ):
        raise Damaged("A note belongs to another object or is malformed.", "Run: appliance check --deep")
