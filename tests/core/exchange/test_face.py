"""The public face of a book: texts, order of levels, hashes (polymarket-api.md 4.4, appendix A)."""

import hashlib
import json

import pytest

from core.exchange.face import Face
from core.market.instrument import Instrument
from core.units import Outcome, Shares, Ticks

NO = "2" * 77


def face(tick: str = "0.01", *, neg_risk: bool = False) -> Face:
    instrument = Instrument(
        market="0x" + "ab" * 32,
        yes_token="1" * 77,
        no_token=NO,
        title="?",
        tick_text=tick,
        min_size=Shares(5_000_000),
        neg_risk=neg_risk,
    )
    return Face(instrument, Ticks(instrument.grid.k // 2), 1790000000000)


def recomputed(book: dict[str, object]) -> str:
    """The hash of a REST book by the documented recipe, with an ordinary JSON library."""
    head = ("market", "asset_id", "timestamp", "hash", "bids", "asks")
    tail = ("min_order_size", "tick_size", "neg_risk", "last_trade_price")
    ordered = {key: book[key] for key in head + tail} | {"hash": ""}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode()).hexdigest()


def test_hash_follows_the_vectors_change_by_change() -> None:
    shown = face()
    for side, price, size in (("bid", 40, 25), ("bid", 41, 7.5), ("ask", 60, 30), ("ask", 59, 12)):
        shown.set_level("bid" if side == "bid" else "ask", Ticks(price), Shares(int(size * 1_000_000)))
    assert shown.hash("YES") == "b20a64511c0fb1cfeda191130cc3bee705801669"
    shown.advance(1790000000250)
    shown.set_level("bid", Ticks(42), Shares(10_000_000))
    assert shown.hash("YES") == "27630228ecdd2778e09fcc958180512345dbd1bf"
    shown.advance(1790000000900)
    shown.set_level("ask", Ticks(59), Shares(0))
    assert shown.hash("YES") == "78bb225865837879f3230c58cb8a96f1cbe99380"


@pytest.mark.parametrize("outcome", ["YES", "NO"])
def test_rest_book_carries_its_own_hash_and_mirrors_the_other_token(outcome: Outcome) -> None:
    shown = face("0.001", neg_risk=True)
    shown.set_level("bid", Ticks(310), Shares(1_230_000))
    shown.set_level("bid", Ticks(305), Shares(5_000_000))
    shown.set_level("ask", Ticks(320), Shares(8_771_927))
    shown.set_last_trade(Ticks(97), "SELL")
    book = json.loads(shown.rest_book(outcome))
    assert book["hash"] == recomputed(book) == shown.hash(outcome)
    assert book["last_trade_price"] == "0.097" and book["neg_risk"] is True
    own, other = (book["bids"], book["asks"]) if outcome == "YES" else (book["asks"], book["bids"])
    prices = ["0.305", "0.31"] if outcome == "YES" else ["0.695", "0.69"]
    assert own == [{"price": p, "size": s} for p, s in zip(prices, ("5", "1.23"), strict=True)]
    assert other == [{"price": "0.32" if outcome == "YES" else "0.68", "size": "8.771927"}]


def test_socket_book_has_tick_and_last_trade_only_at_the_start() -> None:
    shown = face()
    first = json.loads(shown.socket_book("YES", initial=True))
    later = json.loads(shown.socket_book("YES", initial=False))
    assert set(first) - set(later) == {"tick_size", "last_trade_price"}
    assert not {"min_order_size", "neg_risk"} & set(first)
    assert (first["tick_size"], first["last_trade_price"]) == ("0.01", "0.500")


def test_an_empty_side_reads_zero_or_one() -> None:
    shown = face()
    assert shown.top_texts("YES") == ("0", "1")
    shown.set_level("bid", Ticks(40), Shares(1_000_000))
    assert (shown.top_texts("YES"), shown.top_texts("NO")) == (("0.4", "1"), ("0", "0.6"))


def test_stamps_never_go_back() -> None:
    shown = face()
    shown.advance(1789999999999)
    assert shown.stamp_ms == 1790000000000
