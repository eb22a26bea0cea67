"""An incremental, bounded scan of a DICOM object that never holds its pixels.

The scanner walks element headers without recursion, turns small values into DICOM JSON at once and steps over
bulk values, of which it keeps only the place. It accepts any split of the input and gives the same result for
each.

What is refused and what is tolerated: everything must be whole, so input that ends inside an element, item or
sequence is refused. Behind the last element zero bytes may follow (up to a limit: files padded to a block);
anything else that is not an element is refused. Elements out of order are read; of a repeated element the
last counts, as in pydicom and dcmtk. Odd lengths are read as they come. Groups 0000 and 0002 have no business
in a data set.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from appliance.dicom import vrs
from appliance.dicom.charsets import decoder
from appliance.dicom.frame import FRAGMENTS, ITEM, OPEN, SEQUENCE, Frame
from appliance.dicom.inflate import Inflater
from appliance.dicom.jsonmodel import element
from appliance.dicom.limits import Limits
from appliance.dicom.meta import MetaReader
from appliance.dicom.note import Bulk
from appliance.dicom.scanned import Scanned
from appliance.dicom.syntaxes import layout
from appliance.errors import BadInput

_UNDEFINED: Final = 0xFFFFFFFF
_ITEM_TAG, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_ITEM_BYTES: Final = b"\xfe\xff\x00\xe0"
_EXPLICIT = {False: struct.Struct("<HH2sH").unpack_from, True: struct.Struct(">HH2sH").unpack_from}
_IMPLICIT = {False: struct.Struct("<HHL").unpack_from, True: struct.Struct(">HHL").unpack_from}
_LENGTH = {False: struct.Struct("<L").unpack_from, True: struct.Struct(">L").unpack_from}
# How many counted bytes one byte of a value becomes (see Limits.json_bytes), and how many each further
# value adds.
_COST: Final = {"US": 4, "SS": 4, "UL": 2, "SL": 2, "FL": 2, "AT": 4, **dict.fromkeys(vrs.BINARY, 2)}
_COST_MORE: Final = {"PN": 64, "ST": 0, "LT": 0, "UT": 0, "UR": 0}
_NOTICED: Final = frozenset({0x00080005, 0x00280103})


class Scanner:
    """Scans one object: :meth:`feed` its bytes in any pieces, then :meth:`finish`.

    ``transfer_syntax`` ``None`` means a Part 10 file; otherwise the input is a bare data set in that syntax
    whose first byte lies ``base`` bytes into the file it will become part of. Raises :class:`BadInput` with
    the place and the reason, never with content; after that the scanner is spent.
    """

    def __init__(self, transfer_syntax: str | None = None, *, base: int = 0, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._base = base
        self._fed = 0
        self._sha = hashlib.sha256()
        self._meta = MetaReader(self._limits.meta) if transfer_syntax is None else None
        self._meta_elements: dict[str, Any] = {}
        self._failed: BadInput | None = None
        self._inflater: Inflater | None = None
        self._at = base
        self._held = bytearray()
        self._need = 8
        self._skip = 0
        self._padding: int | None = None
        self._count = 0
        self._spent = 0
        self._repeated = False
        self._deferred: list[tuple[dict[str, Any], str, bytes, bool]] = []
        self._character_set: tuple[str, ...] = ()
        self._bulk: dict[str, Bulk] = {}
        self._stack: list[Frame] = []
        self._frame = self._root = Frame(ITEM, OPEN, "", False, False, decoder(()))
        self._syntax = ""
        if transfer_syntax is not None:
            self._begin(transfer_syntax)

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Only values that end up in the attributes are copied."""
        if self._failed is not None:
            raise self._failed
        try:
            view = memoryview(chunk).cast("B")
            self._fed += len(view)
            if self._meta is None:
                self._dataset(view)
                return
            begun = self._meta.feed(view)
            if begun is not None:
                self._leave_meta(self._meta)
                self._dataset(memoryview(begun[0]))
                self._dataset(begun[1])
        except BadInput as error:
            self._failed = error
            raise

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes that were read so far, in the DICOM JSON model."""
        return self._root.attributes

    def finish(self) -> Scanned:
        """End the input; return what was found or raise :class:`BadInput` if it is not whole."""
        if self._failed is not None:
            raise self._failed
        if self._meta is not None:
            self._meta.finish()
        if self._inflater is not None:
            for piece in self._inflater.finish():
                self._scan(piece)
        self._check_whole()
        self._settle_deferred()
        if self._repeated:
            self._drop_orphans()
        return Scanned(
            transfer_syntax=self._syntax,
            dataset_offset=self._base,
            dataset_sha256=self._sha.hexdigest(),
            size=self._fed + (0 if self._meta_elements else self._base),
            attributes=self._root.attributes,
            bulk=self._bulk,
            meta=self._meta_elements,
            character_set=self._character_set,
        )

    def _leave_meta(self, meta: MetaReader) -> None:
        self._meta = None
        self._meta_elements = meta.elements
        self._base = self._at = meta.size
        values = meta.elements.get("00020010", {}).get("Value")
        if not values or not isinstance(values[0], str):
            raise BadInput("The file does not say its transfer syntax.")
        self._begin(values[0])

    def _begin(self, transfer_syntax: str) -> None:
        form = layout(transfer_syntax)
        self._syntax = transfer_syntax
        self._root.implicit, self._root.big = form.implicit, form.big
        if form.deflated:
            self._inflater = Inflater(self._limits.inflated)
            self._at = 0

    def _dataset(self, view: memoryview) -> None:
        self._sha.update(view)
        if self._inflater is None:
            self._scan(view)
        else:
            for piece in self._inflater.feed(view):
                self._scan(piece)

    def _scan(self, data: memoryview | bytes) -> None:
        """Walk ``data``, keeping back an element that it does not hold whole."""
        pos, size, held = 0, len(data), self._held
        while pos < size:
            if self._padding is not None:
                self._pad(data[pos:])
                return
            if self._skip:
                step = min(self._skip, size - pos)
                self._skip -= step
                self._at += step
                pos += step
            elif held:
                step = min(self._need - len(held), size - pos)
                held += data[pos : pos + step]
                pos += step
                if len(held) >= self._need:
                    used = self._walk(held, 0, len(held))
                    del held[:used]
            else:
                pos = self._walk(data, pos, size)
                if pos < size and self._padding is None:
                    held += data[pos:]
                    return

    def _walk(self, data: memoryview | bytes | bytearray, pos: int, size: int) -> int:
        """Consume whole elements of ``data[pos:size]``; return where it stopped and set what is needed to go
        on.
        """
        base = self._at - pos
        frame, stack, limits = self._frame, self._stack, self._limits
        count = self._count
        small = min(limits.inline_binary, limits.inline_text)
        while True:
            at = base + pos
            while at >= frame.end:
                if at > frame.end:
                    self._bad("runs over the end of its item or sequence", at)
                frame = stack.pop()
            if size - pos < 8:
                self._need = 8
                break
            count += 1
            if count > limits.elements:
                self._bad(f"there are more than {limits.elements} elements", at)
            big = frame.big
            if frame.kind != ITEM:
                group, number, length = _IMPLICIT[big](data, pos)
                tag = group << 16 | number
                if tag == _SEQUENCE_END and frame.end == OPEN:
                    if frame.kind == FRAGMENTS:
                        self._close_fragments(frame, at)
                    frame = stack.pop()
                    pos += 8
                elif tag != _ITEM_TAG:
                    self._bad("stands where an item should begin", at, tag)
                elif frame.kind == SEQUENCE:
                    frame = self._open_item(frame, length, at + 8)
                    pos += 8
                elif length == _UNDEFINED:
                    self._bad("a fragment has no length", at)
                elif frame.table is None:
                    if length > limits.offset_table:
                        self._bad("the basic offset table is too long", at)
                    if size - pos < 8 + length:
                        self._need = 8 + length
                        count -= 1
                        break
                    frame.table = struct.unpack_from(f"{'>' if big else '<'}{length // 4}L", data, pos + 8)
                    pos += 8 + length
                else:
                    if len(frame.fragments) >= limits.fragments:
                        self._bad(f"there are more than {limits.fragments} fragments", at)
                    frame.fragments.append((at + 8, length))
                    step = min(size - pos - 8, length)
                    pos += 8 + step
                    self._skip = length - step
                    if self._skip:
                        break
                continue

            # The header.
            header = 8
            nested = False
            group, number, code, length = _EXPLICIT[big](data, pos)
            tag = group << 16 | number
            if group == 0xFFFE or group == 2 or group == 0:
                if tag == _ITEM_END and stack and frame.end == OPEN:
                    frame = stack.pop()
                    pos += 8
                    continue
                if tag == 0 and not stack and bytes(data[pos : pos + 8]) == bytes(8):
                    self._padding = 8
                    pos += 8
                    break
                self._bad("does not belong into a data set", at, tag)
            form = None if frame.implicit else vrs.HEADERS.get(code) or self._unusual(frame, code, at, tag)
            if form is not None:
                vr, long = form
                if long:
                    if size - pos < 12:
                        self._need = 12
                        count -= 1
                        break
                    header = 12
                    length = _LENGTH[big](data, pos + 8)[0]
                    if vr == "UN" and length != _UNDEFINED:
                        vr, big = self._look_up(frame, tag, length), False
                        if vr == "SQ":
                            # The value follows in implicit little endian (PS3.5 6.2.2) if it begins like one.
                            if length >= 8 and size - pos < 16:
                                self._need = 16
                                count -= 1
                                break
                            nested = length >= 8 and bytes(data[pos + 12 : pos + 16]) == _ITEM_BYTES
                            vr, big = "UN", frame.big
            else:
                length = _LENGTH[big](data, pos + 4)[0]
                vr = self._look_up(frame, tag, length)
            frame.fresh = False
            key = f"{tag:08X}"

            # A container.
            if vr == "SQ" or length == _UNDEFINED or nested:
                frame = self._open(frame, tag, key, vr, length, at + header)
                pos += header
                continue

            stop = at + header + length
            if stop > frame.end:
                self._bad("is longer than its item", at, tag)
            if number == 0:
                place = False  # group length, retired
            elif tag in vrs.ALWAYS_BULK:
                place = True
            elif length <= small:
                place = None
            elif tag in vrs.LOOKUP_TABLES:
                place = True if length > limits.inline_table else None
            else:
                bound = limits.inline_binary if vr in vrs.BINARY else limits.inline_text
                place = True if length > bound else None

            # A bulk value is stepped over.
            if place is not None:
                if place:
                    self._spend(128, at)
                    if key in frame.attributes:
                        self._repeated = True
                    path = frame.prefix + key
                    frame.attributes[key] = {"vr": vr, "BulkDataURI": "bulkdata/" + path}
                    self._bulk[path] = Bulk(at + header, length, vr)
                pos += header
                step = size - pos
                if step < length:
                    self._skip = length - step
                    pos = size
                    break
                pos += length
                continue

            # A small value is converted.
            if size - pos < header + length:
                self._need = header + length
                count -= 1
                break
            begin = pos + header
            pos = begin + length
            raw = bytes(data[begin:pos])
            self._spend((112 if vr == "PN" else 48) + length * _COST.get(vr, 1), at)
            if b"\\" in raw:
                self._spend(raw.count(b"\\") * _COST_MORE.get(vr, 8), at)
            if key in frame.attributes:
                self._repeated = True
            frame.attributes[key] = entry = element(vr, raw, frame.decode, big)
            if tag in _NOTICED:
                self._notice(frame, tag, entry)
            elif group & 1 and 0x10 <= number <= 0xFF:
                frame.creators[tag] = str((entry.get("Value") or [""])[0])[:64]
            elif form is None and frame.signed is None and vr == "US" and vrs.public(tag) == "US or SS":
                self._spend(64, at)
                self._deferred.append((frame.attributes, key, raw, big))
        self._frame = frame
        self._count = count
        self._at = base + pos
        return pos

    def _unusual(self, frame: Frame, code: bytes, at: int, tag: int) -> tuple[str, bool] | None:
        """Judge a VR that is none: ``None`` if data set or item turn out to be implicit, as it happens.

        Two capitals are a VR of the future, which has the long header (PS3.5 7.1.2).
        """
        if code.isalpha() and code.isupper():
            return "UN", True
        if frame.fresh:
            frame.implicit = True
            return None
        self._bad("has no known value representation", at, tag)

    def _look_up(self, frame: Frame, tag: int, length: int) -> str:
        """Return the VR of an element whose header has none."""
        if tag >> 16 & 1:
            vr = vrs.private(tag, frame.creators.get(tag & 0xFFFF0000 | (tag >> 8 & 0xFF), ""))
        else:
            vr = vrs.public(tag)
        return vr if len(vr) == 2 else vrs.settle(vr, length, bool(frame.signed))

    def _open(self, frame: Frame, tag: int, key: str, vr: str, length: int, start: int) -> Frame:
        """Enter a sequence or encapsulated fragments whose content begins at ``start``."""
        if key in frame.attributes:
            self._repeated = True
        self._spend(64, start)
        end = OPEN if length == _UNDEFINED else start + length
        if end != OPEN and end > frame.end:
            self._bad("is longer than its item", start, tag)
        path = frame.prefix + key
        if vr == "SQ" or (vr == "UN" and tag != vrs.PIXEL_DATA):
            if len(self._stack) >= 2 * self._limits.depth:
                self._bad(f"sequences are nested deeper than {self._limits.depth}", start, tag)
            inner = Frame(SEQUENCE, end, path + ".", frame.implicit, frame.big, frame.decode)
            if vr == "UN":  # a sequence in implicit little endian (PS3.5 6.2.2)
                inner.implicit, inner.big = True, False
            inner.entry = frame.attributes[key] = {"vr": "SQ"}
        elif vr in vrs.BINARY:
            inner = Frame(FRAGMENTS, end, path, True, frame.big, frame.decode)
            inner.start = start
            inner.entry = frame.attributes[key] = {"vr": vr, "BulkDataURI": "bulkdata/" + path}
        else:
            self._bad("has an undefined length", start, tag)
        inner.signed = frame.signed
        self._stack.append(frame)
        return inner

    def _open_item(self, frame: Frame, length: int, start: int) -> Frame:
        end = OPEN if length == _UNDEFINED else start + length
        if end != OPEN and end > frame.end:
            self._bad("an item is longer than its sequence", start)
        self._spend(48, start)
        inner = Frame(ITEM, end, f"{frame.prefix}{frame.items}.", frame.implicit, frame.big, frame.decode)
        inner.signed = frame.signed
        frame.items += 1
        frame.entry.setdefault("Value", []).append(inner.attributes)
        self._stack.append(frame)
        return inner

    def _close_fragments(self, frame: Frame, at: int) -> None:
        self._bulk[frame.prefix] = Bulk(
            frame.start, at - frame.start, frame.entry["vr"], tuple(frame.fragments), frame.table or ()
        )

    def _notice(self, frame: Frame, tag: int, entry: dict[str, Any]) -> None:
        """Take in an attribute on which the meaning of later ones depends."""
        values = entry.get("Value") or []
        if tag == 0x00280103:
            frame.signed = values[:1] == [1]
        elif values:
            terms = tuple(str(value or "") for value in values)
            frame.decode = decoder(terms)
            entry["Value"] = ["ISO_IR 192"]
            if frame is self._root:
                self._character_set = terms

    def _spend(self, cost: int, at: int) -> None:
        self._spent += cost
        if self._spent > self._limits.json_bytes:
            self._bad("the attributes are too large", at)

    def _pad(self, rest: memoryview | bytes) -> None:
        assert self._padding is not None
        zeros = len(rest) - len(bytes(rest).lstrip(b"\0"))
        room = self._limits.padding - self._padding
        if min(zeros, room) < len(rest):
            self._bad("something that is not an element follows the data set", self._at + min(zeros, room))
        self._padding += len(rest)
        self._at += len(rest)

    def _check_whole(self) -> None:
        frame, at = self._frame, self._at
        if self._skip:
            self._bad(f"a value lacks {self._skip} bytes: the input is truncated", at)
        while at >= frame.end:
            frame = self._stack.pop()
        if self._held and (self._stack or len(self._held) >= 8 or any(self._held)):
            self._bad("the input is truncated inside an element", at)
        if self._stack:
            self._bad("the input is truncated inside a sequence", at)
        if not self._count:
            self._bad("the data set is empty", at)

    def _settle_deferred(self) -> None:
        """Convert again what was taken as unsigned before PixelRepresentation said otherwise."""
        if self._root.signed:
            for attributes, key, raw, big in self._deferred:
                attributes[key] = element("SS", raw, self._root.decode, big)

    def _drop_orphans(self) -> None:
        """Forget bulk values of elements that a repetition replaced."""
        kept: set[str] = set()
        todo = [self._root.attributes]
        while todo:
            for entry in todo.pop().values():
                todo.extend(value for value in entry.get("Value", ()) if entry["vr"] == "SQ")
                kept.add(entry.get("BulkDataURI", "")[len("bulkdata/") :])
        self._bulk = {path: bulk for path, bulk in self._bulk.items() if path in kept}

    def _bad(self, what: str, at: int, tag: int | None = None) -> NoReturn:
        name = "" if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) "
        where = "of the inflated data set" if self._inflater else "of the file"
        raise BadInput(f"Not a valid DICOM data set: {name}{what}, at byte {at} {where}.")
