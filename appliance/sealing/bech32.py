"""Bech32 text as age writes keys in it.

BIP 173 without its limit of 90 characters, because the age specification lifts it.
"""

from __future__ import annotations

from appliance.errors import BadInput

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {char: value for value, char in enumerate(_CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
_LONGEST = 4096


def encode(hrp: str, data: bytes) -> str:
    """Return ``data`` as Bech32 with the human-readable part ``hrp``, in the case that ``hrp`` has (BIP 173)."""
    upper = hrp.isupper()
    lowered = hrp.lower()
    groups = _regroup(list(data), 8, 5, pad=True)
    checksum = _polymod([*_expand(lowered), *groups, *([0] * _CHECKSUM_LENGTH)]) ^ 1
    groups += [(checksum >> 5 * (5 - i)) & 31 for i in range(_CHECKSUM_LENGTH)]
    text = lowered + "1" + "".join(_CHARSET[group] for group in groups)
    return text.upper() if upper else text


def decode(text: str) -> tuple[str, bytes]:
    """Return the human-readable part, in the case it was written in, with the data bytes.

    Raises :class:`BadInput` for mixed case, foreign characters, a wrong checksum or padding bits that are not
    zero. The message never repeats the text: it may be a secret key.
    """
    if len(text) > _LONGEST or not text.isascii():
        raise _malformed("it is too long or has characters that no key has")
    if text not in (text.lower(), text.upper()):
        raise _malformed("it mixes upper and lower case")
    hrp, separator, body = text.rpartition("1")
    if not separator or not hrp or len(body) < _CHECKSUM_LENGTH:
        raise _malformed("it is incomplete")
    if any(not 33 <= ord(char) <= 126 for char in hrp):
        raise _malformed("it has characters that no key has")
    try:
        groups = [_VALUES[char] for char in body.lower()]
    except KeyError:
        # `from None`: a KeyError would carry a character of the key.
        raise _malformed("it has characters that no key has") from None
    if _polymod([*_expand(hrp.lower()), *groups]) != 1:
        raise _malformed("its checksum is wrong")
    return hrp, bytes(_regroup(groups[:-_CHECKSUM_LENGTH], 5, 8, pad=False))


def _malformed(reason: str) -> BadInput:
    return BadInput(f"This is not a key: {reason}.", "Copy the whole line again.")


def _polymod(values: list[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= term
    return state


def _expand(hrp: str) -> list[int]:
    codes = hrp.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _regroup(values: list[int], source_bits: int, target_bits: int, *, pad: bool) -> list[int]:
    accumulator = 0
    bits = 0
    result: list[int] = []
    for value in values:
        accumulator = accumulator << source_bits | value
        bits += source_bits
        while bits >= target_bits:
            bits -= target_bits
            result.append(accumulator >> bits)
            accumulator &= (1 << bits) - 1
    if pad:
        if bits:
            result.append(accumulator << (target_bits - bits))
    elif bits >= source_bits or accumulator:
        # BIP 173: at most four padding bits, all zero; otherwise two texts would mean the same key.
        raise _malformed("its padding is wrong")
    return result
