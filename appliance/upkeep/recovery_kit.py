"""What the recovery sheet says, in French and English: the paper key, its words, what to do with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import segno

from appliance.sealing.identities import Identity
from appliance.sealing.words import to_words

TITLE = "NÉGATOSCOPE - FEUILLE DE SECOURS / RECOVERY SHEET"
PURPOSE = (
    "Cette feuille ouvre toutes les images du cabinet, sans la boîte et sans mot de passe. "
    "Imprimez-la, gardez-la dans un coffre, puis effacez le fichier.",
    "This sheet opens every image of the practice, without the box and without a password. "
    "Print it, keep it in a safe, then delete the file.",
)
KEY = "Clé papier / Paper key (age)"
QR = "La même en QR / The same as a QR code"
FRENCH = "La même en mots français / The same in French words"
ENGLISH = "La même en mots anglais / The same in English words"
OPENING = 'Pour ouvrir une image avec le programme libre « age » / To open an image with the free program "age"'
STEPS = (
    "Recopiez la clé papier dans un fichier paper.txt / Type the paper key into a file paper.txt",
    "age -d -i paper.txt < keys/1.images.age > id.txt",
    "age -d -i id.txt < objects/ab/<id>.age > image.dcm",
)
REMARKS = (
    "Une image pas encore rangée se trouve dans inbox/. / An image not yet sorted lies in inbox/.",
    "Chaque époque a son fichier : 1.images.age, 2.images.age... Si l'étape 3 refuse, prenez le suivant. / "
    "Each epoch has its file: 1.images.age, 2.images.age... If step 3 refuses, take the next one.",
    "Si la clé est illisible, les mots la remplacent avec notre programme : recopiez-les dans paper.txt et commencez "
    "les étapes 2 et 3 par « appliance open --identity ». / If the key is illegible the words replace it with our own "
    'program: type them into paper.txt and begin steps 2 and 3 with "appliance open --identity".',
)
TUNNEL = "Tunnel de secours / Emergency tunnel (WireGuard)"
TUNNEL_PURPOSE = (
    "Si tous les téléphones sont perdus, il mène à la page de secours de la boîte, et à rien d'autre.",
    "If every phone is lost, it leads to the box's recovery page, and to nothing else.",
)
TUNNEL_STEPS = (
    "Sur le nouveau téléphone, scannez ce code dans WireGuard / Scan this code in WireGuard on the new phone",
    "Activez le tunnel, ouvrez la page / Turn the tunnel on, open the page",
    "Donnez la clé papier ; la page admet le téléphone et met les autres dehors / "
    "Give the paper key; the page lets the phone in and puts others out",
)
WORDS_A_LINE = 6


@dataclass(frozen=True, slots=True)
class Kit:
    """What one sheet holds beside its fixed text. All of it is a secret: hand it to paper, never to a log."""

    date: str
    identity: str
    french: tuple[str, ...]
    english: tuple[str, ...]
    qr: tuple[tuple[bool, ...], ...]
    tunnel: str = ""
    tunnel_qr: tuple[tuple[bool, ...], ...] = ()


def make_kit(paper: Identity, moment: datetime, tunnel: str = "") -> Kit:
    """Return the contents of the sheet for one paper key; ``qr`` is rows of modules, quiet zone of 4 included.

    ``tunnel`` is the text of the emergency tunnel for the WireGuard app, empty when the box had no endpoint yet.
    """
    secret = paper.reveal()
    return Kit(
        date=moment.date().isoformat(),
        identity=secret,
        french=tuple(to_words(paper.reveal_bytes(), "french").split()),
        english=tuple(to_words(paper.reveal_bytes(), "english").split()),
        qr=modules(secret),
        tunnel=tunnel,
        tunnel_qr=modules(tunnel) if tunnel else (),
    )


def tunnel_page(tunnel: str, moment: datetime) -> bytes:
    """Return the page of the emergency tunnel alone as UTF-8 text, for a sheet that was printed before."""
    return (
        "\n\n".join([f"{TITLE}\n{moment.date().isoformat()}", *_tunnel_parts(tunnel, modules(tunnel))]) + "\n"
    ).encode()


def modules(text: str) -> tuple[tuple[bool, ...], ...]:
    """Return a text as a QR code of level M, rows of modules, quiet zone of 4 included."""
    code = segno.make(text, error="m", micro=False, boost_error=False)
    return tuple(tuple(map(bool, row)) for row in code.matrix_iter(border=4))


def _tunnel_parts(tunnel: str, code: tuple[tuple[bool, ...], ...]) -> list[str]:
    steps = [f"  {number}. {step}" for number, step in enumerate(TUNNEL_STEPS, 1)]
    return [TUNNEL, "\n".join(TUNNEL_PURPOSE), _half_blocks(code), tunnel.strip(), "\n".join(steps)]


def as_text(kit: Kit) -> bytes:
    """Return the sheet as UTF-8 text, the QR code in half blocks, dark on light."""
    steps = [f"  {number}. {step}" for number, step in enumerate(STEPS, 1)]
    parts = [
        f"{TITLE}\n{kit.date}",
        "\n".join(PURPOSE),
        KEY,
        kit.identity,
        FRENCH,
        "\n".join(word_lines(kit.french)),
        ENGLISH,
        "\n".join(word_lines(kit.english)),
        QR,
        _half_blocks(kit.qr),
        f"{OPENING} :",
        "\n".join([*steps, *(f"  {remark}" for remark in REMARKS)]),
    ]
    if kit.tunnel:
        parts += _tunnel_parts(kit.tunnel, kit.tunnel_qr)
    return ("\n\n".join(parts) + "\n").encode()


def word_lines(words: tuple[str, ...]) -> list[str]:
    """Return numbered words, six a line, in columns."""
    return [
        "  ".join(
            f"{n + 1:2d} {word:<10}" for n, word in enumerate(words[start : start + WORDS_A_LINE], start)
        ).rstrip()
        for start in range(0, len(words), WORDS_A_LINE)
    ]


def _half_blocks(modules: tuple[tuple[bool, ...], ...]) -> str:
    rows = list(modules)
    if len(rows) % 2:
        rows.append((False,) * len(rows[0]))
    signs = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(signs[a, b] for a, b in zip(top, low, strict=True)) for top, low in pairs)
