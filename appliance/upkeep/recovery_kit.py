"""The recovery kit as text to print: the paper key, its words, and what to do with them, in French and English."""

from __future__ import annotations

from datetime import datetime

import segno

from appliance.sealing.identities import Identity
from appliance.sealing.words import to_words

TEXT = """\
NÉGATOSCOPE - FEUILLE DE SECOURS / RECOVERY SHEET
{date}

Cette feuille ouvre toutes les images du cabinet, sans la boîte et sans mot de passe.
Imprimez-la, gardez-la dans un coffre, puis effacez le fichier.
This sheet opens every image of the practice, without the box and without a password.
Print it, keep it in a safe, then delete the file.

Clé papier / Paper key (age)

{identity}

La même en mots français / The same in French words

{french}

La même en mots anglais / The same in English words

{english}

Le même en QR / The same as a QR code

{qr}

Pour ouvrir une image avec le programme libre « age » / To open an image with the free program "age":

  1. Recopiez la clé papier dans un fichier paper.txt / Type the paper key into a file paper.txt
  2. age -d -i paper.txt keys/1.images.age > id.txt
  3. age -d -i id.txt objects/ab/<id>.age > image.dcm
     (une image pas encore rangée se trouve dans inbox/ / an image not yet sorted lies in inbox/)
"""


def kit_text(paper: Identity, moment: datetime) -> str:
    """Return the sheet for one paper key. It is a secret: hand it to paper, never to a log."""
    secret = paper.reveal()
    return TEXT.format(
        date=moment.date().isoformat(),
        identity=secret,
        french=_in_lines(to_words(paper.reveal_bytes(), "french").split()),
        english=_in_lines(to_words(paper.reveal_bytes(), "english").split()),
        qr=_qr(secret),
    )


def _in_lines(words: list[str]) -> str:
    return "\n".join(
        "  ".join(f"{n + 1:2d} {word:<10}" for n, word in enumerate(words[start : start + 6], start)).rstrip()
        for start in range(0, len(words), 6)
    )


def _qr(text: str) -> str:
    """Draw two rows of modules a line with half blocks, dark on light, quiet zone of 4."""
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    signs = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        "".join(signs[int(bool(a)), int(bool(b))] for a, b in zip(top, low, strict=True)) for top, low in pairs
    )
