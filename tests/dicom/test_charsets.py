"""Texts of every character set become Unicode; wrong declarations lose nothing."""

import pytest

from appliance.dicom.charsets import decoder


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        ([], b"plain", "plain"),
        (["ISO_IR 100"], b"H\xe9l\xe8ne", "Hélène"),
        (["ISO_IR 101"], b"Wa\xb3\xeasa", "Wałęsa"),
        (["ISO_IR 144"], "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        (["ISO_IR 126"], "Διονυσιος".encode("iso8859_7"), "Διονυσιος"),
        (["ISO_IR 127"], "قباني".encode("iso8859_6"), "قباني"),
        (["ISO_IR 138"], "שרון".encode("iso8859_8"), "שרון"),
        (["ISO_IR 166"], "นามสกุล".encode("iso8859_11"), "นามสกุล"),
        (["ISO_IR 203"], b"\xa4 c\xbdur", "€ cœur"),
        (["ISO_IR 13"], b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        (["ISO_IR 192"], "Wang^小东=王^小东".encode(), "Wang^小东=王^小东"),
        # In GB18030 and GBK a backslash can be the second byte of a character.
        (["GB18030"], "王^誠\\x".encode("gb18030"), "王^誠\\x"),
        (["GBK"], "Wang^誠".encode("gbk"), "Wang^誠"),
        # PS3.5 H.3: Yamada^Tarou in three groups.
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        ),
        # PS3.5 I.2: Hong^Gildong.
        (
            ["", "ISO 2022 IR 149"],
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        # PS3.5 K.2: Zhang^XiaoDong.
        (
            ["", "ISO 2022 IR 58"],
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        (
            ["ISO 2022 IR 100", "ISO 2022 IR 144"],
            b"Andr\xe9^\x1b-L\xbb\xee\xda\\Andr\xe9",
            "André^Люк\\André",
        ),
        # A delimiter ends the effect of an escape (PS3.5 6.1.2.5.3).
        (["ISO 2022 IR 100", "ISO 2022 IR 126"], b"\x1b-F\xc4\xe9^\xe9", "Δι^é"),
    ],
)
def test_declared_character_sets(terms: list[str], raw: bytes, text: str) -> None:
    assert decoder(terms)(raw) == text


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        ([], "Hélène".encode(), "Hélène"),  # UTF-8 undeclared
        ([], b"H\xe9l\xe8ne", "Hélène"),  # Latin-1 undeclared
        (["ISO_IR 192"], b"H\xe9l\xe8ne", "Hélène"),  # declared UTF-8, sent as Latin-1
        (["ISO_IR 6"], b"\xff", "ÿ"),
        (["ISO_IR 999"], b"\xe9", "é"),
        (["iso-ir 100"], b"\xe9", "é"),
        (["ISO 100"], b"\xe9", "é"),
        (["utf8"], "é".encode(), "é"),
        (["x" * 1000] * 1000, b"\xe9", "é"),
        (["ISO 2022 IR 87"], b"\x1b$B\xff\xff", None),
        (["", "ISO 2022 IR 87"], b"\x1b", "\x1b"),
        (["", "ISO 2022 IR 149"], b"\x1b$)C" * 1000, ""),
        (["GB18030"], b"\x81", "\x81"),
    ],
)
def test_wrong_declarations_keep_what_can_be_kept(terms: list[str], raw: bytes, text: str | None) -> None:
    found = decoder(terms)(raw)
    assert text is None or found == text
    found.encode("utf_8")


def test_escapes_by_the_thousand_take_time_in_proportion() -> None:
    assert len(decoder(["", "ISO 2022 IR 100"])(b"\x1b-A\xe9" * 16_000)) == 16_000
