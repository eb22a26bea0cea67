"""Keys have one spelling in Bech32."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadInput
from appliance.sealing.bech32 import decode, encode
from appliance.sealing.identities import Identity
from appliance.sealing.recipients import Recipient

HRP = st.sampled_from(["age", "AGE-SECRET-KEY-", "a1b", "x"])


@given(HRP, st.binary(max_size=200))
def test_what_was_encoded_decodes(hrp: str, data: bytes) -> None:
    text = encode(hrp, data)
    assert text in (text.lower(), text.upper())
    assert decode(text) == (text.rpartition("1")[0], data)


# BIP 173, "Test vectors", those whose data is a whole number of bytes, and the one of 90 characters.
@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    ],
)
def test_published_strings_decode(text: str) -> None:
    hrp, data = decode(text)
    assert encode(hrp, data) == text


# BIP 173, "Test vectors", invalid strings; the last ones have padding that is not zero, or too long.
@pytest.mark.parametrize(
    "text",
    [
        "", "1", "a", " 1nwldj5", "\x7f1axkwrx", "\x801eym55h", "pzry9x0s0muk", "1pzry9x0s0muk",
        "x1b4n0q5v", "li1dgmt3",
        "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee", "A12uEL5L", "a12uel5m", "a1" + "q" * 5000,
    ],
)  # fmt: skip
def test_published_wrong_strings_do_not(text: str) -> None:
    with pytest.raises(BadInput):
        decode(text)


def test_padding_bits_must_be_zero_and_short() -> None:
    from appliance.sealing import bech32

    def text_of(groups: list[int]) -> str:
        check = bech32._polymod([*bech32._expand("age"), *groups, *([0] * 6)]) ^ 1
        groups = groups + [(check >> 5 * (5 - i)) & 31 for i in range(6)]
        return "age1" + "".join(bech32._CHARSET[group] for group in groups)

    assert decode(text_of([31, 28])) == ("age", b"\xff")
    for groups in ([31, 29], [31, 28, 0], [0]):
        with pytest.raises(BadInput):
            decode(text_of(groups))


@pytest.mark.parametrize("position", range(5, 62))
def test_any_wrong_letter_in_a_key_is_noticed_and_not_repeated(position: int) -> None:
    identity = Identity(bytes(range(32)))
    for text, parse in ((str(identity.recipient()), Recipient.parse), (identity.reveal(), Identity.parse)):
        wrong = text[:position] + ("q" if text.islower() else "Q") + text[position + 1 :]
        if wrong != text:
            with pytest.raises(BadInput) as caught:
                parse(wrong)
            assert wrong not in str(caught.value)


def test_a_key_of_the_other_sort_or_size_is_refused() -> None:
    identity = Identity.generate()
    public = identity.recipient().public
    for text in (
        identity.reveal(),
        str(identity.recipient()).upper(),
        encode("age", public[:31]),
        encode("agf", public),
        encode("age", bytes(32)),
    ):
        with pytest.raises(BadInput):
            Recipient.parse(text)
    for text in (str(identity.recipient()), identity.reveal().lower(), encode("AGE-SECRET-KEY-", public + b"\0")):
        with pytest.raises(BadInput):
            Identity.parse(text)
