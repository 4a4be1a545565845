"""Whether a silent book is quiet, frozen or unproven."""

import math

import msgspec

from core.market.audit import Finding
from core.market.continuity import ProofPolicy, TrackedBook
from core.market.silence import GRACE_SEC, LEAST_SEC, PROBATION_SEC, RECHECK_SEC, Silence
from tests.builders import VenueBook

AUDIT, STALE = 4.0, 10.0
SAME = Finding("same")


def book_at(ms: int) -> TrackedBook:
    book = VenueBook(ms=ms)
    tracked = TrackedBook(book.instrument, ProofPolicy())
    tracked.apply_book(book.book(), 0.0)
    return tracked


def other(ms: int) -> Finding:
    return Finding("other", "REST shows another", ms, VenueBook().rest())


def heard_every(gap_s: float, times: int = 200) -> Silence:
    silence = Silence(AUDIT, STALE)
    for turn in range(times):
        silence.hear(1000.0 - (times - 1 - turn) * gap_s)
    return silence


def test_the_usual_gap_is_learned_and_bounds_the_patience() -> None:
    busy, usual, calm = heard_every(0.01), heard_every(1.0), heard_every(30.0)
    due = [silence.audit_due_s(True) - 1000.0 for silence in (busy, usual, calm)]
    assert due[0] == LEAST_SEC and abs(due[1] - 2.0) < 0.1 and due[2] == AUDIT


def test_a_quiet_market_is_verified_and_asked_again_only_after_a_while() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.asked(1003.0)
    silence.take(tracked, SAME, 1003.0, 1003.2)
    assert (silence.status, silence.quotable) == ("quiet", True)
    assert 1003.0 + LEAST_SEC < silence.audit_due_s(True) <= 1003.0 + AUDIT


def test_verified_silence_is_learned_too() -> None:
    """A market that went to sleep must not be audited for ever as often as when it was awake."""
    silence, tracked = heard_every(0.5), book_at(1_000)
    first = silence.audit_due_s(True) - 1000.0
    for turn in range(1, 40):
        silence.asked(1000.0 + 2 * turn)
        silence.take(tracked, SAME, 1000.0 + 2 * turn, 1000.1 + 2 * turn)
    assert silence.audit_due_s(True) - 1078.0 == AUDIT > first


def test_a_message_makes_it_live_again() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, SAME, 1005.0, 1005.2)
    silence.hear(1006.0)
    assert (silence.status, silence.words) == ("live", "")


def test_a_book_that_went_on_without_us_is_frozen_after_the_grace() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.asked(1003.0)
    silence.take(tracked, other(2_000), 1003.0, 1003.2)
    assert silence.quotable and silence.check_s(True) == 1003.2 + GRACE_SEC
    assert not silence.check(tracked, 1003.2 + GRACE_SEC / 2)
    assert silence.check(tracked, 1003.2 + GRACE_SEC)
    assert (silence.status, silence.words, silence.quotable) == ("frozen", "REST shows another", False)


def test_a_change_that_was_on_its_way_is_no_freeze() -> None:
    """REST is asked and answers while the channel's message is under way."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, other(2_000), 1003.0, 1003.2)
    silence.hear(1003.3)
    assert not silence.check(book_at(2_000), 1003.9)
    assert silence.status == "live"


def test_any_message_is_not_enough() -> None:
    """The channel must have reached what REST showed."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, other(2_000), 1003.0, 1003.2)
    silence.hear(1003.3)
    assert silence.check(tracked, 1003.9)


