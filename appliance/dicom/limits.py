"""How much of an attacker's data set the scanner is willing to hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one scan; sizes in bytes. Whatever exceeds one is refused, never cut.

    ``json_bytes`` bounds an estimate that grows with the memory of the attributes: every element counts at
    least 48, every number 8, so that the Python objects stay below about eight times this figure.
    """

    depth: int = 32
    elements: int = 1_000_000
    json_bytes: int = 16 << 20
    inline_binary: int = 8 << 10
    inline_table: int = 512 << 10
    inline_text: int = 64 << 10
    fragments: int = 300_000
    offset_table: int = 4 << 20
    meta: int = 64 << 10
    inflated: int = 1 << 30
    padding: int = 64 << 10
