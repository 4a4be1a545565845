"""What a book's messages prove, and when it is believed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MalformedMessage
from core.events import MarketMessage, WireChange, WireLevel
from core.market.continuity import BEHIND, ProofPolicy, TrackedBook
from core.units import MICRO, Side, Ticks
from tests.builders import NO, YES, VenueBook, a_market, laws

NOW = 1000.0
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
    tracked = TrackedBook(venue.instrument, ProofPolicy(both=True))
    tracked.apply_book(venue.book("YES"), NOW)
    tracked.apply_book(venue.book("NO"), NOW)
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
    assert not tracked.apply_changes(venue.set("bid", 44, 7), NOW).changed
    assert (tracked.state, tracked.book.best_bid) == ("EMPTY", None)


def test_first_book_synchronises_and_counts_as_a_reload() -> None:
    tracked = synced(VenueBook())
    assert (tracked.synced, tracked.reloads, tracked.gaps, tracked.book_seq) == (True, 1, 0, 0)
    assert (tracked.evidence.hash_checked, tracked.evidence.hash_agreed) == (2, 2)


def test_changes_are_counted_since_the_last_full_book() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    for size in (1, 2, 3):
        assert tracked.apply_changes(venue.set("bid", 44, size), NOW).changed
    assert (tracked.book_seq, agree(tracked, venue)) == (3, True)


def test_lost_change_makes_the_book_suspect_at_the_next_millisecond() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.set("bid", 42, 999)
    told = tracked.apply_changes(venue.set("bid", 43, 5), NOW)
    assert tracked.synced, "a hash that does not fit waits for the rest of its millisecond"
    told = tracked.apply_changes(venue.set("bid", 43, 6), NOW)
    assert (told.lost, tracked.state, tracked.gaps) == ("book hash differs from the venue's", "SUSPECT", 1)


def test_suspect_book_ignores_changes_and_is_healed_by_a_full_book() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    tracked.lose("a reason", NOW)
    tracked.resyncing(NOW)
    assert (tracked.state, tracked.reason, tracked.gaps) == ("RESYNCING", "a reason", 1)
    before = tracked.book.best_first("bid", 9)
    tracked.apply_changes(venue.set("bid", 45, 1), NOW)
    assert tracked.book.best_first("bid", 9) == before
    tracked.apply_book(venue.book(), NOW)
    assert (tracked.state, tracked.reason, agree(tracked, venue)) == ("SYNCED", "", True)


def test_losing_twice_is_one_gap_and_an_empty_book_has_none_to_lose() -> None:
    tracked = TrackedBook(a_market())
    tracked.lose("feed down", NOW)
    tracked.resyncing(NOW)
    assert (tracked.state, tracked.gaps) == ("EMPTY", 0)
    tracked = synced(VenueBook())
    tracked.lose("one", NOW)
    tracked.resyncing(NOW)
    tracked.lose("two", NOW)
    assert (tracked.state, tracked.reason, tracked.gaps) == ("SUSPECT", "two", 1)


# Proof


def test_touch_that_differs_loses_the_book_at_once() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    told = venue.set("bid", 44, 7)
    assert told.price_changes
    lying = tuple(msgspec.structs.replace(c, best_bid="0.44", hash="") for c in told.price_changes[:1])
    assert tracked.apply_changes(msgspec.structs.replace(told, price_changes=lying), NOW).lost
    assert tracked.state == "SUSPECT"


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_emptied_side_is_stated_as_nought_or_one(side: Side) -> None:
    venue = VenueBook(depth=1)
    tracked = synced(venue)
    tick = 45 if side == "bid" else 47
    applied = tracked.apply_changes(venue.set(side, tick, 0), NOW)
    assert venue.touch("YES")[side == "ask"] in ("0", "1")
    assert (applied.lost, tracked.synced, agree(tracked, venue)) == ("", True, True)
    assert tracked.evidence.top_agreed == tracked.evidence.top_checked == 2


def test_change_older_than_the_snapshot_is_dropped_and_explained() -> None:
    venue = VenueBook()
    stale = venue.set("bid", 44, 1)
    venue.set("bid", 44, 2)
    tracked = synced(venue)
    assert not tracked.apply_changes(stale, NOW).changed
    assert agree(tracked, venue)
    evidence = tracked.evidence
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked == 4


def test_change_of_the_snapshots_own_millisecond_may_be_contained_already() -> None:
    venue = VenueBook()
    first = venue.set("bid", 44, 1)
    second = venue.set("bid", 44, 2, after_ms=0)
    tracked = synced(venue)
    for told in (first, second):
        assert not tracked.apply_changes(told, NOW).lost
    assert tracked.apply_changes(venue.set("bid", 43, 8), NOW).lost == ""
    assert (tracked.synced, agree(tracked, venue)) == (True, True)


def test_messages_of_one_millisecond_may_carry_the_hash_of_the_last() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    first = venue.set("bid", 44, 1)
    second = venue.set("ask", 48, 9, after_ms=0)
    assert first.price_changes and second.price_changes
    hashes = [change.hash for change in second.price_changes]
    early = tuple(msgspec.structs.replace(c, hash=h) for c, h in zip(first.price_changes, hashes, strict=True))
    tracked.apply_changes(msgspec.structs.replace(first, price_changes=early), NOW)
    tracked.apply_changes(second, NOW)
    assert tracked.apply_changes(venue.set("bid", 43, 3), NOW).lost == ""
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
    tracked.apply_changes(msgspec.structs.replace(first, price_changes=early), NOW)
    tracked.apply_book(venue.book("YES", tick_size="", last_trade_price=""), NOW)
    assert tracked.apply_changes(venue.set("bid", 43, 3), NOW).lost == ""
    assert (tracked.state, tracked.gaps, agree(tracked, venue)) == ("SYNCED", 0, True)


@pytest.mark.parametrize("price", ["0.62", "0.037"])
def test_hash_of_a_trade_not_told_yet_is_found_by_trying_prices(price: str) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.trade(price)
    assert tracked.apply_changes(venue.set("bid", 45, 190), NOW).lost == ""
    assert tracked.apply_changes(venue.set("bid", 44, 3), NOW).lost == ""
    assert (tracked.evidence.hash_explained, tracked.synced) == (1, True)


def test_unprovable_book_falls_back_to_the_touch_and_says_so() -> None:
    venue = VenueBook()
    tracked = TrackedBook(a_market(min_size_text="15"))
    tracked.apply_book(venue.book(), NOW)
    assert (tracked.state, tracked.reason) == ("SYNCED", "hash not reproducible: only the touch is checked")
    checked = tracked.evidence.hash_checked
    assert tracked.apply_changes(venue.set("bid", 44, 3), NOW).lost == ""
    assert tracked.evidence.hash_checked == checked
    venue.set("bid", 46, 5)
    assert tracked.apply_changes(venue.set("ask", 48, 5), NOW).lost == "best bid or ask differs from the venue's"


def test_repeated_full_book_changes_nothing() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 5), NOW)
    for outcome in ("YES", "NO"):
        assert not tracked.apply_book(venue.book(outcome, tick_size="", last_trade_price=""), NOW).changed
    assert (tracked.reloads, tracked.book_seq, tracked.gaps) == (1, 1, 0)


def test_older_full_book_does_not_undo_newer_changes() -> None:
    venue = VenueBook()
    old = venue.book()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 5), NOW)
    assert not tracked.apply_book(old, NOW).changed
    assert agree(tracked, venue)


def test_time_that_goes_backwards_between_changes_is_a_loss_of_continuity() -> None:
    """A change older than the last one applied is no replay of the snapshot: dropping it would leave the book wrong."""
    venue = VenueBook()
    tracked = synced(venue)
    tracked.apply_changes(venue.set("bid", 44, 7, after_ms=50), NOW)
    late = venue.set("ask", 48, 9, after_ms=-10)
    assert tracked.apply_changes(late, NOW).lost == "a change is older than one already applied"
    assert tracked.state == "SUSPECT"


def test_best_bid_ask_is_compared_unless_it_speaks_of_the_past() -> None:
    venue = VenueBook()
    tracked = synced(venue)

    def told(bid: str, ask: str, ms: int, token: str = YES) -> MarketMessage:
        return MarketMessage(event_type="best_bid_ask", asset_id=token, timestamp=ms, best_bid=bid, best_ask=ask)

    assert not tracked.compare_touch(told("0.45", "0.47", venue.ms), NOW).lost
    assert not tracked.compare_touch(told("0.53", "0.55", venue.ms, NO), NOW).lost
    assert not tracked.compare_touch(told("0.1", "0.9", venue.ms - 1), NOW).lost
    assert tracked.synced
    assert tracked.compare_touch(told("0.44", "0.47", venue.ms + 1), NOW).lost
    assert tracked.state == "SUSPECT"


# Both tokens


def test_one_tokens_entry_alone_changes_the_one_book() -> None:
    """Only the mirror entry arrives when one token is subscribed and filtered: it must be enough."""
    venue = VenueBook()
    tracked = synced(venue)
    told = venue.set("ask", 48, 33)
    assert told.price_changes
    mirror = msgspec.structs.replace(told, price_changes=told.price_changes[1:])
    assert tracked.apply_changes(mirror, NOW).lost == ""
    assert agree(tracked, venue)


def test_book_of_the_no_token_is_enough_to_start() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book("NO"), NOW)
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
        "no price": lambda: entry(price="1.5"),
        "price nan": lambda: entry(price="NaN"),
        "price one": lambda: entry(price="1"),
        "price nought": lambda: entry(price="0"),
        "negative size": lambda: entry(size="-1"),
        "size nan": lambda: entry(size="nan"),
        "endless size": lambda: entry(size="9" * 5000),
        "huge size": lambda: entry(size="9" * 60),
        "no touch": lambda: entry(best_bid="1.23"),
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
    "no price",
    "price nan",
    "price one",
    "price nought",
    "negative size",
    "size nan",
    "endless size",
    "huge size",
    "no touch",
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
    tracked.apply_changes(venue.set("ask", 47, 150), NOW)
    message = broken(venue, kind)
    if is_late:
        tracked.apply_changes(venue.change([("bid", 44, 7)]), NOW)
        tracked.apply_changes(venue.set("ask", 49, 1), NOW)
    before = shown(tracked)
    handle = tracked.apply_book if message.event_type == "book" else tracked.apply_changes
    with pytest.raises(MalformedMessage):
        handle(message, NOW)
    assert shown(tracked) == before


@pytest.mark.parametrize("kind", ["crossed", "twice", "book off grid", "book nan"])
def test_spoiled_copy_of_the_book_we_have_is_told_although_its_hash_fits(kind: str) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    message = broken(venue, kind)
    tracked.apply_changes(venue.change([("bid", 44, 7)]), NOW)
    before = shown(tracked)
    with pytest.raises(MalformedMessage):
        tracked.apply_book(message, NOW)
    assert shown(tracked) == before


def test_change_that_would_cross_the_book_is_a_loss_of_continuity() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    entry = WireChange(asset_id=YES, price="0.48", size="5", side="BUY")
    told = MarketMessage(event_type="price_change", timestamp=venue.ms + 1, price_changes=(entry,))
    assert tracked.apply_changes(told, NOW).lost == "a change crosses the book"
    assert (tracked.state, tracked.book.best_bid) == ("SUSPECT", 45)


# Tick size


def test_tick_change_starts_over_on_the_new_grid() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.retick("0.001")
    tracked.change_tick("0.001", NOW)
    assert (tracked.state, tracked.book.best_bid, tracked.instrument.grid.k) == ("EMPTY", None, 1000)
    assert not tracked.apply_changes(venue.set("bid", 451, 10), NOW).changed
    tracked.apply_book(venue.book(), NOW)
    assert (tracked.state, tracked.book.best_bid, agree(tracked, venue)) == ("SYNCED", 451, True)


@pytest.mark.parametrize("tick", ["", "0", "0.3", "NaN", "-0.01", "1", "soon"])
def test_tick_that_does_not_divide_a_dollar_changes_nothing(tick: str) -> None:
    tracked = synced(VenueBook())
    before = shown(tracked)
    with pytest.raises(MalformedMessage):
        tracked.change_tick(tick, NOW)
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
        assert tracked.apply_changes(venue.set(side, at, size, after_ms), NOW).lost == ""
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
            tracked.apply_changes(told, NOW)
        if index > dropped + 1:
            break
    for _ in range(2):
        tracked.apply_changes(venue.set("bid", 1, venue.bids.get(1, 0) + 1), NOW)
    # The level itself may have been overwritten since: then the books are equal again and nothing is wrong.
    assert not tracked.synced or agree(tracked, venue)


def slowly(tracked: TrackedBook, message: MarketMessage) -> None:
    """The same message as single entries of a longer one: never the short way."""
    tracked._calm = False
    tracked.apply_changes(message, NOW)


@laws(80)
@given(moves, st.sampled_from(["0.01", "0.001"]), st.sampled_from([1, 3, 10**9]))
def test_short_way_and_long_way_come_to_the_same(
    drawn: list[tuple[Side, int, int, int]], tick: str, every: int
) -> None:
    """Mirrored pairs are read once; what they do, count and prove is what reading both entries would."""
    venue = VenueBook(a_market(tick), depth=3)
    quick, slow = (TrackedBook(venue.instrument, ProofPolicy(every)) for _ in range(2))
    for tracked in (quick, slow):
        tracked.apply_book(venue.book(), NOW)
    for side, at, size, after_ms in valid(venue, drawn):
        told = venue.set(side, at, size, after_ms)
        quick.apply_changes(told, NOW)
        slowly(slow, told)
        assert shown(quick) == shown(slow)
        assert quick.book.touch == slow.book.touch == quick._touch
        assert quick.doubt_since_s == slow.doubt_since_s


@laws(80)
@given(moves)
def test_change_called_behind_the_touch_leaves_price_and_size_of_the_best_alone(
    drawn: list[tuple[Side, int, int, int]],
) -> None:
    """Whoever watches prices need not look at such a change."""
    venue = VenueBook(depth=3)
    tracked = synced(venue)
    for side, at, size, after_ms in valid(venue, drawn):
        before = [tracked.book.best_first(one, 1) for one in ("bid", "ask")]
        applied = tracked.apply_changes(venue.set(side, at, size, after_ms), NOW)
        if applied is BEHIND:
            assert before == [tracked.book.best_first(one, 1) for one in ("bid", "ask")]


def test_size_of_the_best_price_is_no_change_behind_the_touch() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    assert tracked.apply_changes(venue.set("bid", 45, 7), NOW) is not BEHIND
    assert tracked.apply_changes(venue.set("bid", 44, 7), NOW) is BEHIND


# Sampling


def test_one_change_in_so_many_is_checked_and_proves_those_before_it() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument, ProofPolicy(every=3))
    tracked.apply_book(venue.book(), NOW)
    for size in range(1, 8):
        tracked.apply_changes(venue.set("bid", 44, size), NOW + size)
    evidence = tracked.evidence
    assert (evidence.hash_checked, evidence.hash_agreed, evidence.hash_skipped) == (1 + 2, 1 + 2, 4)
    assert tracked.proven_s == NOW + 6


def test_change_after_a_doubt_is_always_checked() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument, ProofPolicy(every=2))
    tracked.apply_book(venue.book(), NOW)
    venue.set("bid", 42, 999)
    tracked.apply_changes(venue.set("bid", 44, 1), NOW)
    tracked.apply_changes(venue.set("bid", 44, 2), NOW)
    assert tracked.doubt_since_s == NOW
    assert tracked.apply_changes(venue.set("bid", 44, 3), NOW).lost


def test_late_change_makes_a_sampled_book_prove_itself() -> None:
    """What was missed while hashes were left out must not be passed over as merely late."""
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument, ProofPolicy(every=100))
    tracked.apply_book(venue.book(), NOW)
    missed = venue.set("bid", 42, 999)
    tracked.apply_changes(venue.set("bid", 44, 1), NOW)
    assert tracked.doubt_since_s is None
    tracked.apply_changes(missed, NOW)
    assert tracked.doubt_since_s == NOW


def test_one_of_the_two_hashes_is_enough_and_both_are_compared_on_demand() -> None:
    venue = VenueBook()
    for both, checks in ((False, 2), (True, 3)):
        tracked = TrackedBook(venue.instrument, ProofPolicy(both=both))
        tracked.apply_book(venue.book(), NOW)
        tracked.apply_changes(venue.set("bid", 44, venue.ms % 100 + 1), NOW)
        assert tracked.evidence.hash_checked == checks


def test_hash_of_the_no_entry_alone_is_checked() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    venue.set("bid", 42, 999)
    told = venue.set("bid", 44, 1)
    assert told.price_changes
    tracked.apply_changes(msgspec.structs.replace(told, price_changes=told.price_changes[1:]), NOW)
    assert tracked.doubt_since_s == NOW


# Old messages


def test_message_that_comes_again_is_a_duplicate_and_nothing_else() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    told = [venue.set("bid", 44, size, after_ms) for size, after_ms in ((1, 5), (2, 0), (3, 5))]
    for message in (*told, *told):
        assert not tracked.apply_changes(message, NOW).lost
    assert (tracked.duplicates, tracked.stale, tracked.gaps, agree(tracked, venue)) == (3, 0, 0, True)


@pytest.mark.parametrize(("count", "seconds", "lost"), [(24, 9.0, False), (25, 2.9, False), (25, 3.0, True)])
def test_long_run_of_older_messages_says_that_the_books_stamp_was_false(count: int, seconds: float, lost: bool) -> None:
    venue = VenueBook()
    old = [venue.set("bid", 30 + n % 9, n + 1) for n in range(count)]
    tracked = TrackedBook(venue.instrument)
    newest, venue.ms = venue.ms, venue.ms + 3_600_000
    tracked.apply_book(venue.book(), NOW)
    for number, message in enumerate(old):
        tracked.apply_changes(message, NOW + seconds * number / (count - 1))
    assert (tracked.state == "SUSPECT") is lost
    if lost:
        assert tracked.newest_ms == newest
        venue.ms = newest + 5
        tracked.apply_book(venue.book(), NOW + 5)
        assert (tracked.synced, agree(tracked, venue)) == (True, True)


def test_socket_book_older_than_what_was_told_is_not_believed() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    old = venue.book()
    tracked.lose("a test", NOW)
    tracked.apply_changes(venue.set("bid", 44, 5), NOW)
    assert not tracked.apply_book(old, NOW).changed
    assert tracked.state == "SUSPECT"
    tracked.apply_book(venue.book(), NOW)
    assert agree(tracked, venue)


def test_change_of_tick_that_was_missed_shows_in_the_hash() -> None:
    """Books after trades do not state their tick; read on the old grid such a book would be wrong (sim: F8)."""
    venue = VenueBook()
    tracked = synced(venue)
    tracked.lose("a test", NOW)
    venue.retick("0.001")
    told = venue.book(tick_size="", last_trade_price="")
    assert not tracked.apply_book(told, NOW).changed
    assert (tracked.state, tracked.reason) == ("SUSPECT", "the book is on tick 0.001, ours on 0.01")
    assert tracked.newest_ms == venue.ms


def test_old_book_does_not_survive_a_change_of_tick() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    old = venue.book(tick_size="")
    told = venue.retick("0.001")
    tracked.change_tick("0.001", NOW, told.timestamp)
    assert not tracked.apply_book(old, NOW).changed
    assert tracked.state == "EMPTY"


def test_endless_book_is_refused() -> None:
    venue = VenueBook(a_market("0.0001"))
    tracked = TrackedBook(venue.instrument)
    grid = venue.instrument.grid
    bids = tuple(WireLevel(price=grid.text(n), size="1") for n in range(1, 2002))
    with pytest.raises(MalformedMessage, match="2001 bids"):
        tracked.apply_book(venue.book(bids=bids), NOW)
    assert tracked.apply_book(venue.book(bids=bids[:2000], asks=()), NOW).changed


def test_search_for_last_trades_is_bounded_where_hashes_cannot_be_reproduced() -> None:
    """A thousand hashes a message would be a millisecond each; the loss must come without them too."""
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    prover = tracked._prover
    assert [prover._may_search(NOW) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [prover._may_search(NOW + 0.25) for _ in range(2)] == [True, False]


def test_last_trades_are_searched_a_few_times_a_second_and_then_left_untried() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    prover, levels = tracked._prover, tracked.book.hash_levels("YES")

    def judged(now: float, thorough: bool = False) -> str:
        return prover.judge("YES", "0" * 40, venue.ms, levels, now, thorough=thorough)

    assert [judged(NOW) for _ in range(5)] == ["differs"] * 4 + ["untried"]
    assert (judged(NOW, thorough=True), judged(NOW + 1)) == ("differs", "differs")


# Pairs that are none


def test_two_entries_on_the_same_side_are_two_changes() -> None:
    """YES bid and NO bid at mirrored prices are a bid and an ask: the second is no repetition of the first."""
    venue = VenueBook()
    tracked = synced(venue)
    told = venue.set("bid", 44, 7)
    assert told.price_changes
    first, second = told.price_changes
    odd = msgspec.structs.replace(told, price_changes=(first, msgspec.structs.replace(second, side="BUY")))
    assert tracked.apply_changes(odd, NOW).lost == "a change crosses the book"


@pytest.mark.parametrize("tick", [47, 48])
def test_pair_that_states_the_crossed_touch_it_makes_is_a_loss(tick: int) -> None:
    venue = VenueBook()
    tracked = synced(venue)
    price, mirror = f"0.{tick}", f"0.{100 - tick}"
    first = WireChange(asset_id=YES, price=price, size="5", side="BUY", best_bid=price, best_ask="0.47")
    second = WireChange(asset_id=NO, price=mirror, size="5", side="SELL", best_bid="0.53", best_ask=mirror)
    told = MarketMessage(event_type="price_change", timestamp=venue.ms + 1, price_changes=(first, second))
    assert tracked.apply_changes(told, NOW).lost == "a change crosses the book"
    assert tracked.book.best_bid == 45


def test_newer_book_that_is_another_and_does_not_fit_its_hash_is_a_loss() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.set("bid", 42, 7)
    told = venue.book(hash="0" * 40)
    assert tracked.apply_book(told, NOW).lost == "a full book differs from ours, and does not fit its own hash"
    assert (tracked.state, tracked.newest_ms) == ("SUSPECT", venue.ms)


def test_newer_book_that_is_another_and_fits_its_hash_is_the_new_truth() -> None:
    venue = VenueBook()
    tracked = synced(venue)
    venue.set("bid", 42, 7)
    assert tracked.apply_book(venue.book("NO"), NOW).changed
    assert (tracked.synced, tracked.reloads, tracked.gaps, agree(tracked, venue)) == (True, 2, 0, True)


def test_late_change_after_unhashed_ones_is_a_loss() -> None:
    """Nothing proves what was applied since, so nothing says that the late one is in it."""
    venue = VenueBook()
    tracked = synced(venue)
    late = venue.set("bid", 42, 7)
    told = venue.set("bid", 44, 1)
    assert late.price_changes and told.price_changes
    for message in (told, late):
        bare = tuple(msgspec.structs.replace(one, hash="") for one in message.price_changes or ())
        applied = tracked.apply_changes(msgspec.structs.replace(message, price_changes=bare), NOW)
    assert applied.lost == "a change is older than one already applied"


@pytest.mark.parametrize("over", [{"price": "0.455"}, {"best_bid": "0.455"}])
def test_a_price_that_our_grid_does_not_have_is_a_missed_change_of_tick(over: dict[str, str]) -> None:
    """The book cannot be kept right from there on; what comes is kept for the book on the new grid."""
    venue = VenueBook()
    tracked = synced(venue)
    change = venue.set("bid", 40, 7)
    assert change.price_changes is not None
    finer = tuple(msgspec.structs.replace(one, **over) for one in change.price_changes)
    lost = tracked.apply_changes(msgspec.structs.replace(change, price_changes=finer), NOW).lost
    assert lost == "price '0.455' is not on the grid of 0.01; the tick may have changed"
    assert tracked.state == "SUSPECT"
    assert not tracked.apply_changes(msgspec.structs.replace(change, price_changes=finer), NOW).lost


def test_changes_kept_over_a_change_of_tick_are_replayed_on_the_new_grid() -> None:
    """A book read over REST on the new grid, older than what the channel told since, is brought up to date."""
    venue = VenueBook()
    tracked = synced(venue)
    tracked.lose("gone", NOW)
    venue.retick("0.001")
    read = venue.rest()
    tracked.apply_changes(venue.set("bid", 453, 11), NOW)
    tracked.change_tick("0.001", NOW)
    assert tracked.recover(read, True, NOW) == ""
    assert tracked.book.size_at("bid", Ticks(453)) == 11 * MICRO and tracked.timestamp_ms == venue.ms
