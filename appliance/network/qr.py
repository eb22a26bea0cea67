"""A tunnel as a QR code that a telephone's camera reads from a screen or from paper (ISO/IEC 18004, level M)."""

from __future__ import annotations

import io

import segno

from appliance.errors import BadInput

# Cameras need the quiet zone of the standard, and four pixels a module on a screen that scales pictures.
QUIET_ZONE = 4
LEAST_SCALE = 4
LARGEST_VERSION = 25


def qr_png(text: str, scale: int = 6) -> bytes:
    """Return a PNG, black on white; ``scale`` is pixels a module, 4 or more."""
    return _render(text, "png", scale)


def qr_svg(text: str, scale: int = 6) -> bytes:
    """Return an SVG of UTF-8 text on a white ground; ``scale`` is pixels a module at its natural size, 4 or more."""
    return _render(text, "svg", scale)


def qr_text(text: str) -> str:
    """Return the code in half blocks for a terminal, one character a module wide, two modules a line.

    Light on dark as a terminal is: printed with reversed colours, the quiet zone is bright on every ground.
    """
    rows = [list(map(bool, row)) for row in _code(text).matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    signs = {(False, False): "█", (True, False): "▄", (False, True): "▀", (True, True): " "}
    lines = [
        "".join(signs[top, low] for top, low in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    ]
    return "\n".join(f"\x1b[40;97m{line}\x1b[0m" for line in lines) + "\n"


def _render(text: str, kind: str, scale: int) -> bytes:
    if scale < LEAST_SCALE:
        raise BadInput(f"A QR code needs {LEAST_SCALE} pixels a module.")
    sink = io.BytesIO()
    _code(text).save(sink, kind=kind, scale=scale, border=QUIET_ZONE, dark="black", light="white")
    return sink.getvalue()


def _code(text: str) -> segno.QRCode:
    try:
        code = segno.make(text, error="m", micro=False, boost_error=False)
    except segno.encoder.DataOverflowError:
        code = None
    # Beyond that a telephone held by hand no longer reads it from a screen.
    if code is None or int(code.version) > LARGEST_VERSION:
        raise BadInput("This text is too long for a QR code.", "Use the file instead.")
    return code
