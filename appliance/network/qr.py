"""A tunnel as a QR code that a phone's camera reads from a screen or from paper."""

from __future__ import annotations

import io

import segno

from appliance.errors import BadInput

# A level M code stays readable with 15 % of it hidden or blurred; below 4 pixels a module cheap cameras fail.
LEVEL = "m"
QUIET_MODULES = 4
MODULE_PIXELS = 6
LONGEST = 1000


def svg(text: str) -> bytes:
    """Return the code as an SVG drawing, black on white, with its quiet zone; it scales to any size."""
    return _saved(text, "svg", xmldecl=False, svgns=True, nl=False)


def png(text: str) -> bytes:
    """Return the code as a PNG picture of 6 pixels a module."""
    return _saved(text, "png")


def terminal(text: str) -> str:
    """Return the code for a terminal that shows half blocks."""
    out = io.StringIO()
    _code(text).terminal(out, border=QUIET_MODULES, compact=True)
    return out.getvalue()


def _saved(text: str, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    _code(text).save(out, kind=kind, scale=MODULE_PIXELS, border=QUIET_MODULES, dark="black", light="white", **options)
    return out.getvalue()


def _code(text: str) -> segno.QRCode:
    if not 0 < len(text) <= LONGEST:
        raise BadInput(f"A QR code of ours carries 1 to {LONGEST} letters.")
    return segno.make_qr(text, error=LEVEL)
