"""What nobody sees is found in a text, and named by its code point."""

import pytest

from app.features.users.characters import unseen


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\0", "a NUL character"),
        ("\t", "a tab (U+0009): put a blank there"),
        ("\n", "a line break (U+000A): a password is one line"),
        ("\r", "a line break (U+000D): a password is one line"),
        ("\x0b", "a control character (U+000B): leave it out"),
        ("\x1b", "an escape character (U+001B), as an arrow key sends it: leave it out"),
        ("\x7f", "a control character (U+007F): leave it out"),
        ("\x85", "a control character (U+0085): leave it out"),
        ("\u2028", "a line break (U+2028 LINE SEPARATOR): leave it out"),
        ("\u2029", "a line break (U+2029 PARAGRAPH SEPARATOR): leave it out"),
        ("\ufeff", "a byte order mark (U+FEFF), as some editors put it first into a file"),
        ("\xad", "an invisible character (U+00AD SOFT HYPHEN): leave it out"),
        ("\u200b", "an invisible character (U+200B ZERO WIDTH SPACE): leave it out"),
        ("\u200c", "an invisible character (U+200C ZERO WIDTH NON-JOINER): leave it out"),
        ("\u200d", "an invisible character (U+200D ZERO WIDTH JOINER): leave it out"),
        ("\u2060", "an invisible character (U+2060 WORD JOINER): leave it out"),
        ("\u202e", "an invisible character (U+202E RIGHT-TO-LEFT OVERRIDE): leave it out"),
        ("\u034f", "an invisible character (U+034F COMBINING GRAPHEME JOINER): leave it out"),
        ("\u3164", "an invisible character (U+3164 HANGUL FILLER): leave it out"),
        ("\ufe0f", "an invisible character (U+FE0F VARIATION SELECTOR-16): leave it out"),
        ("\U000e0041", "an invisible character (U+E0041 TAG LATIN CAPITAL LETTER A): leave it out"),
        ("\U000e0100", "an invisible character (U+E0100 VARIATION SELECTOR-17): leave it out"),
        ("\ue000", "a private character, which each machine shows as it likes (U+E000): leave it out"),
        ("\ufffe", "a code point that this version of Unicode gives no character (U+FFFE): leave it out"),
    ],
    ids=ascii,
)
def test_what_nobody_sees_is_named(character: str, name: str) -> None:
    for text in (character, f"ab{character}", f"{character}ab", f"a{character}\N{ZERO WIDTH JOINER}b"):
        found = unseen(text)
        assert found is not None
        assert found.startswith(name)


@pytest.mark.parametrize(
    "text",
    [
        "umbrella Kestrel 41 rowing",
        "\xa0\u2003\u3000",
        "e\N{COMBINING ACUTE ACCENT}",
        "日本の山と川",
        "\N{ARABIC LETTER BEH}\N{ARABIC FATHA}",
        "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
        "\N{REGIONAL INDICATOR SYMBOL LETTER N}\N{REGIONAL INDICATOR SYMBOL LETTER O}",
    ],
    ids=ascii,
)
def test_what_is_seen_is_left_alone(text: str) -> None:
    assert unseen(text) is None
