"""Searches every byte below a folder for texts that must not be there."""

from __future__ import annotations

import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ANCHOR = 6
CHUNK = 8 * 1024 * 1024
ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True)
class Find:
    """A text that was found: ``path``, byte ``offset``, the ``text`` and in which ``encoding``."""

    path: Path
    offset: int
    text: str
    encoding: str


def patterns(texts: Iterable[str]) -> dict[bytes, tuple[str, str]]:
    """Return every byte form of the texts, each with its text and encoding."""
    forms: dict[bytes, tuple[str, str]] = {}
    for text in texts:
        if len(text.encode()) < 12:
            raise ValueError("a canary shorter than 12 bytes proves nothing")
        for encoding in ENCODINGS:
            try:
                raw = text.encode(encoding)
            except UnicodeEncodeError:
                # The longest ASCII stretch still tells a leak when a letter was mangled on the way.
                stretch = max(re.split(r"[^\x00-\x7f]+", text), key=len)
                raw = stretch.encode("ascii") if len(stretch) >= 12 else text.encode()
            forms.setdefault(raw, (text, encoding))
    return forms


def find_canaries(root: Path, texts: Iterable[str], *, limit: int = 100) -> list[Find]:
    """Return where any of ``texts`` occurs in a regular file or file name below ``root`` (no links).

    Files that vanish or change meanwhile are searched as far as they can be read. At most ``limit`` finds.
    """
    forms = patterns(texts)
    # Canaries share their first letters: a handful of byte searches at memory speed finds the few candidates.
    anchors: dict[bytes, list[bytes]] = defaultdict(list)
    for form in forms:
        anchors[form[:ANCHOR]].append(form)
    finds: list[Find] = []
    for path in sorted(root.rglob("*")):
        for _, form in _matches(path.name.encode(errors="surrogateescape"), anchors):
            finds.append(Find(path, -1, *forms[form]))
        try:
            if stat.S_ISREG(path.lstat().st_mode):
                finds.extend(Find(path, offset, *forms[form]) for offset, form in _search(path, anchors))
        except FileNotFoundError:
            continue
        if len(finds) >= limit:
            break
    return finds[:limit]


def _search(path: Path, anchors: Mapping[bytes, list[bytes]]) -> Iterator[tuple[int, bytes]]:
    longest = max((len(form) for forms in anchors.values() for form in forms), default=1)
    kept, base = b"", 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            window = kept + chunk
            for offset, form in _matches(window, anchors):
                if offset + len(form) > len(kept):  # what lies wholly in the overlap was found before
                    yield base + offset, form
            kept = window[-(longest - 1) :] if longest > 1 else b""
            base += len(window) - len(kept)


def _matches(window: bytes, anchors: Mapping[bytes, list[bytes]]) -> Iterator[tuple[int, bytes]]:
    for anchor, forms in anchors.items():
        at = window.find(anchor)
        while at >= 0:
            yield from ((at, form) for form in forms if window.startswith(form, at))
            at = window.find(anchor, at + 1)
