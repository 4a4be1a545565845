"""What a book's messages prove, and when it is believed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MalformedMessage
from core.events import MarketMessage, WireChange, WireLevel
from core.market.continuity import TrackedBook
from core.units import Side
from tests.builders import NO, YES, VenueBook, a_market, laws

Shown = tuple[Any, ...]


def shown(tracked: TrackedBook) -> Shown:
    """Everything about a tracked book that anybody can see, counters of comparisons included."""
    book = tracked.book
    return (
        tracked.state,
        tracked.reason,
        tracked.book_seq,
        tracked.timestamp_ms,
        tracked.gaps,
        tracked.reloads,
        tracked.instrument,
        msgspec.structs.astuple(tracked.evidence),
        *(book.best_first(side, 99) for side in ("bid", "ask")),
        *(book.hash_levels(outcome) for outcome in ("YES", "NO")),
        tracked.stated_hash(YES),
    )


def synced(venue: VenueBook) -> TrackedBook:
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book("YES"))
    tracked.apply_book(venue.book("NO"))
    assert (tracked.state, tracked.reason) == ("SYNCED", "")
    return tracked


def agree(tracked: TrackedBook, venue: VenueBook) -> bool:
    """Both tokens' books are the venue's, level by level and hash by hash."""
    bids, asks = dict(tracked.book.best_first("bid", 999)), dict(tracked.book.best_first("ask", 999))
    same = bids == {t: s * 10**6 for t, s in venue.bids.items()} and asks == {
        t: s * 10**6 for t, s in venue.asks.items()
    }
    return same and all(
        f'"bids":{wire(venue, outcome)}' == tracked.book.hash_levels(outcome).split(',"asks"')[0]
        for outcome in ("YES", "NO")
    )


def wire(venue: VenueBook, outcome: str) -> str:
    return msgspec.json.encode(venue.wire(outcome)["bids"]).decode()


# States


def test_nothing_is_believed_before_the_first_book() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    assert tracked.state == "EMPTY"
    assert not tracked.apply_changes(venue.set("bid", 44, 7)).changed
    assert (tracked.state, tracked.book.best_bid) == ("EMPTY", None)


def test_first_book_synchronises_and_counts_as_a_reload() -> None:
    tracked = synced(VenueBook())
    assert (tracked.synced, tracked.reloads, tracked.gaps, tracked.book_seq) == (True, 1, 0, 0)
    assert (tracked.evidence.hash_checked, tracked.evidence.hash_agreed) == (2, 2)


def test_changes_are_counted_since_the_last_full_book() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    for size in (1, 2, 3):
        assert tracked.apply_changes(venue.set("bid", 44, size)).changed
    assert (tracked.book_seq, agree(tracked, venue)) == (3, True)


def test_lost_change_makes_the_book_suspect_at_the_next_millisecond() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.set("bid", 42, 999)
    told = tracked.apply_changes(venue.set("bid", 43, 5))
    assert tracked.synced, "a hash that does not fit waits for the rest of its millisecond"
    told = tracked.apply_changes(venue.set("bid", 43, 6))
    assert (told.lost, tracked.state, tracked.gaps) == ("book hash differs from the venue's", "SUSPECT", 1)


def test_suspect_book_ignores_changes_and_is_healed_by_a_full_book() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    tracked.lose("a reason")
    tracked.resyncing()
    assert (tracked.state, tracked.reason, tracked.gaps) == ("RESYNCING", "a reason", 1)
    before = tracked.book.best_first("bid", 9)
    tracked.apply_changes(venue.set("bid", 45, 1))
    assert tracked.book.best_first("bid", 9) == before
    tracked.apply_book(venue.book())
    assert (tracked.state, tracked.reason, agree(tracked, venue)) == ("SYNCED", "", True)


def test_losing_twice_is_one_gap_and_an_empty_book_has_none_to_lose() -> None:
    tracked = TrackedBook(a_market())
    tracked.lose("feed down")
    tracked.resyncing()
    assert (tracked.state, tracked.gaps) == ("EMPTY", 0)
    tracked = synced(VenueBook())
    tracked.lose("one")
    tracked.resyncing()
    tracked.lose("two")
    assert (tracked.state, tracked.reason, tracked.gaps) == ("SUSPECT", "two", 1)


# Proof


def test_touch_that_differs_loses_the_book_at_once() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    told = venue.set("bid", 44, 7)
    assert told.price_changes
    lying = tuple(msgspec.structs.replace(c, best_bid="0.44", hash="") for c in told.price_changes[:1])
    assert tracked.apply_changes(msgspec.structs.replace(told, price_changes=lying)).lost
    assert tracked.state == "SUSPECT"


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_emptied_side_is_stated_as_nought_or_one(side: Side) -> None:
    venue = VenueBook(depth=1)
    tracked = synced(venue)
    tick = 45 if side == "bid" else 47
    applied = tracked.apply_changes(venue.set(side, tick, 0))
    assert venue.touch("YES")[side == "ask"] in ("0", "1")
    assert (applied.lost, tracked.synced, agree(tracked, venue)) == ("", True, True)
    assert tracked.evidence.top_agreed == tracked.evidence.top_checked == 2


def test_change_older_than_the_snapshot_is_dropped_and_explained() -> None:
    venue = VenueBook()
    stale = venue.set("bid", 44, 1)
    venue.set("bid", 44, 2)
    tracked = synced(venue)
    assert not tracked.apply_changes(stale).changed
    assert agree(tracked, venue)
    evidence = tracked.evidence
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked == 4


def test_change_of_the_snapshots_own_millisecond_may_be_contained_already() -> None:
    venue = VenueBook()
    first = venue.set("bid", 44, 1)
    second = venue.set("bid", 44, 2, after_ms=0)
    tracked = synced(venue)
    for told in (first, second):
        assert not tracked.apply_changes(told).lost
    assert tracked.apply_changes(venue.set("bid", 43, 8)).lost == ""
    assert (tracked.synced, agree(tracked, venue)) == (True, True)


def test_messages_of_one_millisecond_may_carry_the_hash_of_the_last() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    first = venue.set("bid", 44, 1)
    second = venue.set("ask", 48, 9, after_ms=0)
    assert first.price_changes and second.price_changes
    hashes = [change.hash for change in second.price_changes]
    early = tuple(msgspec.structs.replace(c, hash=h) for c, h in zip(first.price_changes, hashes, strict=True))
    tracked.apply_changes(msgspec.structs.replace(first, price_changes=early))
    tracked.apply_changes(second)
    assert tracked.apply_changes(venue.set("bid", 43, 3)).lost == ""
    evidence = tracked.evidence
    assert (evidence.hash_explained, evidence.hash_agreed) == (2, evidence.hash_checked - 2)


def test_full_book_explains_the_hashes_of_its_own_millisecond() -> None:
    """After a trade the book follows its change; what it proves must not be held against it a millisecond later."""
    venue = VenueBook()
    tracked = synced(venue)
    first = venue.set("bid", 44, 1)
    venue.set("ask", 48, 9, after_ms=0)
    hashes = [venue.wire(outcome)["hash"] for outcome in ("YES", "NO")]
    assert first.price_changes
    early = tuple(msgspec.structs.replace(c, hash=h) for c, h in zip(first.price_changes, hashes, strict=True))
    tracked.apply_changes(msgspec.structs.replace(first, price_changes=early))
    tracked.apply_book(venue.book("YES", tick_size="", last_trade_price=""))
    assert tracked.apply_changes(venue.set("bid", 43, 3)).lost == ""
    assert (tracked.state, tracked.gaps, agree(tracked, venue)) == ("SYNCED", 0, True)


@pytest.mark.parametrize("price", ["0.62", "0.037"])
def test_hash_of_a_trade_not_told_yet_is_found_by_trying_prices(price: str) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.trade(price)
    assert tracked.apply_changes(venue.set("bid", 45, 190)).lost == ""
    assert tracked.apply_changes(venue.set("bid", 44, 3)).lost == ""
    assert (tracked.evidence.hash_explained, tracked.synced) == (1, True)


def test_unprovable_book_falls_back_to_the_touch_and_says_so() -> None:
    venue = VenueBook()
    tracked = TrackedBook(a_market(min_size_text="15"))
    tracked.apply_book(venue.book())
    assert (tracked.state, tracked.reason) == ("SYNCED", "hash not reproducible: only the touch is checked")
    checked = tracked.evidence.hash_checked
    assert tracked.apply_changes(venue.set("bid", 44, 3)).lost == ""
    assert tracked.evidence.hash_checked == checked
    venue.set("bid", 46, 5)
    assert tracked.apply_changes(venue.set("ask", 48, 5)).lost == "best bid or ask differs from the venue's"


def test_repeated_full_book_changes_nothing() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 5))
    for outcome in ("YES", "NO"):
        assert not tracked.apply_book(venue.book(outcome, tick_size="", last_trade_price="")).changed
    assert (tracked.reloads, tracked.book_seq, tracked.gaps) == (1, 1, 0)


def test_older_full_book_does_not_undo_newer_changes() -> None:
    venue = VenueBook()
    old = venue.book()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 5))
    assert not tracked.apply_book(old).changed
    assert agree(tracked, venue)


def test_time_that_goes_backwards_between_changes_is_a_loss_of_continuity() -> None:
    """A change older than the last one applied is no replay of the snapshot: dropping it would leave the book wrong."""
    venue = VenueBook()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 7, after_ms=50))
    late = msgspec.structs.replace(venue.set("ask", 48, 9, after_ms=0), timestamp=venue.ms - 10)
    assert tracked.apply_changes(late).lost == "a change is older than one already applied"
    assert tracked.state == "SUSPECT"


def test_best_bid_ask_is_compared_unless_it_speaks_of_the_past() -> None:
    venue = VenueBook()
    tracked = synced(venue)

    def told(bid: str, ask: str, ms: int, token: str = YES) -> MarketMessage:
        return MarketMessage(event_type="best_bid_ask", asset_id=token, timestamp=ms, best_bid=bid, best_ask=ask)

    assert not tracked.compare_touch(told("0.45", "0.47", venue.ms)).lost
    assert not tracked.compare_touch(told("0.53", "0.55", venue.ms, NO)).lost
    assert not tracked.compare_touch(told("0.1", "0.9", venue.ms - 1)).lost
    assert tracked.synced
    assert tracked.compare_touch(told("0.44", "0.47", venue.ms + 1)).lost
    assert tracked.state == "SUSPECT"


# Both tokens


def test_one_tokens_entry_alone_changes_the_one_book() -> None:
    """Only the mirror entry arrives when one token is subscribed and filtered: it must be enough."""
    venue = VenueBook()
    tracked = synced(venue)
    told = venue.set("ask", 48, 33)
    assert told.price_changes
    mirror = msgspec.structs.replace(told, price_changes=told.price_changes[1:])
    assert tracked.apply_changes(mirror).lost == ""
    assert agree(tracked, venue)


def test_book_of_the_no_token_is_enough_to_start() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book("NO"))
    assert (tracked.state, tracked.reason, agree(tracked, venue)) == ("SYNCED", "", True)


# Refusals


def broken(venue: VenueBook, kind: str) -> MarketMessage:
    """A message of the next millisecond that cannot be used, one for each way to be wrong."""
    change, book = venue.set("bid", 44, 7), venue.book()
    assert change.price_changes and book.bids and book.asks

    def entry(**over: Any) -> MarketMessage:
        assert change.price_changes
        first, second = change.price_changes
        return msgspec.structs.replace(change, price_changes=(first, msgspec.structs.replace(second, **over)))

    def full(**over: Any) -> MarketMessage:
        return msgspec.structs.replace(book, **over)

    worst = WireLevel(price="0.95", size="1")
    return {
        "off grid": lambda: entry(price="0.555"),
        "price nan": lambda: entry(price="NaN"),
        "price one": lambda: entry(price="1"),
        "price nought": lambda: entry(price="0"),
        "negative size": lambda: entry(size="-1"),
        "size nan": lambda: entry(size="nan"),
        "endless size": lambda: entry(size="9" * 5000),
        "huge size": lambda: entry(size="9" * 60),
        "touch off grid": lambda: entry(best_bid="0.123"),
        "touch is a word": lambda: entry(best_ask="soon"),
        "stranger": lambda: entry(asset_id="3"),
        "no changes": lambda: msgspec.structs.replace(change, price_changes=None),
        "crossed": lambda: full(bids=(*book.bids, worst)),
        "locked": lambda: full(bids=(*book.bids, WireLevel(price="0.47", size="1"))),
        "twice": lambda: full(bids=(*book.bids, WireLevel(price="0.45", size="1"))),
        "twice, spelled otherwise": lambda: full(bids=(*book.bids, WireLevel(price="0.450", size="1"))),
        "book off grid": lambda: full(asks=(*book.asks, WireLevel(price="0.4751", size="1"))),
        "book nan": lambda: full(asks=(*book.asks, WireLevel(price="0.6", size="NaN"))),
        "book without bids": lambda: full(bids=None),
        "book of a stranger": lambda: full(asset_id="3"),
        "book on another tick": lambda: full(tick_size="0.001"),
    }[kind]()


KINDS = [
    "off grid",
    "price nan",
    "price one",
    "price nought",
    "negative size",
    "size nan",
    "endless size",
    "huge size",
    "touch off grid",
    "touch is a word",
    "stranger",
    "no changes",
    "crossed",
    "locked",
    "twice",
    "twice; spelled otherwise",
    "book off grid",
    "book nan",
    "book without bids",
    "book of a stranger",
    "book on another tick",
]


@pytest.mark.parametrize("kind", [kind.replace(";", ",") for kind in KINDS])
@pytest.mark.parametrize("is_late", [False, True])
def test_message_that_cannot_be_used_changes_nothing(kind: str, is_late: bool) -> None:
    """It is told as malformed whatever its time and its hash say, and the book is as it was."""
    venue = VenueBook()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("ask", 47, 150))
    message = broken(venue, kind)
    if is_late:
        tracked.apply_changes(venue.change([("bid", 44, 7)]))
        tracked.apply_changes(venue.set("ask", 49, 1))
    before = shown(tracked)
    handle = tracked.apply_book if message.event_type == "book" else tracked.apply_changes
    with pytest.raises(MalformedMessage):
        handle(message)
    assert shown(tracked) == before


@pytest.mark.parametrize("kind", ["crossed", "twice", "book off grid", "book nan"])
def test_spoiled_copy_of_the_book_we_have_is_told_although_its_hash_fits(kind: str) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    message = broken(venue, kind)
    tracked.apply_changes(venue.change([("bid", 44, 7)]))
    before = shown(tracked)
    with pytest.raises(MalformedMessage):
        tracked.apply_book(message)
    assert shown(tracked) == before


def test_change_that_would_cross_the_book_is_a_loss_of_continuity() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    entry = WireChange(asset_id=YES, price="0.48", size="5", side="BUY")
    told = MarketMessage(event_type="price_change", timestamp=venue.ms + 1, price_changes=(entry,))
    assert tracked.apply_changes(told).lost == "a change crosses the book"
    assert (tracked.state, tracked.book.best_bid) == ("SUSPECT", 45)


# Tick size


def test_tick_change_starts_over_on_the_new_grid() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.retick("0.001")
    tracked.change_tick("0.001")
    assert (tracked.state, tracked.book.best_bid, tracked.instrument.grid.k) == ("EMPTY", None, 1000)
    assert not tracked.apply_changes(venue.set("bid", 451, 10)).changed
    tracked.apply_book(venue.book())
    assert (tracked.state, tracked.book.best_bid, agree(tracked, venue)) == ("SYNCED", 451, True)


@pytest.mark.parametrize("tick", ["", "0", "0.3", "NaN", "-0.01", "1", "soon"])
def test_tick_that_does_not_divide_a_dollar_changes_nothing(tick: str) -> None:
    tracked = synced(VenueBook())
    before = shown(tracked)
    with pytest.raises(MalformedMessage):
        tracked.change_tick(tick)
    assert shown(tracked) == before


# Laws

moves = st.lists(
    st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.integers(0, 4), st.integers(0, 2)),
    min_size=1,
    max_size=25,
)


def valid(venue: VenueBook, drawn: list[tuple[Side, int, int, int]]) -> list[tuple[Side, int, int, int]]:
    """The moves that leave the book uncrossed and change something."""
    bids, asks, kept = dict(venue.bids), dict(venue.asks), []
    for side, tick, size, after_ms in drawn:
        own, other = (bids, asks) if side == "bid" else (asks, bids)
        crosses = size and other and (tick >= min(other) if side == "bid" else tick <= max(other))
        if crosses or own.get(tick, 0) == size:
            continue
        own.pop(tick, None)
        if size:
            own[tick] = size
        kept.append((side, tick, size, after_ms))
    return kept


@laws(60)
@given(moves, st.sampled_from(["0.01", "0.001"]))
def test_any_sequence_of_changes_keeps_the_book_proven_for_both_tokens(
    drawn: list[tuple[Side, int, int, int]], tick: str
) -> None:
    venue = VenueBook(a_market(tick))
    tracked = synced(venue)
    for side, at, size, after_ms in valid(venue, drawn):
        assert tracked.apply_changes(venue.set(side, at, size, after_ms)).lost == ""
    assert (tracked.state, agree(tracked, venue)) == ("SYNCED", True)
    evidence = tracked.evidence
    assert evidence.top_agreed == evidence.top_checked
    assert evidence.hash_agreed == evidence.hash_checked, "every message carried the hash of its own state"


@laws(60)
@given(moves, st.data())
def test_any_dropped_change_is_noticed_at_the_next_millisecond(
    drawn: list[tuple[Side, int, int, int]], data: st.DataObject
) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    steps = valid(venue, drawn)
    if not steps:
        return
    dropped = data.draw(st.integers(0, len(steps) - 1))
    for index, (side, at, size, _) in enumerate(steps):
        told = venue.set(side, at, size, after_ms=1)
        if index != dropped:
            tracked.apply_changes(told)
        if index > dropped + 1:
            break
    for _ in range(2):
        tracked.apply_changes(venue.set("bid", 1, venue.bids.get(1, 0) + 1))
    # The level itself may have been overwritten since: then the books are equal again and nothing is wrong.
    assert not tracked.synced or agree(tracked, venue)
