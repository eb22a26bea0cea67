"""Which representation a client gets: the Accept header against what is offered (PS3.18 8.3.3, 8.7).

What is offered for a resource is a table; a request picks the offer with the highest q, then the one named
most exactly, then the one named first, then the default. Two habits differ from the letter of the standard,
both to the client's good: a request without Accept is answered as ``*/*`` (RFC 9110 12.5.1; PS3.18 8.7.7 says
406), and an image type without transfer syntax accepts the stored one, because we never compress again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from appliance.dicomweb.mediatype import MediaType, parse, parse_list
from appliance.errors import BadInput

EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
AS_STORED: Final = "*"
_DICOM: Final = "application/dicom"
_OCTETS: Final = "application/octet-stream"

# PS3.18 tables 8.7.3-4 and 8.7.3-5: the media type of one frame (or video) in a compressed transfer syntax.
MEDIA_TYPES: Final[dict[str, str]] = {
    **{f"1.2.840.10008.1.2.4.{last}": "image/jpeg" for last in ("50", "51", "57", "70")},
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    **{f"1.2.840.10008.1.2.4.{last}": "image/jls" for last in ("80", "81")},
    **{f"1.2.840.10008.1.2.4.{last}": "image/jp2" for last in ("90", "91")},
    **{f"1.2.840.10008.1.2.4.{last}": "image/jpx" for last in ("92", "93")},
    **{f"1.2.840.10008.1.2.4.{last}": "image/jxl" for last in ("110", "111", "112")},
    **{f"1.2.840.10008.1.2.4.{last}": "image/jphc" for last in ("201", "202", "203")},
    **{f"1.2.840.10008.1.2.4.{last}": "video/mpeg" for last in ("100", "100.1", "101", "101.1")},
    **{
        f"1.2.840.10008.1.2.4.{last}": "video/mp4"
        for first in ("102", "103", "104", "105", "106")
        for last in (first, f"{first}.1")
    },
    **{f"1.2.840.10008.1.2.4.{last}": "video/H265" for last in ("107", "108")},
}


class Resource(Enum):
    """What is asked for (PS3.18 table 10.4.4-1)."""

    INSTANCES = "instances"
    METADATA = "metadata"
    FRAMES = "frames"
    BULKDATA = "bulkdata"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to answer: ``multipart`` or a single part, of ``media_type``, encoded in ``transfer_syntax``.

    ``transfer_syntax`` is a UID or ``*`` for as stored; empty where it has no meaning (metadata).
    """

    multipart: bool
    media_type: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class _Range:
    """One acceptable media range: ``multipart`` is ``None`` where both forms are meant (``*/*``)."""

    multipart: bool | None
    name: str
    syntax: str | None
    weight: float


_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def negotiate(
    resource: Resource,
    accept: Sequence[str],
    query: str | None = None,
    *,
    single: bool = False,
    stored: Collection[str] = (),
) -> Choice | None:
    """Return what to answer, or ``None`` for 406 Not Acceptable.

    ``accept`` holds the values of all Accept header lines, ``query`` the decoded ``accept`` query parameter,
    which then decides as far as the header allows it (PS3.18 8.3.3.1). ``single`` says that the resource is
    one item, so that single part types count (8.7.5, 10.4.4); ``stored`` are the transfer syntaxes of the
    objects behind it. Raises :class:`BadInput` for absurdly long headers. Ranges that are malformed or
    unknown are ignored (8.7.7).
    """
    ranges = _ranges(accept) if any(value.strip() for value in accept) else [_Range(None, "*/*", None, 1.0)]
    offers = _offers(resource, single, frozenset(stored))
    if query is not None and query.strip():
        offers = [offer for offer in offers if _best(offer, ranges, any_syntax=True) is not None]
        ranges = [wanted for wanted in _ranges([query]) if "*" not in wanted.name]
    chosen: Choice | None = None
    best: tuple[float, int, int] | None = None
    for offer in offers:
        rank = _best(offer, ranges)
        if rank is not None and (best is None or rank > best):
            chosen, best = offer, rank
    return chosen


def _offers(resource: Resource, single: bool, stored: frozenset[str]) -> list[Choice]:
    """Return everything we can answer with, the default first."""
    if resource is Resource.METADATA:
        return [Choice(False, name, "") for name in ("application/dicom+json", "application/json")]
    pairs = [(_DICOM, EXPLICIT_LITTLE), (_DICOM, AS_STORED)]
    if resource is not Resource.INSTANCES:
        pairs = [(_OCTETS, EXPLICIT_LITTLE)]
        kinds = {MEDIA_TYPES.get(syntax) for syntax in stored}
        if len(kinds) == 1 and (kind := kinds.pop()) is not None:
            pairs.append((kind, next(iter(stored)) if len(stored) == 1 else AS_STORED))
    elif len(stored) == 1:
        pairs += [(_DICOM, syntax) for syntax in stored if syntax != EXPLICIT_LITTLE]
    forms = (True, False) if single else (True,)
    return [Choice(form, name, syntax) for form in forms for name, syntax in pairs]


def _best(offer: Choice, ranges: Sequence[_Range], any_syntax: bool = False) -> tuple[float, int, int] | None:
    """Return how well an offer is wanted (q, exactness, earliness), by its most exact range; ``None`` if it
    is not.
    """
    found: tuple[int, int, float] | None = None
    for order, wanted in enumerate(ranges):
        exactness = _exactness(offer, wanted, any_syntax)
        if exactness is not None and (found is None or exactness > found[0]):
            found = (exactness, -order, wanted.weight)
    if found is None or found[2] == 0:
        return None
    return found[2], found[0], found[1]


def _exactness(offer: Choice, wanted: _Range, any_syntax: bool) -> int | None:
    if wanted.multipart is not None and wanted.multipart != offer.multipart:
        return None
    kind, _, rest = wanted.name.partition("/")
    exactness = 0
    if kind != "*":
        exactness = 2 if rest == "*" else 4
        if not (offer.media_type.lower() == wanted.name or (rest == "*" and offer.media_type.startswith(kind + "/"))):
            return None
    if any_syntax or not offer.transfer_syntax:
        return exactness
    if wanted.syntax is None:
        # The default: uncompressed, or an image as it is stored.
        fits = offer.transfer_syntax == EXPLICIT_LITTLE or offer.media_type not in {_DICOM, _OCTETS}
        return exactness if fits else None
    if wanted.syntax == AS_STORED:
        fits = offer.transfer_syntax == AS_STORED or offer.media_type != _DICOM
        return exactness + 1 if fits else None
    return exactness + 1 if wanted.syntax == offer.transfer_syntax else None


def _ranges(values: Sequence[str]) -> list[_Range]:
    found: list[_Range] = []
    for value in values[:32]:
        for media in parse_list(value):
            wanted = _range(media)
            if wanted is not None:
                found.append(wanted)
    return found[:64]


def _range(media: MediaType) -> _Range | None:
    weight = media.parameters.get("q", "1")
    if _WEIGHT.fullmatch(weight) is None:
        return None
    name, multipart = media.name, media.name.startswith("multipart/")
    if multipart:
        if name not in {"multipart/related", "multipart/*"}:
            return None
        try:
            inner = parse(media.parameters.get("type", "*/*"))
        except BadInput:
            return None
        name = inner.name
        syntax = inner.parameters.get("transfer-syntax", media.parameters.get("transfer-syntax"))
        return _Range(True, name, syntax, float(weight))
    return _Range(None if name == "*/*" else False, name, media.parameters.get("transfer-syntax"), float(weight))
