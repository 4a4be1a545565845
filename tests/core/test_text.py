"""Foreign text on one line: what cannot be seen is not there."""

import pytest

from core.text import cleaned


@pytest.mark.parametrize(
    "unseen",
    [
        "\u3164",
        "\u115f",
        "\u1160",
        "\uffa0",
        "\u2800",
        "\u034f",
        "\u17b4",
        "\u180b",
        "\ufe0f",
        "\U000e0100",
        "\u200b",
        "\u00ad",
    ],
)
def test_a_text_of_characters_that_show_nothing_is_empty(unseen: str) -> None:
    """Letters, symbols and marks among them: a title of them would be a blank row."""
    assert cleaned(unseen * 3) == ""
    assert cleaned(f"Will{unseen} it?") == "Will it?"


def test_what_takes_room_unseen_parts_words() -> None:
    assert cleaned("a\u3164b\u2800c") == "a b c"
    assert cleaned("a\u034fb") == "ab"


def test_letters_and_marks_that_show_stay() -> None:
    for text in ("\ud55c\uad6d\uc5b4", "e\u0301".replace("e\u0301", "\u00e9"), "\u28ff", "\u0e01\u0e34"):
        assert cleaned(text) == text
