"""Which market a name stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.market.naming import Named, meant
from tests.builders import laws

RAIN = Named("0xaa11", "Will it rain?")
SNOW = Named("0xAA22", "Will it snow?")
RAIN_TOO = Named("0xbb33", "Will it rain? Again")
ALL = (RAIN, SNOW, RAIN_TOO)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("0xaa11", [RAIN]),
        ("0xAA11", [RAIN]),
        (" 0xaa2 ", [SNOW]),
        ("0xaa", [RAIN, SNOW]),
        ("snow", [SNOW]),
        ("SNOW", [SNOW]),
        ("rain", [RAIN, RAIN_TOO]),
        ("will it rain?", [RAIN]),
        ("hail", []),
        ("", [RAIN, SNOW, RAIN_TOO]),
    ],
)
def test_the_most_exact_reading_wins(asked: str, found: list[Named]) -> None:
    """A whole id or title is never ambiguous because something longer begins with it."""
    assert list(meant(asked, ALL)) == found


def test_an_id_goes_before_a_title() -> None:
    """Nobody can take a market's name by titling another with its id."""
    thief = Named("0xcc44", "0xaa11")
    assert meant("0xaa11", (thief, RAIN)) == (RAIN,)


@laws(200)
@given(st.text(max_size=80), st.lists(st.builds(Named, st.text(max_size=70), st.text(max_size=300)), max_size=5))
def test_any_text_has_an_answer(asked: str, known: list[Named]) -> None:
    """Whatever is asked of whatever there is, what is found is known."""
    assert set(meant(asked, known)) <= set(known)
