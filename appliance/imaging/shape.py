"""What one frame claims to be, checked before anything believes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from appliance.errors import BadInput

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, DEFLATED_LE, EXPLICIT_BE})
MAX_FRAME_BYTES = 768 * 1024 * 1024
_TEXT = frozenset({"photometric", "transfer_syntax"})


@dataclass(frozen=True, slots=True)
class FrameShape:
    """The pixel description of one frame (PS3.3 C.7.6.3), as the data set declares it.

    ``planar`` is PlanarConfiguration (0 interleaved, 1 by plane), ``transfer_syntax`` the UID the
    frame is encoded
    in. ``words`` is true where 8-bit samples lie in 16-bit words (VR OW), which only matters in big endian.
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: int
    transfer_syntax: str
    words: bool = False

    @property
    def subsampled(self) -> bool:
        """True for a native YBR_FULL_422 frame: two bytes a pixel (PS3.3 C.7.6.3.1.2)."""
        return self.transfer_syntax in NATIVE and self.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}

    @property
    def native_bytes(self) -> int:
        """Size in bytes of the frame once decoded, without padding."""
        pixels = self.rows * self.columns
        if self.bits_allocated == 1:
            return (pixels * self.samples + 7) // 8
        return pixels * (2 if self.subsampled else self.samples) * self.bits_allocated // 8

    def check(self) -> FrameShape:
        """Return the shape itself; raise :class:`BadInput` for one that no frame can have."""
        if not (1 <= self.rows <= 0xFFFF and 1 <= self.columns <= 0xFFFF):
            raise _refusal("rows or columns are out of range")
        if self.samples not in {1, 3}:
            raise _refusal("only one or three samples per pixel are supported")
        if self.bits_allocated not in {1, 8, 16, 32}:
            raise _refusal("its allocated bits are not 1, 8, 16 or 32")
        if not 1 <= self.bits_stored <= self.bits_allocated:
            raise _refusal("its stored bits do not fit its allocated bits")
        if not self.bits_stored - 1 <= self.high_bit < self.bits_allocated:
            raise _refusal("its high bit does not fit its stored bits")
        if self.planar not in {0, 1}:
            raise _refusal("its planar configuration is unknown")
        if self.subsampled and (self.samples != 3 or self.bits_allocated != 8 or self.columns % 2):
            raise _refusal("a subsampled frame needs three 8-bit samples and an even width")
        if self.native_bytes > MAX_FRAME_BYTES:
            raise _refusal("it is larger than this appliance can decode")
        return self

    def with_(self, **changes: Any) -> FrameShape:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Layout:
    """Normalised pixels: interleaved little-endian samples whose plain reading is the stored value.

    ``bits`` is 8, 16 or 32 a sample; ``photometric`` is MONOCHROME1, MONOCHROME2, RGB or PALETTE COLOR.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool
    photometric: str


def to_json(value: FrameShape | Layout) -> dict[str, Any]:
    """Return the fields as plain JSON values."""
    return asdict(value)


def shape_from_json(body: object) -> FrameShape:
    """Return the checked shape of a JSON object; raise :class:`BadInput` for anything else."""
    return FrameShape(**_values(FrameShape, body)).check()


def layout_from_json(body: object) -> Layout:
    """Return the layout of a JSON object; raise :class:`BadInput` for anything else."""
    return Layout(**_values(Layout, body))


def _values(kind: type[FrameShape] | type[Layout], body: object) -> dict[str, Any]:
    if not isinstance(body, dict) or set(body) != {field.name for field in fields(kind)}:
        raise _refusal("its description has the wrong fields")
    for name, value in body.items():
        wanted = str if name in _TEXT else bool if name in {"signed", "words"} else int
        if type(value) is not wanted:
            raise _refusal("its description has a field of the wrong type")
    return body


def _refusal(reason: str) -> BadInput:
    return BadInput(f"The image cannot be shown: {reason}.")
