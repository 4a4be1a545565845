"""What is said of a market's data: every state has a sign and words of its own."""

import pytest

from tests.widgets.view_builders import a_data, a_frozen, a_suspect, an_empty_book, an_unproven
from widgets.data_words import data_words, is_believed


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            an_empty_book(repair="its book is on its way"),
            "no book yet: waiting for the first book; its book is on its way",
        ),
        (
            a_suspect(),
            "book suspect for 0.8s: book hash differs from the venue's; asking for a fresh book, try 2",
        ),
        (a_suspect(state="SUSPECT", repair=""), "book suspect for 0.8s: book hash differs from the venue's"),
        (a_suspect(reason="", since_s=75.0, repair=""), "book suspect for 1m"),
        (
            a_frozen(),
            "frozen for 3.0s: REST shows 44c/46c, we have 41.3c/41.6c; asking for a fresh book, try 5",
        ),
        (
            a_frozen(state="SYNCED", freshness_reason="a fresh book came; waiting for a sign of life", repair=""),
            "frozen: a fresh book came; waiting for a sign of life",
        ),
        (an_unproven(), "unproven: REST shows 1c/99c while prices say 44c/46c"),
        (a_data(freshness="quiet", age_s=12.0, proven_s=3.0), "quiet 12s, verified 3s ago"),
        (
            a_data(freshness="quiet", age_s=12.0, proven_s=3.0, freshness_reason="REST told no book"),
            "quiet 12s, verified 3s ago: REST told no book",
        ),
        (a_data(), "heard, proven 0s ago, all hashes agree"),
        (a_data(proven_s=None, hash_checked=0, hash_agreed=0), "heard, not proven yet, no hash checked yet"),
        (a_data(check_every=3), "heard, proven 0s ago, all hashes agree, 1 in 3 checked"),
        (a_data(hash_agreed=1199, hash_differing=2), "heard, proven 0s ago, 2 of 1,204 hashes differ"),
        (a_data(doubt_s=0.42, doubt="hash differs"), "heard, proven 0s ago, in doubt for 0.4s: hash differs"),
        (a_data(check_every=0), "heard, proven 0s ago: only the touch is checked"),
        (
            a_data(check_every=0, reason="hash not reproducible: only the touch is checked"),
            "heard, proven 0s ago: hash not reproducible: only the touch is checked",
        ),
    ],
)
def test_every_state_has_its_words(data, said):
    assert data_words(data).sentence == said


def test_the_cause_does_not_change_by_the_second():
    """It stands in the table, where every change repaints and unsettles."""
    assert data_words(a_suspect()).cause == "suspect: book hash differs from the venue's"
    assert (
        data_words(a_suspect(since_s=9.0, repair="asking for a fresh book, try 3")).cause
        == data_words(a_suspect()).cause
    )
    assert data_words(a_suspect(reason="")).cause == "suspect"


def test_the_course_leaves_out_the_reason():
    assert data_words(a_suspect()).course == "book suspect for 0.8s; asking for a fresh book, try 2"
    assert data_words(an_unproven()).course == "unproven"


def test_a_doubt_is_news_only_when_it_outlives_the_usual_one_after_a_trade():
    assert data_words(a_data(doubt_s=0.2)) == data_words(a_data())


@pytest.mark.parametrize(
    ("data", "sign", "word", "role"),
    [
        (an_empty_book(), "○", "NO BOOK", "muted"),
        (a_suspect(), "▲", "SUSPECT", "warn"),
        (a_suspect(freshness="unproven"), "▲", "SUSPECT", "warn"),
        (a_frozen(), "■", "FROZEN", "warn"),
        (a_frozen(state="SYNCED"), "■", "FROZEN", "warn"),
        (an_unproven(), "?", "UNPROVEN", "warn"),
    ],
)
def test_what_must_not_be_believed_has_a_word_and_a_filled_sign(data, sign, word, role):
    words = data_words(data)
    assert (words.sign, words.word, words.role) == (sign, word, role)
    assert not is_believed(data)


@pytest.mark.parametrize(
    ("data", "sign", "role"),
    [
        (a_data(), "●", "muted"),
        (a_data(freshness="quiet"), "✓", "muted"),
        (a_data(check_every=0), "△", "warn"),
        (a_data(freshness="quiet", check_every=0), "△", "warn"),
        (a_data(doubt_s=0.4), "△", "warn"),
    ],
)
def test_what_may_be_believed_has_no_such_word(data, sign, role):
    words = data_words(data)
    assert (words.sign, words.word, words.role) == (sign, "", role)
    assert is_believed(data)


def test_signs_differ_so_that_colour_is_not_needed():
    every = [an_empty_book(), a_suspect(), a_frozen(), an_unproven(), a_data(), a_data(check_every=0),
             a_data(freshness="quiet")]  # fmt: skip
    assert len({data_words(data).sign for data in every}) == len(every)