def test_after_a_freeze_a_sign_of_life_is_wanted() -> None:
    """A dump on a dead subscription proves the book for a moment, and nothing about the next change."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, other(2_000), 1003.0, 1003.2)
    silence.check(tracked, 1004.0)
    silence.take(tracked, SAME, 1004.1, 1004.2)
    assert silence.status == "frozen", "not before there is a fresh book"
    silence.resynced(1004.5)
    silence.take(tracked, SAME, 1004.9, 1004.95)
    assert silence.status == "frozen", "REST cannot say that the channel lives"
    silence.hear(1005.0)
    silence.take(tracked, SAME, 1005.0 + PROBATION_SEC / 2, 1006.0)
    assert silence.status == "frozen", "an audit so soon says nothing new"
    silence.take(tracked, SAME, 1005.0 + PROBATION_SEC, 1006.3)
    assert silence.quotable


def test_a_proven_change_is_a_sign_of_life() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.note_rest(other(2_000))
    silence.take(tracked, other(2_000), 1003.0, 1003.2)
    silence.check(tracked, 1004.0)
    silence.show_life(book_at(1_999))
    assert silence.status == "frozen", "not before it has caught up with what REST showed"
    silence.show_life(book_at(2_000))
    assert silence.status == "live"


def test_a_book_behind_what_rest_showed_waits() -> None:
    silence = heard_every(1.0)
    silence.note_rest(other(2_000))
    silence.take(book_at(1_000), other(2_000), 1003.0, 1003.2)
    assert silence.is_behind(book_at(1_000)) and silence.is_behind(book_at(1_999))
    assert not silence.is_behind(book_at(2_000))


def test_a_book_that_rest_found_the_same_under_a_newer_stamp_is_not_behind() -> None:
    """Two changes that undo each other: the book is right until the first of them arrives alone."""
    silence, same = heard_every(1.0), Finding("same", "", 2_000, VenueBook().rest())
    silence.note_rest(same)
    silence.take(book_at(1_000), same, 1003.0, 1003.2)
    assert not silence.is_behind(book_at(1_000))
    assert silence.is_behind(book_at(1_500)) and not silence.is_behind(book_at(2_000))


def test_an_implausible_book_is_outvoted_by_prices_that_agree() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, Finding("implausible", "a ghost", prices_agree=True), 1003.0, 1003.2)
    assert (silence.status, silence.words) == ("quiet", "a ghost; prices agree with ours")


def test_an_implausible_book_alone_leaves_ours_unproven() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, Finding("implausible", "a ghost"), 1003.0, 1003.2)
    assert (silence.status, silence.words, silence.quotable) == ("unproven", "a ghost", False)
    silence.hear(1004.0)
    assert silence.status == "live"


def test_an_implausible_book_says_nothing_of_a_market_that_talks() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.hear(1003.1)
    for finding in (Finding("implausible", "a ghost"), Finding("older", "", 500)):
        silence.take(tracked, finding, 1003.0, 1003.2)
        assert silence.status == "live"


def test_an_older_book_of_a_silent_market_is_a_stale_referee() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, Finding("older", "", 500), 1003.0, 1003.2)
    assert (silence.status, silence.words) == ("unproven", "REST is older than our book")


def test_without_any_proof_a_book_gets_old() -> None:
    """REST does not answer, the channel is silent: ten seconds, and nobody knows any more."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, Finding("missing", "REST told no book"), 1003.0, 1005.0)
    assert silence.check_s(True) <= 1000.0 + STALE
    assert not silence.check(tracked, 1000.0 + STALE - 0.1) and silence.status == "live"
    silence.check(tracked, 1000.0 + STALE)
    assert (silence.status, silence.words) == ("unproven", "nobody has vouched for the book for 10 s or more")


def test_a_book_whose_hashes_prove_nothing_is_audited_while_it_talks() -> None:
    silence = heard_every(1.0)
    silence.asked(998.0)
    assert silence.audit_due_s(provable=False) < silence.audit_due_s(provable=True)


def test_without_audits_nothing_is_asked_for() -> None:
    silence = Silence(0.0, STALE)
    silence.hear(1.0)
    assert silence.check_s(True) == math.inf
    assert not silence.check(book_at(1_000), 1e9) and silence.status == "live"


def same_at(ms: int, **over: object) -> Finding:
    return msgspec.structs.replace(Finding("same", "", ms), **over)


def test_the_same_book_under_ever_newer_stamps_is_a_dead_channel() -> None:
    """A book that goes to and fro may be met in the same state twice; the channel would have told of it."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, same_at(1_000), 1002.0, 1002.2)
    silence.take(tracked, same_at(2_000), 1003.0, 1003.2)
    assert silence.status == "quiet" and silence.audit_due_s(True) == 1003.2 + RECHECK_SEC
    silence.asked(1003.7)
    silence.take(tracked, same_at(2_000), 1003.7, 1003.9)
    assert silence.status == "quiet", "once may be a change that changed nothing"
    silence.take(tracked, same_at(2_500), 1004.5, 1004.7)
    assert silence.check(tracked, 1004.7) and silence.status == "frozen"


def test_a_newer_stamp_and_prices_that_disagree_are_a_dead_channel_at_once() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, same_at(1_000), 1002.0, 1002.2)
    silence.take(tracked, same_at(2_000, prices_agree=False), 1003.0, 1003.2)
    assert silence.check(tracked, 1003.2)


def test_a_referee_that_stamps_its_books_with_the_request_is_no_sign_of_death() -> None:
    """Nobody promises what the stamp means (polymarket-api.md 4.1): until one was our own change's it says nothing."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    for turn in range(2, 40):
        silence.take(tracked, same_at(1_000 * turn), 1000.0 + turn, 1000.2 + turn)
        assert not silence.check(tracked, 1000.3 + turn)
    assert silence.quotable


def test_a_newer_stamp_after_a_message_is_no_such_sign() -> None:
    silence, tracked = heard_every(1.0), book_at(1_000)
    silence.take(tracked, same_at(2_000), 1003.0, 1003.2)
    silence.hear(1003.5)
    silence.take(book_at(2_000), same_at(2_500), 1005.0, 1005.2)
    assert not silence.check(tracked, 1005.2) and silence.quotable


def test_books_and_prices_of_two_moments_are_no_ghost_yet() -> None:
    """A newer book that prices contradict may have changed between the two requests: ask again, hold until then."""
    silence, tracked = heard_every(1.0), book_at(1_000)
    ghost = Finding("implausible", "a ghost", 2_000, prices_agree=True)
    silence.asked(1003.0)
    silence.take(tracked, ghost, 1003.0, 1003.2)
    assert silence.is_behind(tracked) and silence.audit_due_s(True) == 1003.2 + RECHECK_SEC
    silence.take(tracked, ghost, 1003.7, 1003.9)
    assert not silence.is_behind(tracked)
    assert (silence.status, silence.words) == ("quiet", "a ghost; prices agree with ours")
