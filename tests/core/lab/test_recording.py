"""What a recording does not say of its markets, and what is made of it."""

from typing import Any

import pytest

from core.lab.recording import infer_instruments
from tests.builders import NO, YES, VenueBook, a_market, shares


@pytest.mark.parametrize("min_size", ["5", "1", "15", "50"])
@pytest.mark.parametrize("neg_risk", [False, True])
def test_minimum_and_flag_are_those_that_reproduce_the_first_hash(min_size: str, neg_risk: bool) -> None:
    book = VenueBook(a_market(min_size_text=min_size, neg_risk=neg_risk))
    (found,) = infer_instruments([book.book("YES"), book.book("NO")], {})
    assert (found.min_size_text, found.min_size, found.neg_risk) == (min_size, shares(float(min_size)), neg_risk)
    assert (found.yes_token, found.no_token, found.tick_text) == (YES, NO, "0.01")


def test_other_token_is_learnt_from_changes_when_only_one_is_subscribed() -> None:
    book = VenueBook()
    (found,) = infer_instruments([book.book("YES"), book.set("bid", 44, 5)], {})
    assert (found.yes_token, found.no_token) == (YES, NO)


@pytest.mark.parametrize("tick", ["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"])
def test_tick_that_is_not_told_is_the_coarsest_that_holds_every_price(tick: str) -> None:
    item = a_market(tick)
    book = VenueBook(item, mid=max(3, item.grid.k // 3), depth=2)
    (found,) = infer_instruments([book.book("YES", tick_size="")], {})
    assert found.tick_text == tick


@pytest.mark.parametrize("over", [{"hash": "0" * 40}, {"hash": ""}, {"last_trade_price": ""}])
def test_book_that_proves_nothing_still_makes_a_market(over: dict[str, Any]) -> None:
    (found,) = infer_instruments([VenueBook().book("YES", **over)], {})
    assert (found.min_size_text, found.neg_risk) == ("5", False)


def test_tick_of_nonsense_makes_no_market_and_a_known_market_is_left_alone() -> None:
    book = VenueBook()
    assert infer_instruments([book.book("YES", tick_size="0.3")], {}) == []
    assert infer_instruments([book.book("YES")], {book.instrument.market: book.instrument}) == []
