"""How each transfer syntax lays out a data set (PS3.5 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.dicom.uids import is_valid_uid
from appliance.errors import BadInput

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
# Standard ones that libraries leave out of "all of them": encapsulated uncompressed (PS3.5 A.4.11) and the processes of
# JPEG that were retired (PS3.6 annex A). Equipment that has them has nothing else.
SELDOM = (
    "1.2.840.10008.1.2.1.98",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63, 64, 65, 66)),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a data set: value representations left out, byte order, whole data set deflated, pixels
    encapsulated.
    """

    implicit: bool = False
    big: bool = False
    deflated: bool = False
    encapsulated: bool = False


_LAYOUTS = {
    IMPLICIT_LITTLE: Layout(implicit=True),
    EXPLICIT_LITTLE: Layout(),
    DEFLATED: Layout(deflated=True),
    EXPLICIT_BIG: Layout(big=True),
    # JPIP referenced syntaxes hold a URL instead of pixels; their deflated kinds are inflated like any
    # other (A.6, A.7).
    "1.2.840.10008.1.2.4.94": Layout(),
    "1.2.840.10008.1.2.4.95": Layout(deflated=True),
    "1.2.840.10008.1.2.4.204": Layout(),
    "1.2.840.10008.1.2.4.205": Layout(deflated=True),
    # SMPTE ST 2110 flows carry no pixel data in the data set (A.8).
    "1.2.840.10008.1.2.7.1": Layout(),
    "1.2.840.10008.1.2.7.2": Layout(),
    "1.2.840.10008.1.2.7.3": Layout(),
}
_ENCAPSULATED = Layout(encapsulated=True)


def layout(transfer_syntax: str) -> Layout:
    """Return the layout of a transfer syntax UID; raise :class:`BadInput` for a private or impossible one.

    Standard syntaxes that are not in the table are encapsulated ones: PS3.5 A.4 makes all of them explicit
    little endian.
    """
    known = _LAYOUTS.get(transfer_syntax)
    if known is not None:
        return known
    if is_valid_uid(transfer_syntax) and transfer_syntax.startswith("1.2.840.10008.1.2."):
        return _ENCAPSULATED
    raise BadInput("The transfer syntax is not one of the DICOM standard.", "Send the image uncompressed.")
