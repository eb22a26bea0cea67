"""What a reader can have of the archive: whole objects, frames stored or decoded, bulk values, a view for the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from appliance.dicom.syntaxes import EXPLICIT_LITTLE
from appliance.errors import BadInput, Damaged, NotAcceptable, NotFound
from appliance.imaging.shape import NATIVE, Layout
from appliance.index.rows import Entry
from appliance.index.store import Index
from appliance.retrieve.contents import Contents
from appliance.retrieve.decoder import Decoder
from appliance.retrieve.frames import Value, shape_of, stored_frames
from appliance.retrieve.reading import Reader, Reading

LARGEST_TO_CONVERT = 1 << 30
DECODED_AHEAD = 32 << 20


class Pictures:
    """Reads for somebody; every method audits through :class:`Reading` before it opens anything."""

    def __init__(self, reading: Reading, decoder: Decoder) -> None:
        self._reading = reading
        self._decoder = decoder

    def objects(
        self, reader: Reader, index: Index, entries: Sequence[Entry], as_stored: bool
    ) -> Iterator[Iterator[bytes]]:
        """Return the Part 10 files of ``entries``, each in pieces, as received or in Explicit VR Little Endian.

        The keys of all and the first piece of the first are had before this returns, so that what can fail early does.
        Raises :class:`Damaged` when one of them cannot be opened.
        """
        keys: dict[str, bytes] = {}
        by_series: dict[str, list[Entry]] = {}
        for entry in entries:
            by_series.setdefault(entry.series, []).append(entry)
        for group in by_series.values():
            keys |= self._reading.keys(reader, "retrieve", index.study_key(group[0].study), group)
        if any(entry.object not in keys for entry in entries):
            raise _damaged()
        files = (self._object(entry, keys[entry.object], as_stored) for entry in entries)
        first = next(files)
        begun = next(first, b"")
        return chain([chain([begun], first)], files)

    def frames(
        self, reader: Reader, index: Index, entry: Entry, numbers: Sequence[int], as_stored: bool
    ) -> Iterator[Value]:
        """Return frames numbered from 1, as stored or as Explicit VR Little Endian holds them, in their order.

        They are made one by one; the first ones, ``DECODED_AHEAD`` bytes, before this returns, so that what can fail
        early does. Raises :class:`NotAcceptable` for frames that cannot be decoded.
        """
        made = self._frames(entry, self._open(reader, index, entry, "retrieve"), numbers, as_stored)
        ahead = [next(made)]
        while ahead[-1].made and sum(value.size for value in ahead) < DECODED_AHEAD:
            following = next(made, None)
            if following is None:
                break
            ahead.append(following)
        return chain(ahead, made)

    def _frames(self, entry: Entry, contents: Contents, numbers: Sequence[int], as_stored: bool) -> Iterator[Value]:
        with contents:
            values = stored_frames(entry, contents, numbers)
            if as_stored or _is_plain(entry):
                yield from values
                return
            shape = shape_of(entry)
            for value in values:
                try:
                    yield Value(None, (), self._decoder.decode(shape, value.all()))
                except BadInput as error:
                    raise NotAcceptable(error.message, "Accept transfer-syntax=*.") from None

    def view(self, reader: Reader, index: Index, entry: Entry, number: int) -> tuple[Layout, bytes]:
        """Return one frame for the page: interleaved stored values, colours as RGB."""
        with self._open(reader, index, entry, "view") as contents:
            (value,) = stored_frames(entry, contents, [number])
            return self._decoder.view(shape_of(entry), value.all())

    def bulk(self, reader: Reader, index: Index, entry: Entry, path: str) -> Value:
        """Return a bulk value by the path that the metadata names; :class:`NotFound` for another."""
        found = entry.bulk.get(path)
        if found is None:
            raise NotFound("The object has no such bulk value.", "Look at its metadata.")
        contents = self._open(reader, index, entry, "retrieve")
        return Value(contents, found.fragments or ((found.offset, found.length),))

    def _open(self, reader: Reader, index: Index, entry: Entry, purpose: str) -> Contents:
        """Open one object; its whole series is read with it, as one audited view."""
        key = self._reading.known(reader, purpose, entry)
        if key is None:
            series = index.entries(entry.study, entry.series)
            keys = self._reading.keys(reader, purpose, index.study_key(entry.study), series)
            key = keys.get(entry.object)
            if key is None:
                raise _damaged()
        return self._reading.contents(entry, key)

    def _object(self, entry: Entry, key: bytes, as_stored: bool) -> Iterator[bytes]:
        if not as_stored and entry.transfer_syntax != EXPLICIT_LITTLE:
            yield self._converted(entry, key)
            return
        with self._reading.contents(entry, key) as contents:
            yield from contents.file()

    def _converted(self, entry: Entry, key: bytes) -> bytes:
        with self._reading.contents(entry, key) as contents:
            whole = contents.whole(LARGEST_TO_CONVERT)
        return whole if entry.transfer_syntax == EXPLICIT_LITTLE else self._decoder.native_file(whole)


def _damaged() -> Damaged:
    return Damaged("This image is damaged in the archive and cannot be opened.", "Run: appliance check --deep")


def _is_plain(entry: Entry) -> bool:
    """Return whether stored frames already are little endian and native."""
    return entry.transfer_syntax in NATIVE and entry.transfer_syntax != "1.2.840.10008.1.2.2"
