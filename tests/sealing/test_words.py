"""Words stand for secrets, and typing them wrong is noticed."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from appliance.errors import BadInput
from appliance.sealing.identities import Identity
from appliance.sealing.words import (
    LANGUAGES,
    Language,
    bits,
    from_words,
    new_passphrase,
    passphrase_bytes,
    require_strong,
    to_words,
)


@given(st.binary(min_size=32, max_size=32), st.sampled_from(LANGUAGES))
def test_24_words_give_the_secret_back(secret: bytes, language: Language) -> None:
    words = to_words(secret, language)
    assert len(words.split(" ")) == 24
    assert from_words(words) == secret


def test_an_identity_survives_on_paper() -> None:
    identity = Identity.generate()
    assert Identity(from_words(to_words(identity.reveal_bytes(), "french"))) == identity


# BIP 39, test vectors of the reference implementation (256 bits, English).
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (bytes(32), "abandon " * 23 + "art"),
        (b"\xff" * 32, "zoo " * 23 + "vote"),
        (
            b"\x7f" * 32,
            "legal winner thank year wave sausage worth useful " * 2
            + "legal winner thank year wave sausage worth title",
        ),
    ],
)  # fmt: skip
def test_published_words_stand_for_published_bytes(secret: bytes, words: str) -> None:
    assert to_words(secret, "english") == words
    assert from_words(words) == secret


def test_case_accents_and_white_space_do_not_matter() -> None:
    secret = random.Random(3).randbytes(32)
    words = to_words(secret, "french")
    assert words == unicodedata.normalize("NFC", words)
    bare = "".join(c for c in unicodedata.normalize("NFD", words) if not unicodedata.combining(c))
    assert bare != words
    for typed in (words.upper(), unicodedata.normalize("NFD", words), bare, "\n " + words.replace(" ", " \t\n") + "\n"):
        assert from_words(typed) == secret


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_words_of_a_list_are_the_same_without_accents(language: Language) -> None:
    plain = ["".join(c for c in unicodedata.normalize("NFD", w) if c.isascii()) for w in Mnemonic(language).wordlist]
    assert len(set(plain)) == 2048


@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_words_are_refused_and_never_repeated(language: Language) -> None:
    words = to_words(bytes(range(32)), language).split()
    wrong_sets = {
        "one less": words[:-1],
        "one more": [*words, words[0]],
        "two swapped": [words[1], words[0], *words[2:]],
        "another last word": [*words[:-1], words[0]],
        "an unknown word": [*words[:5], "xylophonist", *words[6:]],
        "twelve that stand for 16 bytes": Mnemonic(language).to_mnemonic(bytes(16)).split(),
        "nothing": [],
        "endless": words * 1000,
    }
    for wrong in wrong_sets.values():
        with pytest.raises(BadInput) as caught:
            from_words(" ".join(wrong))
        assert not any(word in str(caught.value).split() for word in [*words, "xylophonist"])
    with pytest.raises(BadInput, match="word 6 "):
        from_words(" ".join(wrong_sets["an unknown word"]))


def test_most_wrong_words_are_noticed_by_the_checksum() -> None:
    noise = random.Random(1)
    wordlist = Mnemonic("english").wordlist
    words = to_words(noise.randbytes(32), "english").split()
    noticed = 0
    for _ in range(1000):
        wrong = list(words)
        wrong[noise.randrange(24)] = noise.choice(wordlist)
        try:
            from_words(" ".join(wrong))
        except BadInput:
            noticed += 1
    assert noticed >= 980  # 8 bits of checksum: 1 in 256 passes


def test_a_secret_of_another_size_has_no_words() -> None:
    for size in (0, 16, 31, 33):
        with pytest.raises(BadInput):
            to_words(bytes(size), "english")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_generated_passphrase_is_strong_plain_and_fresh(language: Language) -> None:
    made = {new_passphrase(language) for _ in range(50)}
    assert len(made) == 50
    for passphrase in made:
        assert passphrase.isascii()
        assert passphrase == passphrase.lower()
        assert len(passphrase.split("-")) == 8
        require_strong(passphrase)


@pytest.mark.parametrize(
    "weak",
    [
        "", " ", "password", "Cabinet2026!", "motdepasse" * 5, "azertyuiop", "a" * 72, "a" * 5000, "abandon " * 12,
        "docteur-dupont-1975", "zoo-zoo-zoo-zoo-zoo-zoo-zoo-zoo", "legal winner thank year wave sausage worth",
        "anéantir amusant analyse anaphore anarchie anatomie ancien",
    ],
)  # fmt: skip
def test_a_weak_passphrase_is_refused(weak: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_strong(weak)
    assert not weak.strip() or weak.strip() not in str(caught.value)


def test_a_strong_passphrase_of_ones_own_is_accepted() -> None:
    require_strong("Q7#vb2!mWz0)rT9&kLx4^yHc*e")
    assert bits("correct horse") < 80


def test_a_passphrase_gives_the_same_bytes_composed_or_not() -> None:
    assert passphrase_bytes("  é à\n") == passphrase_bytes(unicodedata.normalize("NFD", "é à")) == "é à".encode()
    assert passphrase_bytes("A b") != passphrase_bytes("a b")
