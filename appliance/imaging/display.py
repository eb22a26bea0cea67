"""Stored values as a screen shows them: the reference that the browser's picture is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from appliance.errors import BadInput

Array = NDArray[Any]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A lookup table (PS3.3 C.11.1.1.1, C.7.6.3.1.5): the first stored value mapped, the bits of an entry, entries."""

    first: int
    bits: int
    entries: Array

    def apply(self, values: Array) -> Array:
        """Return the entry of every value; values outside the table take its first or last entry."""
        if not self.entries.size or not 1 <= self.bits <= 16:
            raise BadInput("A lookup table of the image is empty or of unknown depth.")
        return self.entries[np.clip(values.astype(np.int64) - self.first, 0, self.entries.size - 1)]


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window in output units of the modality transform (PS3.3 C.11.2.1)."""

    center: float
    width: float
    function: Function = "LINEAR"

    def apply(self, values: Array) -> Array:
        """Return ``values`` mapped to 0.0 ... 1.0 in double precision."""
        center, width, x = float(self.center), float(self.width), values.astype(np.float64)
        if self.function == "LINEAR":
            if width < 1:
                raise BadInput("The window of the image has a width below one.")
            center, width = center - 0.5, width - 1
        elif width <= 0:
            raise BadInput("The window of the image has no width.")
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                curve: Array = 1 / (1 + np.exp(-4 * (x - center) / width))
            return curve
        low, high = center - width / 2, center + width / 2
        inside = (x - center) / width + 0.5 if width else np.zeros_like(x)
        return np.where(x <= low, 0.0, np.where(x > high, 1.0, inside))


def modality(stored: Array, slope: float = 1.0, intercept: float = 0.0, lookup: Lookup | None = None) -> Array:
    """Return the output of the modality transform: the table where there is one, else slope and intercept."""
    if lookup is not None:
        return lookup.apply(stored)
    return stored.astype(np.float64) * float(slope) + float(intercept)


def grey(values: Array, voi: Window | Lookup | None, inverted: bool = False) -> Array:
    """Return 8-bit grey of modality values; ``inverted`` for MONOCHROME1, whose lowest value is white.

    Without a VOI transform the range of the frame's own values fills the scale.
    """
    if isinstance(voi, Lookup):
        scaled = voi.apply(values) / float((1 << voi.bits) - 1)
    elif voi is not None:
        scaled = voi.apply(values)
    else:
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    shown = np.clip(np.floor(scaled * 255 + 0.5), 0, 255).astype(np.uint8)
    return 255 - shown if inverted else shown


def palette(indices: Array, red: Lookup, green: Lookup, blue: Lookup) -> Array:
    """Return 8-bit RGB ``(rows, columns, 3)`` of palette indices; 16-bit entries keep their upper byte."""
    planes = [table.apply(indices).astype(np.uint32) >> max(table.bits - 8, 0) for table in (red, green, blue)]
    return np.stack(planes, axis=-1).astype(np.uint8)
