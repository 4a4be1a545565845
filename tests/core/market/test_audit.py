"""What a REST book says of ours: REST is heard, never believed blindly."""

from typing import Any

import pytest

from core.events import RestTouch
from core.market.audit import Finding, audit
from core.market.continuity import ProofPolicy, TrackedBook
from tests.builders import NO, YES, VenueBook, reference_hash


def followed(book: VenueBook) -> TrackedBook:
    tracked = TrackedBook(book.instrument, ProofPolicy())
    tracked.apply_book(book.book(), 0.0)
    return tracked


def heard(tracked: TrackedBook, book: VenueBook, **over: Any) -> Finding:
    """An audit with both tokens' books and prices as the venue has them."""
    outcomes = ("YES", "NO")
    told = {"books": [book.rest(o) for o in outcomes], "touches": [book.rest_touch(o) for o in outcomes]} | over
    return audit(tracked, told["books"], told["touches"])


def test_the_same_book_is_the_same() -> None:
    book = VenueBook()
    finding = heard(followed(book), book)
    assert (finding.kind, finding.words, finding.prices_agree) == ("same", "", True)


def test_either_token_is_enough() -> None:
    """The two books are one; a venue that leaves one out still vouches for both."""
    book = VenueBook()
    tracked = followed(book)
    for outcome in ("YES", "NO"):
        assert heard(tracked, book, books=[book.rest(outcome)], touches=[book.rest_touch(outcome)]).kind == "same"


def test_a_book_that_went_on_is_another() -> None:
    book = VenueBook()
    tracked = followed(book)
    book.set("bid", 46, 900)
    finding = heard(tracked, book)
    assert (finding.kind, finding.confirmed, finding.prices_agree) == ("other", True, False)
    assert finding.words == "REST shows 46c/47c, we have 45c/47c" and finding.timestamp_ms == book.ms


def test_a_change_behind_the_touch_is_seen_too() -> None:
    book = VenueBook()
    tracked = followed(book)
    book.set("bid", 30, 900)
    finding = heard(tracked, book)
    assert (finding.kind, finding.words) == ("other", "REST shows another book behind the same touch")


def test_a_book_that_is_behind_ours_is_older() -> None:
    book = VenueBook()
    old = [book.rest("YES"), book.rest("NO")]
    tracked = followed(book)
    tracked.apply_changes(book.set("bid", 40, 7), 0.1)
    assert heard(tracked, book, books=old).kind == "older"


def test_a_ghost_is_found_out_by_the_prices() -> None:
    """0.01 against 0.99 with a hash of its own that fits: only the third voice tells (peers.md T1)."""
    book, ghost = VenueBook(), VenueBook()
    tracked = followed(book)
    ghost.bids, ghost.asks = {1: 100}, {99: 100}
    finding = heard(tracked, book, books=[ghost.rest("YES"), ghost.rest("NO")])
    assert (finding.kind, finding.prices_agree) == ("implausible", True)
    assert finding.words == "REST shows 1c/99c while prices say 45c/47c" and finding.book is None


def test_a_book_that_does_not_fit_its_hash_is_no_book() -> None:
    book = VenueBook()
    tracked = followed(book)
    finding = heard(tracked, book, books=[book.rest("YES", hash="0" * 40)])
    assert (finding.kind, finding.words) == ("implausible", "REST's book does not fit its own hash")


def test_two_books_that_do_not_mirror_each_other_are_none() -> None:
    book, other = VenueBook(), VenueBook()
    tracked = followed(book)
    other.bids[45] = 77
    finding = heard(tracked, book, books=[book.rest("YES"), other.rest("NO")])
    assert (finding.kind, finding.words) == ("implausible", "REST's YES and NO books do not mirror each other")


def test_what_cannot_be_read_is_told_and_not_believed() -> None:
    book = VenueBook()
    tracked = followed(book)
    wire = book.wire() | {"bids": [{"price": "0.455", "size": "1"}]}
    off_grid = book.rest("YES", bids=wire["bids"], hash=reference_hash(wire))
    finding = heard(tracked, book, books=[off_grid])
    assert finding.kind == "implausible" and "0.455" in finding.words


def test_no_word_is_missing() -> None:
    book = VenueBook()
    assert heard(followed(book), book, books=[]).kind == "missing"


@pytest.mark.parametrize(
    ("touch", "agrees"),
    [
        (RestTouch(YES, "0.45", "0.47"), True),
        (RestTouch(NO, "0.53", "0.55"), True),
        (RestTouch(YES, "0.45", "0.48"), False),
        (RestTouch(YES, "", ""), None),
        (RestTouch(YES, "nan", "0.47"), None),
        (RestTouch("7", "0.45", "0.47"), None),
    ],
)
def test_prices_are_read_in_the_frame_of_their_token(touch: RestTouch, agrees: bool | None) -> None:
    book = VenueBook()
    assert heard(followed(book), book, touches=[touch]).prices_agree is agrees


def test_an_empty_side_is_a_price_too() -> None:
    book = VenueBook()
    book.asks = {}
    finding = heard(followed(book), book)
    assert (finding.kind, finding.prices_agree) == ("same", True)
