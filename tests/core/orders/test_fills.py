"""The book of fills: what is news, what is final, what the journal gets."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import FillSeen
from core.orders import fills
from core.orders.fills import FINAL, Fill, FillBook
from core.units import Ticks, usd_from_float
from tests.builders import MARKET, laws, shares

WORDS = ("matched", "mined", "retrying", "confirmed", "failed")


def a_word(settlement: Any = "matched", trade: str = "t", **over: Any) -> FillSeen:
    told: dict[str, Any] = {"trade_id": trade, "order_id": "o", "size": shares(10), "unix": 950.0}
    return FillSeen(settlement=settlement, **(told | over))


def a_fill(trade: str = "t", order: str = "o", market: str = MARKET) -> Fill:
    return Fill(
        trade_id=trade, order_id=order, intent=1, market=market, outcome="YES", order_side="BUY", price=Ticks(45),
        yes_price=Ticks(45), usd=usd_from_float(0.45), side="bid", size=shares(10), layer=0, unix=950.0,
    )  # fmt: skip


def booked(settlement: Any = "matched") -> FillBook:
    book = FillBook()
    book.book(a_fill(), a_word(settlement), 1.0)
    return book


def settle(book: FillBook, settlement: Any, **over: Any) -> str | None:
    known = book.find(("t", "o"))
    assert known is not None
    return book.settle(known, a_word(settlement, **over), 2.0)


def test_fill_is_open_until_its_last_word() -> None:
    book = booked()
    assert [known.fill.trade_id for known in book.open()] == ["t"]
    assert settle(book, "confirmed") == "confirmed"
    assert (book.open(), len(book.all())) == ([], 1)


def test_fill_that_is_final_when_first_told_is_never_open() -> None:
    assert booked("confirmed").open() == [] == booked("failed").open()


@pytest.mark.parametrize("last", ["confirmed", "failed"])
def test_the_other_end_is_a_contradiction_and_changes_nothing(last: str) -> None:
    book = booked(last)
    other = "failed" if last == "confirmed" else "confirmed"
    assert settle(book, other) == "contradicted"
    assert [settle(book, word) for word in ("matched", "mined", "retrying", last)] == [None] * 4
    known = book.find(("t", "o"))
    assert known is not None and known.word.settlement == last


def test_another_transaction_of_the_same_step_is_news_for_the_journal() -> None:
    """The venue may try again under another hash (polymarket-api.md 6.1)."""
    book = booked()
    assert settle(book, "mined", transaction="0x1") == "moved"
    assert settle(book, "mined", transaction="0x1") is None
    assert settle(book, "mined", transaction="") is None
    assert settle(book, "mined", transaction="0x2") == "moved"
    assert settle(book, "confirmed", transaction="0x2") == "confirmed"
    assert settle(book, "confirmed", transaction="0x3") == "moved"
    assert len(book.take_touched()[1]) == 5


def test_both_who_tell_are_remembered_even_when_they_say_nothing_new() -> None:
    book = booked()
    assert settle(book, "matched", source="read") is None
    known = book.find(("t", "o"))
    assert known is not None and known.sources == {"channel", "read"}


def test_version_of_a_market_grows_with_every_step_and_no_repetition() -> None:
    book = booked()
    book.book(a_fill("other", market="0xother"), a_word(trade="other"), 1.0)
    assert book.versions == {MARKET: 1, "0xother": 1}
    settle(book, "matched")
    assert book.versions[MARKET] == 1
    settle(book, "mined")
    assert book.versions == {MARKET: 2, "0xother": 1}


def test_restored_fill_is_no_news_for_the_journal() -> None:
    book = FillBook()
    book.restore(a_fill(), a_word("mined"), 1.0)
    assert (book.take_touched(), len(book.open()), book.versions) == (([], []), 1, {})


def test_what_could_not_be_written_comes_again_before_what_came_since() -> None:
    book = booked()
    taken = book.take_touched()
    settle(book, "mined")
    book.put_back(*taken)
    touched, steps = book.take_touched()
    assert [known.word.settlement for known in touched] == ["mined"], "one row, the latest word"
    assert [word.settlement for _, word in steps] == ["matched", "mined"]
    assert book.take_touched() == ([], [])


def test_only_fills_of_forgotten_orders_are_forgotten_and_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repetition of any other would be booked again."""
    monkeypatch.setattr(fills, "KEPT_FILLS", 2)
    book = FillBook()
    for number in range(6):
        trade, order = f"t{number}", f"o{number // 2}"
        book.book(a_fill(trade, order), a_word("confirmed", trade, order_id=order), 1.0)
    assert len(book.all()) == 6
    book.forget("o1")
    assert len(book.all()) == 6
    book.forget("o0")
    book.forget("nobody's")
    assert [known.fill.trade_id for known in book.all()] == ["t0", "t1", "t4", "t5"]


def test_fills_are_told_in_the_ticks_of_the_new_grid_and_cost_what_they_cost() -> None:
    book = FillBook()
    book.book(a_fill(), a_word(), 1.0)
    book.book(a_fill("other", market="0xother"), a_word(trade="other"), 1.0)
    book.change_grid(MARKET, lambda ticks: Ticks(ticks * 10))
    told = {known.fill.market: (known.fill.price, known.fill.usd) for known in book.all()}
    assert told == {MARKET: (450, 450_000), "0xother": (45, 450_000)}


@pytest.mark.parametrize("told", list(permutations(("matched", "mined", "confirmed"))))
def test_words_in_any_order_end_the_same(told: tuple[str, ...]) -> None:
    book = booked(told[0])
    for word in told[1:]:
        settle(book, word)
    known = book.find(("t", "o"))
    assert known is not None and known.word.settlement == "confirmed" and known.is_final


@laws(300)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
def test_settlement_is_a_partial_order(words: list[Any]) -> None:
    """One end at most, told once; nothing leaves it; "matched" is never come back to (I-19)."""
    book = booked(words[0])
    known = book.find(("t", "o"))
    assert known is not None
    ends = int(known.is_final)
    for word in words[1:]:
        before = known.word.settlement
        change = settle(book, word)
        after = known.word.settlement
        assert not (before in FINAL and after != before)
        assert not (before != "matched" and after == "matched")
        assert (change in ("confirmed", "void")) == (after in FINAL and before not in FINAL)
        ends += change in ("confirmed", "void")
    assert ends == (known.word.settlement in FINAL) == (not book.open())
