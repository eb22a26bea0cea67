"""Forms of text in which two spellings of one name or time are equal."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

MAX_FOLDED = 512  # characters of a value that take part in matching; DICOM's own limit for a name group is 64

_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_DATETIME = re.compile(r"([0-9]{4,14})(?:\.([0-9]{1,6}))?([-+][0-9]{4})?")


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return ``text`` without case, accents and superfluous spaces: ``Émile  `` and ``EMILE`` are one.

    What is left is composed again: a syllable of Hangul is one letter, for which one ``?`` stands.
    """
    plain = unicodedata.normalize("NFKD", text[:MAX_FOLDED]).casefold().translate(_LETTERS)
    kept = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return " ".join(unicodedata.normalize("NFC", kept).split())


def fold_name(group: str) -> str:
    """Return one component group folded, components kept in order, empty ones at the end left out."""
    return "^".join(fold(component) for component in group.split("^")).rstrip("^")[:MAX_FOLDED]


def fold_words(text: str) -> list[str]:
    """Return the folded words of ``text``, split at whatever is neither letter nor digit."""
    return [word for word in re.split(r"[\W_]+", fold(text)) if word]


def glob_match(pattern: str, text: str) -> bool:
    """Match DICOM's wildcards (PS3.4 C.2.2.2.4): ``*`` any characters, ``?`` exactly one, all else itself.

    After a mismatch only the last star grows, so the time is the product of the lengths; a regular expression would
    try every combination of stars, and a stranger chooses both pattern and text.
    """
    text = text[:MAX_FOLDED]
    at = position = 0
    star = resume = -1
    while at < len(text):
        if position < len(pattern) and pattern[position] == "*":
            star, resume = position, at
            position += 1
        elif position < len(pattern) and pattern[position] in ("?", text[at]):
            position += 1
            at += 1
        elif star >= 0:
            position = star + 1
            resume += 1
            at = resume
        else:
            return False
    return not pattern[position:].strip("*")


def time_bounds(vr: str, text: str) -> tuple[str, str]:
    """Return the first and last moment that a TM or DT value of any precision stands for, as sortable text.

    A DT with an offset from UTC is turned into UTC, one without stays as written. Raises :class:`ValueError`.
    """
    text = text.strip(" ")
    if vr == "TM":
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError("no TM")
        digits = "".join(group or "" for group in found.groups())
        return digits + "000000000000"[len(digits) :], digits + "995959999999"[len(digits) :]
    moment = _DATETIME.fullmatch(text)
    if moment is None or (len(moment[1]) % 2) or (moment[2] and len(moment[1]) != 14):
        raise ValueError("no DT")
    digits = moment[1] + (moment[2] or "")
    low = digits + "00000101000000000000"[len(digits) :]
    high = digits + "99991231235959999999"[len(digits) :]
    if moment[3] is None:
        return low, high
    sign = -1 if moment[3][0] == "-" else 1
    zone = timezone(sign * timedelta(hours=int(moment[3][1:3]), minutes=int(moment[3][3:5])))
    return _in_utc(low, zone), _in_utc(high, zone)


def _in_utc(digits: str, zone: timezone) -> str:
    year, month, day, hour, minute, second = (
        int(digits[a:b]) for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
    )
    for last in (31, 30, 29, 28):  # a value without its day ends on its month's last day
        try:
            moment = datetime(year, month, min(day, last), hour, minute, min(second, 59), tzinfo=zone)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        return f"{moment.year:04d}{moment:%m%d%H%M%S}{digits[14:]}"
    raise ValueError("no DT")
