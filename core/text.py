"""Foreign text made fit to be read: the one way in for words that others wrote (reliability.md 5, 21)."""

import unicodedata
from typing import Final

MOST: Final = 300
"""Characters of a foreign text that are looked at."""
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that take room and show nothing: the Hangul fillers, and Braille without a dot."""
_UNSEEN_MARKS: Final = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Marks that show nothing by themselves: joiners and selectors of variants (Unicode, Default_Ignorable_Code_Point)."""
_MOST_MARKS: Final = 2
"""Combining marks kept on one letter; more of them would climb over the lines around."""


def cleaned(text: str, most: int = MOST) -> str:
    """Foreign text on one line without anything that could move the cursor, turn the direction or hide itself.

    Args:
        text: whatever it holds, lone surrogates included.
        most: characters of it that are looked at; the rest is left out.
    """
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text[:most].encode("utf-8", "replace").decode("utf-8")):
        category = unicodedata.category(char)
        if char.isspace() or char in _BLANKS or category in ("Zl", "Zp"):
            kept.append(" ")
        elif category[0] == "M":
            marks += 1
            if marks <= _MOST_MARKS and char not in _UNSEEN_MARKS:
                kept.append(char)
            continue
        elif category[0] != "C":
            kept.append(char)
        marks = 0
    return " ".join("".join(kept).split())
