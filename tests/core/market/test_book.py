"""Levels, touch, mirror and hash of one book."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.market.book import ALL_LAST_TRADES, Book, BookHash
from core.units import OUTCOMES, Grid, Shares, Ticks, grid_of, parse_micro
from tests.builders import MARKET, YES, laws, recorded, reference_hash, shares

CENTS = grid_of("0.01")


def a_book(bids: dict[int, float] | None = None, asks: dict[int, float] | None = None, grid: Grid = CENTS) -> Book:
    book = Book(grid)
    for side, levels in (("bid", bids or {}), ("ask", asks or {})):
        for tick, size in levels.items():
            book.side("bid" if side == "bid" else "ask").put(Ticks(tick), shares(size), f"{size:g}")
    return book


def usual() -> Book:
    return a_book({40: 25, 41: 7.5}, {60: 30, 59: 12})


def test_touch_is_the_best_of_each_side_and_none_when_a_side_is_empty() -> None:
    assert (usual().best_bid, usual().best_ask) == (41, 59)
    assert (a_book(asks={59: 1}).best_bid, a_book(asks={59: 1}).best_ask) == (None, 59)
    assert (Book(CENTS).best_bid, Book(CENTS).best_ask) == (None, None)


def test_best_first_walks_away_from_the_touch() -> None:
    book = usual()
    assert book.best_first("bid", 9) == [(41, shares(7.5)), (40, shares(25))]
    assert book.best_first("ask", 1) == [(59, shares(12))]


def test_size_zero_removes_a_level_and_writing_twice_changes_nothing() -> None:
    book = usual()
    for _ in range(2):
        book.side("bid").put(Ticks(41), Shares(0), "0")
    assert (book.best_bid, book.size_at("bid", Ticks(41))) == (40, 0)
    for _ in range(2):
        book.side("ask").put(Ticks(59), shares(3), "3")
    assert book.size_at("ask", Ticks(59)) == shares(3)
    assert book.best_first("ask", 9) == [(59, shares(3)), (60, shares(30))]


def test_level_that_touches_the_other_side_crosses() -> None:
    book = usual()
    assert [book.crosses("bid", Ticks(t)) for t in (58, 59, 60)] == [False, True, True]
    assert [book.crosses("ask", Ticks(t)) for t in (42, 41, 40)] == [False, True, True]
    assert not Book(CENTS).crosses("bid", Ticks(99))


def test_no_side_is_the_mirror_with_its_sides_exchanged() -> None:
    assert json.loads("{" + usual().hash_levels("NO") + "}") == {
        "bids": [{"price": "0.4", "size": "30"}, {"price": "0.41", "size": "12"}],
        "asks": [{"price": "0.6", "size": "25"}, {"price": "0.59", "size": "7.5"}],
    }


@laws(100)
@given(st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.integers(0, 3)), max_size=40))
def test_any_writes_agree_with_two_plain_dicts(writes: list[tuple[Any, int, int]]) -> None:
    book, plain = Book(CENTS), {"bid": dict[int, int](), "ask": dict[int, int]()}
    for side, tick, size in writes:
        book.side(side).put(Ticks(tick), shares(size), str(size))
        plain[side].pop(tick, None)
        if size:
            plain[side][tick] = shares(size)
    assert book.best_first("bid", 100) == sorted(plain["bid"].items(), reverse=True)
    assert book.best_first("ask", 100) == sorted(plain["ask"].items())
    expected = {
        "bids": [(t, plain["bid"][t]) for t in sorted(plain["bid"])],
        "asks": [(t, plain["ask"][t]) for t in sorted(plain["ask"], reverse=True)],
    }
    spelled = {side: [wired(CENTS.text(t), size) for t, size in levels] for side, levels in expected.items()}
    mirror = {side: [wired(CENTS.text(100 - t), size) for t, size in levels] for side, levels in expected.items()}
    assert json.loads("{" + book.hash_levels("YES") + "}") == spelled
    assert json.loads("{" + book.hash_levels("NO") + "}") == {"bids": mirror["asks"], "asks": mirror["bids"]}


def wired(price: str, size: int) -> dict[str, str]:
    return {"price": price, "size": str(size // 10**6)}


@laws(150)
@given(
    st.lists(st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 12), st.integers(0, 2)), max_size=40),
    st.lists(st.sampled_from(["", "YES", "NO"]), max_size=40),
)
def test_hash_text_is_the_same_however_often_it_was_asked_for(
    writes: list[tuple[Any, int, int]], asked: list[Any]
) -> None:
    """Fragments are spelled out late and kept beside the ticks: what is asked for in between must change nothing."""
    asked_often, asked_once = Book(CENTS), Book(CENTS)
    for number, (side, tick, size) in enumerate(writes):
        for book in (asked_often, asked_once):
            book.side(side).put(Ticks(tick), shares(size), str(size))
        outcome = asked[number] if number < len(asked) else ""
        if outcome:
            asked_often.hash_levels(outcome)
    for outcome in OUTCOMES:
        assert asked_often.hash_levels(outcome) == asked_once.hash_levels(outcome)
        assert asked_often.copy().hash_levels(outcome) == asked_once.hash_levels(outcome)


@laws(150)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=25),
    st.tuples(st.integers(1, 12), st.sampled_from(["0", "1", "2", "3", "x", "1.", "-1"])),
    st.booleans(),
)
def test_write_that_keeps_the_touch_says_what_it_did(
    writes: list[tuple[int, int]], change: tuple[int, str], is_bid: bool
) -> None:
    """None: nothing was done. True: behind the best price. False: the best price's size."""
    book = Book(CENTS)
    side, plain = (book.bids if is_bid else book.asks), (Book(CENTS).bids if is_bid else Book(CENTS).asks)
    for tick, size in writes:
        side.put(Ticks(tick), shares(size), str(size))
        plain.put(Ticks(tick), shares(size), str(size))
    tick, text = Ticks(change[0]), change[1]
    touch = book.touch
    expected = dict(side.sizes)
    done = side.put_keeping_touch(tick, text)
    if done is None:
        assert side.sizes == expected
        return
    assert book.touch == touch
    best = touch[0] if is_bid else touch[1]
    assert done is (tick != best)
    plain.put(tick, shares(int(text.rstrip("."))), text)
    assert (side.sizes, side.ticks) == (plain.sizes, plain.ticks) != (expected, [])


