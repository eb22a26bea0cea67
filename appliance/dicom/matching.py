"""What a QIDO-RS or C-FIND query asks for, as values: parsing the parameters of PS3.18 8.3.4.

Nothing here knows a database: :mod:`appliance.index` turns conditions into SQL, :func:`matches` answers them
on a data set in the DICOM JSON model.

A parameter that is not known, or no attribute of what is searched, is ignored and named in the query (PS3.18 8.3): the
client is told, because a doctor who thinks she filtered must have filtered. A known attribute with a value that cannot
be read, or given twice, is :class:`BadInput`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydicom.datadict import dictionary_VR, tag_for_keyword

from appliance.dicom.folding import fold_name, fold_words, glob_match, time_bounds
from appliance.dicom.levels import Level as Level
from appliance.dicom.levels import reaches, returns
from appliance.errors import BadInput

Kind = Literal["exact", "wildcard", "range", "name", "words", "number", "empty"]

MAX_PARAMETERS = 200
MAX_VALUE = 1024  # characters of one value; UID lists may be longer
MAX_UIDS = 1000
MAX_WORDS = 64  # of a fuzzy name; each becomes a part of one SQL expression, whose depth is bounded
MAX_STARS = 6  # glob matching backtracks: every star costs a factor
MAX_PAGE = 5000  # results in one answer; the rest is announced by a Warning and fetched by offset
MAX_DEPTH = 4  # sequence levels in a key

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UID = re.compile(r"[0-9.]{1,64}")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_DATE = re.compile(r"[0-9]{8}")
_WILD_VR = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMBER_VR = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_DECIMAL_VR = frozenset({"DS", "FL", "FD"})
_BINARY_VR = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ", "AT"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute that must match.

    ``path`` is the attribute's tag (eight upper-case hex digits) behind the tags of the sequences around it;
    ``values`` depends on ``kind``: alternatives for ``exact``, ``wildcard`` and ``number``; folded component
    groups for ``name`` (one: any group may match; three: each that is not empty must); folded words for
    ``words``; inclusive bounds for ``range``.
    """

    path: tuple[str, ...]
    vr: str
    kind: Kind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search: where, what must match, what to return besides the defaults, which page.

    ``ignored`` names the parameters and fields that play no part, as the client wrote them.
    """

    level: Level
    study: str | None
    series: str | None
    conditions: tuple[Condition, ...]
    include: frozenset[str]
    include_all: bool
    limit: int
    offset: int
    ignored: tuple[str, ...]


def parse_query(
    level: Level, params: Sequence[tuple[str, str]], study: str | None = None, series: str | None = None
) -> Query:
    """Parse URL-decoded query parameters (PS3.18 8.3.4 and 10.6.1.2) for one search resource.

    ``study`` and ``series`` are the UIDs of the path. Raises :class:`BadInput` for what is known and malformed.
    """
    if len(params) > MAX_PARAMETERS:
        raise BadInput("The query has too many parameters.", f"Send at most {MAX_PARAMETERS}.")
    options: dict[str, str] = {}
    include: set[str] = set()
    include_all = False
    raw: dict[tuple[str, ...], tuple[str, str, str]] = {}
    ignored: dict[str, None] = {}
    for name, value in params:
        if not name and not value:
            continue  # "?&limit=10", as Weasis writes it
        if name == "includefield":
            for field in value.split(","):
                include_all = include_all or field == "all"
                if field and field != "all":
                    known = parse_path(field)
                    if known is None or not returns(level, known[0][0]):
                        ignored[field] = None
                    else:
                        include.add(known[0][0])
        elif name in _OPTIONS:
            if name in options:
                raise BadInput(f"The parameter {name} is given twice.", "Send it once.")
            options[name] = value
        else:
            known = parse_path(name)
            if known is None:
                ignored[name] = None
                continue
            path, vr = known
            if path in raw and vr == "UI":
                value = f"{raw[path][1]},{value}"
            elif path in raw:
                raise BadInput("A matching key is given twice.", "Send every key once.")
            raw[path] = (vr, value, name)
    fuzzy = _flag(options, "fuzzymatching")
    multiple = _flag(options, "multiplevaluematching")
    empty = _flag(options, "emptyvaluematching")
    conditions = []
    for path, (vr, value, name) in raw.items():
        condition = _condition(path, vr, value, fuzzy=fuzzy, multiple=multiple, empty=empty)
        if not (returns if condition is None else reaches)(level, path[0]):
            ignored[name] = None
            continue
        include.add(path[0])  # PS3.18 10.6.1.2: what was asked for is returned too
        if condition is not None:
            conditions.append(condition)
    for uid in (study, series):
        if uid is not None and not _UID.fullmatch(uid):
            raise BadInput("The path holds a UID that is none.", "UIDs are at most 64 digits with dots.")
    limit = min(_count(options, "limit", MAX_PAGE), MAX_PAGE)
    offset = _count(options, "offset", 0)
    return Query(
        level, study, series, tuple(conditions), frozenset(include), include_all, limit, offset, tuple(ignored)
    )


_OPTIONS = frozenset(
    {"limit", "offset", "fuzzymatching", "multiplevaluematching", "emptyvaluematching", "accept", "charset"}
)


def parse_path(name: str) -> tuple[tuple[str, ...], str] | None:
    """Return the tags and the VR that a key such as ``PatientID`` or ``00400275.00400009`` names.

    ``None`` for what is no DICOM attribute, or lies deeper than :data:`MAX_DEPTH`.
    """
    tags: list[str] = []
    vr = "SQ"
    parts = name.split(".")
    if len(parts) > MAX_DEPTH:
        return None
    for part in parts:
        if vr != "SQ":
            return None
        tag = int(part, 16) if _TAG.fullmatch(part) else tag_for_keyword(part) if len(part) <= 64 else None
        if tag is None:
            return None
        try:
            vr = dictionary_VR(tag).split(" ")[0]
        except KeyError:
            vr = "LO"  # a private attribute: compared as text
        tags.append(f"{tag:08X}")
    return tuple(tags), vr


def _condition(
    path: tuple[str, ...], vr: str, value: str, *, fuzzy: bool, multiple: bool, empty: bool
) -> Condition | None:
    """Return the condition, or ``None`` for universal matching (PS3.4 C.2.2.2.3)."""
    value = value.strip(" ")
    if not value or (vr in _WILD_VR and not value.strip("*")):
        return None
    if empty and value == '""':
        return Condition(path, vr, "empty", ())
    if vr in _BINARY_VR:
        raise BadInput("A key names an attribute that cannot be matched.", "Leave its value empty.")
    if vr == "UI":
        uids = tuple(dict.fromkeys(uid for uid in re.split(r"[,\\]", value) if uid))
        if len(uids) > MAX_UIDS or not all(_UID.fullmatch(uid) for uid in uids):
            raise BadInput("A UID of the query is none, or there are too many.", f"At most {MAX_UIDS} UIDs.")
        return Condition(path, vr, "exact", uids)
    if len(value) > MAX_VALUE:
        raise BadInput("A value of the query is too long.", f"At most {MAX_VALUE} characters.")
    if _CONTROL.search(value):
        raise BadInput("A value of the query has control characters.", "Leave them out.")
    if vr in ("DA", "TM", "DT"):
        return Condition(path, vr, "range", _bounds(vr, value))
    if vr == "PN":
        return _name(path, value, fuzzy)
    # CS values hold neither comma nor backslash: a list is never ambiguous there (ModalitiesInStudy=CT,MR).
    separators = r"[,\\]" if vr == "CS" else r"\\"
    values = tuple(v.strip(" ") for v in re.split(separators, value)) if multiple or vr == "CS" else (value,)
    values = tuple(v for v in values if v)
    if vr in _NUMBER_VR or vr in _DECIMAL_VR:
        return Condition(path, vr, "number", tuple(_number(v) for v in values))
    if vr in _WILD_VR and any(c in v for v in values for c in "*?"):
        return Condition(path, vr, "wildcard", tuple(_pattern(v) for v in values))
    return Condition(path, vr, "exact", values)


def _name(path: tuple[str, ...], value: str, fuzzy: bool) -> Condition:
    if fuzzy:
        words = tuple(fold_words(value.replace("*", " ").replace("?", " ")))
        if len(words) > MAX_WORDS:
            raise BadInput("A name of the query has too many words.", f"At most {MAX_WORDS}.")
        return Condition(path, "PN", "words", words)
    groups = value.split("=")[:3]
    folded = [_pattern(fold_name(group)) for group in groups]
    if len(folded) > 1:
        folded += [""] * (3 - len(folded))
    return Condition(path, "PN", "name", tuple(folded))


def _pattern(value: str) -> str:
    value = re.sub(r"\*+", "*", value)
    if value.count("*") > MAX_STARS:
        raise BadInput("A value of the query has too many wildcards.", f"At most {MAX_STARS} stars.")
    return value


def _number(value: str) -> str:
    try:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("not finite")
        return str(int(number)) if number.is_integer() else repr(number)
    except (ValueError, OverflowError):
        raise BadInput("A value of the query is no number.", "Send digits.") from None


def _bounds(vr: str, value: str) -> tuple[str, str]:
    """Return inclusive bounds; an open side becomes the smallest or the largest text (PS3.4 C.2.2.2.5)."""
    # A hyphen and four digits are an offset from UTC where they can be one (-1200), else the range's hyphen.
    zone = r"(?:[-+](?:0[0-9]|1[0-4])[0-5][0-9](?![0-9.]))?" if vr == "DT" else ""
    found = re.fullmatch(rf"([0-9.:]*{zone})(-?)([0-9.:]*{zone})", value)
    if found is None or not (found[1] or found[3]):
        raise BadInput("A date or time of the query is none.", "Write 20261124 or 20261101-20261124.")
    low, high = (found[1], found[3]) if found[2] else (value, value)
    if vr == "DA":
        for text in (low, high):
            if text and not _DATE.fullmatch(text):
                raise BadInput("A date of the query cannot be read.", "Write dates as YYYYMMDD.")
        return low or "0", high or "99999999"
    try:
        lowest = time_bounds(vr, low)[0] if low else "0"
        highest = time_bounds(vr, high)[1] if high else "\x7f"
    except ValueError:
        raise BadInput("A time of the query cannot be read.", "Write times as HHMMSS.") from None
    return lowest, highest


def _flag(options: Mapping[str, str], name: str) -> bool:
    value = options.get(name, "false").lower()
    if value not in ("true", "false"):
        raise BadInput(f"The parameter {name} is neither true nor false.", "Send true or false.")
    return value == "true"


def _count(options: Mapping[str, str], name: str, default: int) -> int:
    value = options.get(name, "")
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise BadInput(f"The parameter {name} is no count.", "Send a number from 0.")
    return int(value)


def matches(condition: Condition, attributes: Mapping[str, Any]) -> bool:
    """Say whether a DICOM JSON data set has a value that fulfils ``condition`` (PS3.4 C.2.2.2)."""
    elements: list[Any] = [attributes]
    for tag in condition.path[:-1]:
        elements = [item for e in elements for item in values_of(e.get(tag)) if isinstance(item, Mapping)]
    values = [value for e in elements for value in values_of(e.get(condition.path[-1]))]
    if condition.kind == "empty":
        return not any(value not in ("", None, {}) for value in values)
    return any(_value_matches(condition, value) for value in values)


def values_of(element: Any) -> Iterable[Any]:
    """Return the values of one JSON element, none for an absent, empty or malformed one."""
    value = element.get("Value", ()) if isinstance(element, Mapping) else ()
    return value if isinstance(value, (list, tuple)) else ()


def _value_matches(condition: Condition, value: Any) -> bool:
    if condition.vr == "PN":
        return _name_matches(condition, value)
    if condition.kind == "number":
        try:
            return _number(str(value)) in condition.values
        except BadInput:
            return False
    text = str(value).strip(" ")
    if condition.kind == "range":
        if condition.vr == "DA":
            return condition.values[0] <= text.replace(".", "") <= condition.values[1]
        try:
            return condition.values[0] <= time_bounds(condition.vr, text)[0] <= condition.values[1]
        except ValueError:
            return False
    if condition.kind == "wildcard":
        return any(glob_match(pattern, text) for pattern in condition.values)
    return text in condition.values


def _name_matches(condition: Condition, value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
    if condition.kind == "words":
        words = fold_words(" ".join(groups))
        return all(any(word.startswith(asked) for word in words) for asked in condition.values)
    folded = [fold_name(group) for group in groups]
    if len(condition.values) == 1:
        return any(name_matches(condition.values[0], group) for group in folded)
    return all(name_matches(p, g) for p, g in zip(condition.values, folded, strict=True) if p)


def name_matches(pattern: str, folded: str) -> bool:
    """Match one folded component group.

    Without a wildcard the pattern may stop after any component: ``dupont`` finds ``dupont^emile``, and does
    not find ``dupontel``. PS3.4 C.2.2.2.1 leaves it to the provider how names are matched; component order is
    kept.
    """
    if "*" in pattern or "?" in pattern:
        return glob_match(pattern, folded)
    return folded == pattern or folded.startswith(pattern + "^")
