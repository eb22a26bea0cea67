"""One open container while scanning: a data set or item, a sequence, or encapsulated fragments."""

from __future__ import annotations

from typing import Any, Final

from appliance.dicom.charsets import Decode

ITEM: Final = 0
SEQUENCE: Final = 1
FRAGMENTS: Final = 2
OPEN: Final = 1 << 62
"""The end of a container of undefined length: a delimiter closes it."""


class Frame:
    """Mutable state of one container; ``end`` is an absolute offset, ``prefix`` begins the bulk paths inside
    it.
    """

    __slots__ = (
        "attributes",
        "big",
        "creators",
        "decode",
        "end",
        "entry",
        "fragments",
        "fresh",
        "implicit",
        "items",
        "key",
        "kind",
        "prefix",
        "signed",
        "start",
        "table",
    )

    def __init__(self, kind: int, end: int, prefix: str, implicit: bool, big: bool, decode: Decode) -> None:
        self.kind = kind
        self.end = end
        self.prefix = prefix
        self.implicit = implicit
        self.big = big
        self.decode = decode
        self.signed: bool | None = None
        # a data set or item
        self.attributes: dict[str, Any] = {}
        self.creators: dict[int, str] = {}
        self.fresh = True
        # a sequence; for fragments ``key`` is the bulk path and ``entry["vr"]`` the VR
        self.key = ""
        self.entry: dict[str, Any] = {}
        self.items = 0
        # encapsulated fragments
        self.start = 0
        self.fragments: list[tuple[int, int]] = []
        self.table: tuple[int, ...] | None = None
