"""Words that stand for secrets: the recovery words of an identity, a person's passphrase.

The word lists are BIP 39's, 2048 words each, 11 bits a word.
"""

from __future__ import annotations

import math
import secrets
import unicodedata
from functools import cache
from typing import Literal

from mnemonic import Mnemonic

from appliance.errors import BadInput

Language = Literal["english", "french"]

LANGUAGES: tuple[Language, ...] = ("english", "french")
STRONG_BITS = 80.0
_SECRET_SIZE = 32
_WORD_COUNT = 24
_BITS_A_WORD = 11
_PASSPHRASE_WORDS = 8
_LONGEST_ESTIMATED = 72
_LONGEST_TEXT = 2048


def to_words(secret: bytes, language: Language) -> str:
    """Return 32 bytes as 24 words with a checksum (BIP 39), separated by spaces, accents composed (NFC)."""
    if len(secret) != _SECRET_SIZE:
        raise BadInput("Recovery words stand for 32 bytes.")
    return unicodedata.normalize("NFC", _list(language).to_mnemonic(secret))


def from_words(text: str) -> bytes:
    """Return the 32 bytes that 24 words stand for, English or French.

    Case, accents and white space do not matter: every list stays unambiguous without accents. Raises
    :class:`BadInput` for another number of words, an unknown word (named by its position, never repeated) or a wrong
    checksum.
    """
    words = _plain(text).split()
    if len(words) != _WORD_COUNT:
        raise BadInput("There are 24 recovery words.", f"You gave {len(words)}.")
    # Some hundred words stand in both lists; the checksum decides if ever all 24 did.
    best_unknown = 0
    checksum_failed = False
    for language in LANGUAGES:
        canonical = _canonical_words(language)
        unknown = next((i for i, word in enumerate(words, 1) if word not in canonical), None)
        if unknown is not None:
            best_unknown = max(best_unknown, unknown)
            continue
        try:
            return bytes(_list(language).to_entropy([canonical[word] for word in words]))
        except ValueError:
            checksum_failed = True
    if checksum_failed:
        raise BadInput("These recovery words do not belong together.", "Check their spelling and order.")
    raise BadInput(f"Recovery word {best_unknown} is not in the list.", "Check its spelling.")


def new_passphrase(language: Language) -> str:
    """Return a fresh passphrase of 88 bits: eight words in plain lower-case ASCII, joined by ``-``.

    Accents are left out so that every keyboard, phones and set-up consoles included, types the same bytes.
    """
    words = list(_canonical_words(language))
    while True:
        passphrase = "-".join(secrets.choice(words) for _ in range(_PASSPHRASE_WORDS))
        # A draw with a word twice would look weak to `bits`; drawing again costs a fiftieth of a bit.
        if bits(passphrase) >= STRONG_BITS:
            return passphrase


def passphrase_bytes(text: str) -> bytes:
    """Return what a slot is made with: NFC, surrounding white space removed, UTF-8 (after RFC 8265 section 4.2).

    The same passphrase typed on two systems may come composed or decomposed.
    """
    return unicodedata.normalize("NFC", text).strip().encode("utf-8", "surrogatepass")


def bits(passphrase: str) -> float:
    """Return an estimate in bits of what guessing costs: zxcvbn's, and for words of our lists no more than 11 each.

    Only the first 72 characters are estimated, so a long passphrase is never overrated and never slow.
    """
    # Imported where it is used: its dictionaries take memory that a process which only opens files need not spend.
    from zxcvbn import zxcvbn

    text = passphrase[:_LONGEST_TEXT].strip()
    if not text:
        return 0.0
    guesses = zxcvbn(text[:_LONGEST_ESTIMATED], max_length=_LONGEST_ESTIMATED)["guesses"]
    estimate = math.log2(max(1, float(guesses)))
    words = _plain(text.replace("-", " ")).split()
    if any(set(words) <= _canonical_words(language).keys() for language in LANGUAGES):
        estimate = min(estimate, float(_BITS_A_WORD * len(set(words))))
    return estimate


_estimate = bits


def require_strong(passphrase: str, bits: float = STRONG_BITS) -> None:
    """Raise :class:`BadInput` unless :func:`bits` gives ``passphrase`` at least that many ``bits``."""
    if _estimate(passphrase) < bits:
        raise BadInput(
            "This passphrase is too easy to guess: it alone protects the pictures if the box is stolen.",
            "Take more words, or let the box generate one.",
        )


@cache
def _list(language: Language) -> Mnemonic:
    if language not in LANGUAGES:
        raise BadInput("Words come in English or French.")
    return Mnemonic(language)


@cache
def _canonical_words(language: Language) -> dict[str, str]:
    """Return the list's words by their plain spelling."""
    return {_plain(word): word for word in _list(language).wordlist}


def _plain(text: str) -> str:
    """Return ``text`` in lower case without accents."""
    if len(text) > _LONGEST_TEXT:
        raise BadInput("This is too long to be words.")
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
