"""JSON text of DICOM JSON, made so that later byte substitutions cannot be steered by stored values."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from appliance.errors import BadInput

BASE = b"\x01"  # stands for the service's base URL in rendered lines
# Made once: json.dumps makes one for every call that asks for anything but its defaults.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_BULK_KEY = b'"BulkDataURI":"bulkdata/'


def dump(value: Any) -> bytes:
    """Return compact UTF-8 JSON.

    Control characters are escaped inside JSON strings, so a raw byte below 0x20 in rendered text is always
    ours: the line feed between attributes and :data:`BASE`. Lone surrogates, which UTF-8 cannot hold, become
    ``?``; numbers that JSON cannot hold become text (PS3.18 F.2.3 has no number for them).
    """
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        raise BadInput("A data set is nested too deeply.", "The object was kept; it cannot be listed.") from None
    except ValueError:
        text = _ENCODER.encode(_finite(value))
    return text.encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def pack(value: Any) -> bytes:
    """Return compact JSON, compressed fast: which also means fewer pages to encrypt."""
    return zlib.compress(dump(value), 1)


def unpack(packed: bytes) -> Any:
    """Return the value that :func:`pack` was given; packed text comes from our authenticated pages."""
    return json.loads(zlib.decompress(packed))


def line(tag: str, element: Any) -> bytes:
    """Return one attribute as ``"GGGGEEEE":{...}`` on a single line."""
    return b'"%s":%s' % (tag.encode(), dump(element))


def url_line(tag: str, path: str) -> bytes:
    """Return a UR attribute whose value is the base URL followed by ``path`` (nothing to escape in it)."""
    return b'"%s":{"vr":"UR","Value":["%s%s"]}' % (tag.encode(), BASE, path.encode())


def by_tag(rendered: bytes) -> dict[bytes, bytes]:
    """Split rendered lines into ``{tag: line}``."""
    return {entry[1:9]: entry for entry in rendered.split(b"\n")}


def join(lines: Mapping[bytes, bytes]) -> bytes:
    """Return the lines in ascending order of tag, as PS3.18 F.2.2 wants them."""
    return b"\n".join([lines[tag] for tag in sorted(lines)])


def array(objects: Iterable[bytes], base_url: str) -> bytes:
    """Return the JSON array of rendered objects, the base URL put in."""
    inner = b"},{".join(objects)
    if not inner:
        return b"[]"
    return b"[{%s}]" % inner.replace(b"\n", b",").replace(BASE, dump(base_url)[1:-1])


def absolute_bulk(text: bytes, instance_url: str) -> bytes:
    """Make the BulkDataURIs of a data set's JSON absolute, below ``instance_url``.

    The searched bytes hold unescaped quotes around a colon, which occur in compact JSON only between a key
    and its value: inside a string every quote is escaped, so no stored value can look like this.
    """
    return text.replace(_BULK_KEY, b'"BulkDataURI":"%s/bulkdata/' % dump(instance_url)[1:-1])
