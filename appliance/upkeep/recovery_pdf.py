"""The recovery sheet as a PDF of one A4 page.

The fonts are those that every PDF reader and printer has (ISO 32000-1, 9.6.2.2), so nothing is read from this machine,
and all text can be selected and copied. The QR code is drawn as rectangles, sharp on any printer.
"""

from __future__ import annotations

from datetime import datetime

from fpdf import FPDF

from appliance.upkeep import recovery_kit as sheet
from appliance.upkeep.recovery_kit import Kit

MARGIN = 18.0  # All lengths are millimetres.
LINE = 5.0
QR_SIZE = 56.0
TUNNEL_QR_SIZE = 110.0


def as_pdf(kit: Kit) -> bytes:
    """Return the sheet as a PDF."""
    page = FPDF(format="A4", unit="mm")
    page.set_title("Négatoscope - feuille de secours / recovery sheet")
    page.set_margin(MARGIN)
    page.set_auto_page_break(False)
    page.add_page()
    _line(page, sheet.TITLE, "helvetica", 14, bold=True, height=8)
    _line(page, kit.date, "helvetica", 10)
    page.ln(2)
    for text in sheet.PURPOSE:
        _paragraph(page, text)
    _heading(page, sheet.KEY)
    page.set_draw_color(0)
    # One line, so that it can be copied in one piece; 74 characters fit at this size.
    _line(page, kit.identity, "courier", 10.5, bold=True, height=9, border=True)
    for title, words in ((sheet.FRENCH, kit.french), (sheet.ENGLISH, kit.english)):
        _heading(page, title)
        _words(page, words)
    _heading(page, sheet.QR)
    _qr(page, kit.qr, QR_SIZE)
    _heading(page, sheet.OPENING)
    for number, step in enumerate(sheet.STEPS, 1):
        _line(page, f"{number}. {step}", "courier" if step.startswith("age ") else "helvetica", 10)
    page.ln(1.5)
    for text in sheet.REMARKS:
        _paragraph(page, text)
    if kit.tunnel:
        _tunnel(page, kit.tunnel, kit.tunnel_qr)
    return bytes(page.output())


def tunnel_as_pdf(tunnel: str, moment: datetime) -> bytes:
    """Return the page of the emergency tunnel alone, for a sheet that was printed before."""
    page = FPDF(format="A4", unit="mm")
    page.set_title("Négatoscope - tunnel de secours / emergency tunnel")
    page.set_margin(MARGIN)
    page.set_auto_page_break(False)
    _tunnel(page, tunnel, sheet.modules(tunnel))
    page.ln(2)
    _line(page, moment.date().isoformat(), "helvetica", 10)
    return bytes(page.output())


def _tunnel(page: FPDF, tunnel: str, modules: tuple[tuple[bool, ...], ...]) -> None:
    page.add_page()
    _line(page, sheet.TITLE, "helvetica", 14, bold=True, height=8)
    _heading(page, sheet.TUNNEL)
    for text in sheet.TUNNEL_PURPOSE:
        _paragraph(page, text)
    page.ln(2)
    _qr(page, modules, TUNNEL_QR_SIZE)
    for line in tunnel.strip().splitlines():
        _line(page, line, "courier", 9, height=4)
    page.ln(2)
    for number, step in enumerate(sheet.TUNNEL_STEPS, 1):
        _paragraph(page, f"{number}. {step}")


def _heading(page: FPDF, text: str) -> None:
    page.ln(3.5)
    _paragraph(page, text, bold=True)
    page.ln(1)


def _line(
    page: FPDF, text: str, font: str, size: float, *, bold: bool = False, height: float = LINE, border: bool = False
) -> None:
    """Write text that must stay in one line; it has to fit between the margins."""
    page.set_font(font, "B" if bold else "", size)
    page.cell(0, height, text, border=1 if border else 0, align="C" if border else "L", new_x="LMARGIN", new_y="NEXT")


def _paragraph(page: FPDF, text: str, *, bold: bool = False) -> None:
    page.set_font("helvetica", "B" if bold else "", 10)
    page.multi_cell(0, LINE, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _words(page: FPDF, words: tuple[str, ...]) -> None:
    page.set_font("courier", "", 10)
    width = page.epw / sheet.WORDS_A_LINE
    for number, word in enumerate(words, 1):
        last = number % sheet.WORDS_A_LINE == 0
        page.cell(
            width, LINE, f"{number:2d} {word}",
            new_x="LMARGIN" if last else "RIGHT", new_y="NEXT" if last else "TOP",
        )  # fmt: skip


def _qr(page: FPDF, modules: tuple[tuple[bool, ...], ...], size: float) -> None:
    side = size / len(modules)
    left, top = (page.w - size) / 2, page.get_y()
    page.set_fill_color(0)
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            run = 1
            while row[x] and x + run < len(row) and row[x + run]:
                run += 1
            if row[x]:
                page.rect(left + x * side, top + y * side, run * side, side, style="F")
            x += run
    page.set_y(top + size)
