"""Winning a lost book back from POST /books, with the changes that came since."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from core.events import RestBook
from core.market.continuity import DOUBT_SEC, ProofPolicy, TrackedBook
from core.market.doubt import KEPT_MESSAGES
from core.market.instrument import Instrument
from core.market.proof import fits_its_hash
from core.units import MICRO, Shares
from tests.builders import MARKET, YES, VenueBook, a_market, recorded, reference_hash

NOW = 1000.0


def lost(venue: VenueBook, reason: str = "a test") -> TrackedBook:
    tracked = TrackedBook(venue.instrument, ProofPolicy())
    tracked.apply_book(venue.book(), NOW)
    tracked.lose(reason, NOW)
    return tracked


def agrees(tracked: TrackedBook, venue: VenueBook) -> bool:
    ours = (tracked.book.bids.sizes, tracked.book.asks.sizes)
    return ours == tuple({t: s * MICRO for t, s in side.items()} for side in (venue.bids, venue.asks))


def test_confirmed_read_is_believed_and_counted() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    venue.set("bid", 42, 7)
    assert tracked.recover(venue.rest("NO"), True, NOW + 2) == ""
    assert (tracked.state, tracked.reason, tracked.since_s, tracked.proven_s) == ("SYNCED", "", NOW + 2, NOW + 2)
    assert (tracked.reloads, tracked.gaps, tracked.book_seq, agrees(tracked, venue)) == (2, 1, 0, True)
    assert tracked.apply_changes(venue.set("bid", 41, 3), NOW + 3).changed, "it goes on from there"
    assert (tracked.synced, tracked.doubt_since_s, agrees(tracked, venue)) == (True, None, True)


def test_changes_kept_meanwhile_are_replayed_and_prove_it_without_confirmation() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    old = tracked.apply_changes(venue.set("bid", 42, 7), NOW)
    read = venue.rest()
    for size in (1, 2, 3):
        assert not tracked.apply_changes(venue.set("ask", 49, size), NOW).changed
    assert not old.changed
    assert tracked.recover(read, False, NOW) == ""
    assert (tracked.book_seq, tracked.timestamp_ms, agrees(tracked, venue)) == (3, venue.ms, True)


def test_unconfirmed_read_that_nothing_proves_is_refused() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    assert tracked.recover(venue.rest(), False, NOW) == "neither POST /prices nor a change confirms it"
    assert tracked.state == "SUSPECT"


REFUSALS: dict[str, tuple[Callable[[VenueBook], RestBook], str]] = {
    "spoiled hash": (lambda v: v.rest(hash="0" * 40), "it does not fit its own hash"),
    "ghost levels": (lambda v: v.rest(bids=[{"price": "0.01", "size": "100"}]), "it does not fit its own hash"),
    "other tick": (lambda v: rehashed(v, tick_size="0.001"), "book on tick '0.001', market on '0.01'"),
    "off the grid": (lambda v: rehashed(v, bids=[{"price": "0.405", "size": "1"}]), "is not on the grid"),
    "crossed": (lambda v: rehashed(v, bids=[{"price": "0.9", "size": "1"}]), "crossed book"),
    "twice": (lambda v: rehashed(v, bids=[{"price": "0.4", "size": "1"}] * 2), "stands twice"),
    "no number": (lambda v: rehashed(v, min_order_size="much"), "not a plain decimal number"),
    "another market": (lambda v: rehashed(v, market="0x1"), "another market"),
    "a stranger's token": (lambda v: rehashed(v, asset_id="3"), "does not belong"),
    "endless": (
        lambda v: rehashed(v, bids=[{"price": "0.4", "size": "1"} for _ in range(2001)]),
        "a book of 2001 bids",
    ),
}


def rehashed(venue: VenueBook, **over: Any) -> RestBook:
    """A read that is consistent in itself and still of no use."""
    wire = venue.wire() | over
    return msgspec.convert(wire | {"hash": reference_hash(wire)}, RestBook, strict=False)


@pytest.mark.parametrize("kind", REFUSALS)
def test_read_that_cannot_be_true_is_refused_and_changes_nothing(kind: str) -> None:
    venue = VenueBook()
    tracked = lost(venue)
    make, words = REFUSALS[kind]
    before = (tracked.state, tracked.instrument, tracked.book, tracked.reloads, tracked.timestamp_ms)
    assert words in tracked.recover(make(venue), True, NOW)
    assert before == (tracked.state, tracked.instrument, tracked.book, tracked.reloads, tracked.timestamp_ms)


def test_read_older_than_the_channel_is_refused_unless_the_changes_reach_back_to_it() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    stale = venue.rest()
    venue.set("bid", 42, 7)  # never arrives
    tracked.apply_changes(venue.set("ask", 49, 5), NOW)
    assert "does not fit" in tracked.recover(stale, True, NOW) or "in doubt" in tracked.recover(stale, True, NOW)
    tracked.lose("again", NOW)
    assert not tracked.synced
    assert tracked.recover(venue.rest(), True, NOW) == ""
    assert agrees(tracked, venue)


def test_stale_read_is_refused_when_the_newest_change_was_applied_before_the_loss() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    stale = venue.rest()
    tracked.apply_book(venue.book(), NOW)
    venue.set("bid", 42, 7)
    tracked.apply_book(venue.book(), NOW)
    tracked.lose("feed down", NOW)
    assert tracked.recover(stale, True, NOW) == "it is older than what the channel told"


def test_backlog_is_bounded_and_its_overflow_is_remembered() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    read = venue.rest()
    change = venue.set("bid", 42, 1)
    assert change.price_changes
    bare = tuple(msgspec.structs.replace(one, hash="") for one in change.price_changes)
    for number in range(KEPT_MESSAGES + 1):
        told = msgspec.structs.replace(change, timestamp=venue.ms + number, price_changes=bare)
        tracked.apply_changes(told, NOW)
    assert tracked.recover(read, True, NOW) == "changes since then were not kept"


def test_read_knows_minimum_size_and_neg_risk_better_than_we_do() -> None:
    venue = VenueBook(a_market(min_size_text="15", neg_risk=True, min_size=Shares(15 * MICRO)))
    tracked = TrackedBook(a_market())
    tracked.apply_book(venue.book(), NOW)
    assert (tracked.provable, tracked.synced) == (False, True)
    tracked.lose("a test", NOW)
    assert tracked.recover(venue.rest(), True, NOW) == ""
    item: Instrument = tracked.instrument
    assert (tracked.provable, item.min_size_text, item.min_size, item.neg_risk) == (True, "15", 15 * MICRO, True)
    tracked.apply_changes(venue.set("bid", 42, 7), NOW)
    assert (tracked.evidence.hash_agreed > 0, tracked.doubt_since_s, agrees(tracked, venue)) == (True, None, True)


def test_touch_told_while_lost_speaks_against_an_older_read() -> None:
    venue = VenueBook()
    tracked = lost(venue)
    read = venue.rest()
    venue.set("bid", 46, 5)
    bid, ask = venue.touch()
    told = venue.book().__class__(
        event_type="best_bid_ask", asset_id=YES, timestamp=venue.ms, best_bid=bid, best_ask=ask
    )
    tracked.compare_touch(told, NOW)
    assert tracked.recover(read, True, NOW) == "the channel told another best bid or ask"
    assert tracked.recover(venue.rest(), True, NOW) == ""


def test_doubt_can_be_ended_by_a_read_before_it_becomes_a_loss() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    venue.set("bid", 42, 999)
    tracked.apply_changes(venue.set("bid", 43, 5), NOW)
    assert (tracked.doubt_since_s, tracked.doubt_until_s) == (NOW, NOW + DOUBT_SEC)
    assert tracked.recover(venue.rest(), True, NOW) == ""
    assert (tracked.gaps, tracked.doubt_since_s, tracked.doubt, agrees(tracked, venue)) == (0, None, "", True)


@pytest.mark.parametrize("early", [True, False])
def test_doubt_becomes_a_loss_exactly_when_it_said(early: bool) -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    venue.set("bid", 42, 999)
    at = 31.574000000000023
    tracked.apply_changes(venue.set("bid", 43, 5), at)
    when = tracked.doubt_until_s - 1e-6 if early else tracked.doubt_until_s
    assert bool(tracked.judge_doubt(when).lost) is not early
    assert tracked.synced is early


def test_read_that_shows_what_we_had_refutes_the_loss() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    for size in (5, 6):
        told = venue.set("bid", 43, size)
        assert told.price_changes
        wrong = tuple(msgspec.structs.replace(one, hash="0" * 40) for one in told.price_changes)
        tracked.apply_changes(msgspec.structs.replace(told, price_changes=wrong), NOW)
    assert tracked.state == "SUSPECT"
    assert tracked.refuted_by(venue.rest("NO"))
    venue.set("ask", 49, 1)
    assert not tracked.refuted_by(venue.rest())


def test_distrusted_hashes_are_trusted_again_after_two_full_books_that_fit() -> None:
    venue = VenueBook()
    tracked = TrackedBook(venue.instrument)
    tracked.apply_book(venue.book(), NOW)
    tracked.distrust_hashes(NOW)
    assert (tracked.provable, tracked.reason) == (False, "stated hashes are wrong: only the touch is checked")
    told = venue.set("bid", 42, 7)
    assert told.price_changes
    wrong = tuple(msgspec.structs.replace(one, hash="0" * 40) for one in told.price_changes)
    assert tracked.apply_changes(msgspec.structs.replace(told, price_changes=wrong), NOW).changed
    assert tracked.doubt_since_s is None
    tracked.apply_book(venue.book("YES", hash="0" * 40), NOW)
    for outcome, provable in (("YES", False), ("NO", True)):
        tracked.apply_book(venue.book(outcome), NOW)
        assert tracked.provable is provable


def test_recovered_read_of_the_appendix_goes_on_to_its_next_steps() -> None:
    """polymarket-api.md, appendix A: three steps of one book with their hashes."""
    tracked = TrackedBook(a_market())
    levels: dict[str, Any] = {
        "bids": [{"price": "0.4", "size": "25"}, {"price": "0.41", "size": "7.5"}],
        "asks": [{"price": "0.6", "size": "30"}, {"price": "0.59", "size": "12"}],
    }
    plain = {"market": MARKET, "asset_id": YES, "timestamp": 1790000000000, "min_order_size": "5", "tick_size": "0.01"}
    hashes = ("b20a64511c0fb1cfeda191130cc3bee705801669", "27630228ecdd2778e09fcc958180512345dbd1bf")
    read = msgspec.convert(plain | levels | {"hash": hashes[0], "last_trade_price": "0.500"}, RestBook)
    assert tracked.recover(read, True, NOW) == ""
    change = {"asset_id": YES, "price": "0.42", "size": "10", "side": "BUY", "hash": hashes[1]}
    told = {"event_type": "price_change", "market": MARKET, "timestamp": 1790000000250, "price_changes": [change]}
    assert tracked.apply_changes(msgspec.convert(told, type(VenueBook().book())), NOW).changed
    assert (tracked.doubt_since_s, tracked.evidence.hash_agreed) == (None, 1)


def test_every_recorded_rest_book_is_recovered_from() -> None:
    for path in recorded("book-gamma-pairs-2026-07/book-*.json") + recorded("book-*-2026-06-28.json"):
        wire = json.loads(path.read_bytes())
        read = msgspec.convert(wire, RestBook, strict=False)
        assert fits_its_hash(read), path.name
        item = a_market(read.tick_size, read.market, yes=read.asset_id, no="2")
        tracked = TrackedBook(item)
        assert tracked.recover(read, True, NOW) == "", path.name
        assert tracked.instrument.min_size_text == read.min_order_size
        assert (tracked.same_levels(read), tracked.stated_hash(read.asset_id)) == (True, read.hash)