@laws(100)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1)), max_size=12),
    st.integers(1, 9),
    st.integers(0, 1),
    st.booleans(),
)
def test_best_price_after_a_write_is_foretold(
    writes: list[tuple[int, int]], tick: int, size: int, is_bid: bool
) -> None:
    book = Book(CENTS)
    side = book.bids if is_bid else book.asks
    for at, shown in writes:
        side.put(Ticks(at), shares(shown), str(shown))
    foretold = side.best_after(Ticks(tick), shares(size))
    side.put(Ticks(tick), shares(size), str(size))
    assert foretold == book.touch[0 if is_bid else 1]


def test_hash_of_the_official_vector() -> None:
    """The vector lists its asks rising, unlike the feed; the levels are hashed as they are given."""
    levels = {
        side: [{"price": price, "size": "100"} for price in prices]
        for side, prices in {"bids": ("0.3", "0.4"), "asks": ("0.6", "0.7")}.items()
    }
    text = json.dumps(levels, separators=(",", ":"))[1:-1]
    digest = BookHash("0xaabbcc", "100", "100", "0.01", False).of(123456789, text, "0.5")
    assert digest == "0458ea5755c9f73d64a14636fa5c36ed460ec394"


def test_hash_follows_three_steps_of_one_book() -> None:
    book, hasher = usual(), BookHash(MARKET, YES, "5", "0.01", False)

    def digest(ms: int) -> str:
        return hasher.of(ms, book.hash_levels("YES"), "0.500")

    assert digest(1790000000000) == "b20a64511c0fb1cfeda191130cc3bee705801669"
    book.side("bid").put(Ticks(42), shares(10), "10")
    assert digest(1790000000250) == "27630228ecdd2778e09fcc958180512345dbd1bf"
    book.side("ask").put(Ticks(59), Shares(0), "0")
    assert digest(1790000000900) == "78bb225865837879f3230c58cb8a96f1cbe99380"


def test_last_trade_is_found_among_candidates_or_not_at_all() -> None:
    book, hasher = usual(), BookHash(MARKET, YES, "5", "0.01", True)
    wanted = hasher.of(7, book.hash_levels("YES"), "0.612")
    assert hasher.find_last_trade(wanted, 7, book.hash_levels("YES"), ALL_LAST_TRADES) == "0.612"
    assert hasher.find_last_trade(wanted, 8, book.hash_levels("YES"), ALL_LAST_TRADES) is None


def test_every_recorded_rest_book_reproduces_its_hash() -> None:
    """The hash is computed over the venue's own spelling: one changed character would show here."""
    for path in recorded("book-gamma-pairs-2026-07/book-*.json") + recorded("book-*-2026-06-28.json"):
        told = json.loads(path.read_bytes())
        grid = grid_of(told["tick_size"])
        book = Book(grid)
        for side in ("bid", "ask"):
            for level in told[f"{side}s"]:
                book.side("bid" if side == "bid" else "ask").put(
                    grid.ticks(level["price"]), Shares(parse_micro(level["size"])), level["size"]
                )
        hasher = BookHash(told["market"], told["asset_id"], told["min_order_size"], told["tick_size"], told["neg_risk"])
        digest = hasher.of(int(told["timestamp"]), book.hash_levels("YES"), told["last_trade_price"])
        assert digest == told["hash"] == reference_hash(told), path.name
