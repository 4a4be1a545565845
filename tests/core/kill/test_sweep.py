"""The order of a kill's requests, and that nothing but two looks at an empty list ends it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kill.sweep import AGAIN_S, DEADLINES_S, MOST_IDS, MOST_WAIT_S, UNREAD_S, Failure, Step, Sweep

NONE: frozenset[str] = frozenset()


def do(sweep: Sweep, now: float) -> Step:
    """The next step, which must be due."""
    step = sweep.next()
    assert step.at_s <= now, step
    sweep.sending(step, now)
    return step


def test_a_healthy_venue_is_asked_five_times() -> None:
    """Cancel at once, look, cancel again after two seconds, look again; once more between while nothing else is due."""
    sweep = Sweep(10.0)
    assert do(sweep, 10.0).do == "cancel_all"
    sweep.cancelled({"0xa", "0xb"}, NONE, 10.1)
    assert do(sweep, 10.1).do == "list"
    sweep.listed(NONE, 0, 10.2)
    assert not sweep.is_verified
    assert do(sweep, 11.2).do == "list"
    sweep.listed(NONE, 0, 11.2)
    assert not sweep.is_verified, "before the cancel was repeated"
    step = do(sweep, 12.0)
    assert step.do == "cancel_all" and step.at_s == 10.0 + AGAIN_S
    sweep.cancelled(NONE, NONE, 12.1)
    assert not sweep.is_verified, "nobody has looked since"
    assert do(sweep, 12.1).do == "list"
    sweep.listed(NONE, 0, 12.2)
    assert sweep.is_verified
    assert (sweep.sent, sweep.confirmed, sweep.left, sweep.unknown, sweep.trouble) == (2, 2, 0, 0, "")


def test_an_order_that_lands_late_is_cancelled_too() -> None:
    sweep = Sweep(0.0)
    do(sweep, 0.0)
    sweep.cancelled(NONE, NONE, 0.1)
    do(sweep, 0.1)
    sweep.listed({"0xlate"}, 0, 0.2)
    assert sweep.left == 1
    step = sweep.next()
    assert step.do == "cancel_all" and step.at_s < 1.0, "long before the planned repetition"
    do(sweep, step.at_s)
    sweep.cancelled({"0xlate"}, NONE, 0.6)
    do(sweep, 0.6)
    sweep.listed(NONE, 0, 0.7)
    assert not sweep.is_verified and (sweep.confirmed, sweep.left) == (1, 0)


def test_what_was_seen_and_has_gone_unconfirmed_is_unknown() -> None:
    """Filled, or cancelled by an answer that was lost: the report does not call it cancelled."""
    sweep = Sweep(0.0)
    sweep.failed(do(sweep, 0.0), Failure("no answer"), 0.1)
    do(sweep, 0.1)
    sweep.listed({"0xa", "0xb"}, 0, 0.2)
    do(sweep, sweep.next().at_s)
    sweep.cancelled({"0xa"}, {"0xb"}, 1.0)
    do(sweep, 1.0)
    sweep.listed(NONE, 0, 1.1)
    assert (sweep.confirmed, sweep.left, sweep.unknown) == (1, 0, 1)


def test_a_row_without_an_id_is_an_open_order() -> None:
    sweep = Sweep(0.0)
    do(sweep, 0.0)
    sweep.cancelled(NONE, NONE, 0.1)
    do(sweep, 0.1)
    sweep.listed(NONE, 2, 0.2)
    assert sweep.left == 2 and sweep.next().do == "cancel_all"


def test_when_the_short_road_is_blocked_orders_are_cancelled_by_their_ids() -> None:
    sweep = Sweep(0.0)
    ids = {f"0x{number:03}" for number in range(MOST_IDS + 20)}
    now, done = 0.0, []
    for _ in range(20):
        step = sweep.next()
        now = max(now, step.at_s)
        sweep.sending(step, now)
        done.append(step.do)
        if step.do == "list":
            sweep.listed(ids, 0, now)
        elif step.do == "cancel":
            assert len(step.ids) == MOST_IDS and set(step.ids) <= ids
            break
        else:
            sweep.failed(step, Failure("status 500", 500), now)
    assert done.count("cancel_all") == 2 and done[-1] == "cancel"


@pytest.mark.parametrize("status", [425, 429, 503])
def test_a_venue_that_cannot_is_not_hammered(status: int) -> None:
    """Least a second between two cancels, and as long as it asks for within reason."""
    for told_s, least_s in ((0.0, 1.0), (4.0, 4.0), (86_400.0, MOST_WAIT_S)):
        sweep = Sweep(0.0)
        sweep.failed(do(sweep, 0.0), Failure("busy", status, told_s), 0.1)
        do(sweep, 0.1)
        sweep.listed({"0xa"}, 0, 0.2)
        while (step := sweep.next()).do == "list":
            do(sweep, step.at_s)
            sweep.listed({"0xa"}, 0, step.at_s)
        assert step.at_s == pytest.approx(0.1 + least_s)


@pytest.mark.parametrize("takes_s", [0.01, 1.9, 2.1, 3.9, 4.1, 7.9, 9.9])
def test_a_slow_venue_is_heard_out(takes_s: float) -> None:
    """Every answer takes longer than the first deadlines: later ones are waited for, not given up in turns."""
    sweep, now, open_now = Sweep(0.0), 0.0, {"0xa"}
    for _ in range(20):
        if sweep.is_verified:
            break
        step = sweep.next()
        now = max(now, step.at_s)
        sweep.sending(step, now)
        gone, shown = frozenset(open_now), frozenset(open_now)
        open_now -= gone if step.do == "cancel_all" else NONE
        if takes_s > step.deadline_s:
            now += step.deadline_s
            sweep.failed(step, Failure("no answer"), now)
            continue
        now += takes_s
        if step.do == "list":
            sweep.listed(shown, 0, now)
        else:
            sweep.cancelled(gone, NONE, now)
    assert sweep.is_verified and now < 4 * takes_s + 2 * sum(DEADLINES_S)


def test_without_lists_everything_is_cancelled_again_and_again() -> None:
    """Nobody can say that it is not needed."""
    sweep, now, cancels = Sweep(0.0), 0.0, list[float]()
    while now < 30.0:
        step = sweep.next()
        now = max(now, step.at_s)
        sweep.sending(step, now)
        if step.do == "list":
            sweep.failed(step, Failure("status 500", 500), now)
        else:
            cancels.append(now)
            sweep.cancelled(NONE, NONE, now)
    gaps = [later - sooner for sooner, later in itertools.pairwise(cancels)]
    assert 4 <= len(cancels) <= 12 and max(gaps) <= UNREAD_S + 0.1 and not sweep.is_verified


class Model:
    """A venue that drops, refuses, delays and mislists as the draw says, and knows what is really open."""

    def __init__(self, data: st.DataObject) -> None:
        self.open: set[str] = set()
        self.landing = [f"0x{number}" for number in range(data.draw(st.integers(0, 6)))]
        self._data = data

    def land(self) -> None:
        """Orders that were on their way when the gate was shut."""
        while self.landing and self._data.draw(st.booleans()):
            self.open.add(self.landing.pop())

    def draw(self, *choices: Any) -> Any:
        return self._data.draw(st.sampled_from(choices))


@given(st.data())
def test_it_ends_only_when_nothing_is_open_and_never_asks_too_fast(data: st.DataObject) -> None:
    """Whatever is lost: verified means that the venue had no open order when it was asked last."""
    venue, sweep, now = Model(data), Sweep(0.0), 0.0
    asked_s: list[float] = []
    zeros = 0
    for _ in range(60):
        if sweep.is_verified:
            break
        step = sweep.next()
        assert step.at_s <= now + MOST_WAIT_S, "it never stops asking"
        now = max(now, step.at_s)
        asked_s.append(now)
        sweep.sending(step, now)
        venue.land()
        now += venue.draw(0.001, 0.05, 1.9)
        match venue.draw("well", "well", "lost before", "lost after", 425, 429, 500):
            case "lost before":
                sweep.failed(step, Failure("no answer"), now)
                zeros = 0 if step.do == "list" else zeros
            case int(status):
                sweep.failed(step, Failure("busy", status, venue.draw(0.0, 1.0, 3.0)), now)
                zeros = 0 if step.do == "list" else zeros
            case how if step.do == "list":
                zeros = 0 if venue.open or how == "lost after" else zeros + 1
                if how == "lost after":
                    sweep.failed(step, Failure("no answer"), now)
                else:
                    sweep.listed(frozenset(venue.open), 0, now)
            case how:
                gone = venue.open if step.do == "cancel_all" else venue.open & set(step.ids)
                kept = {order for order in gone if venue.draw(True, False, False)}
                venue.open -= gone - kept
                if how == "lost after":
                    sweep.failed(step, Failure("no answer"), now)
                else:
                    sweep.cancelled(gone - kept, kept, now)
    if sweep.is_verified:
        assert not venue.open and zeros >= 2 and sweep.left == 0
        assert asked_s[-1] >= AGAIN_S
    for begin in asked_s:
        assert sum(begin <= at <= begin + 10.0 for at in asked_s) <= 45, "the venue takes 250 in ten seconds"


@given(st.data())
def test_a_venue_that_recovers_is_empty_soon(data: st.DataObject) -> None:
    """However long it was out of order, from then on a few requests are enough."""
    sweep, now = Sweep(0.0), 0.0
    for _ in range(data.draw(st.integers(0, 40))):
        step = sweep.next()
        now = max(now, step.at_s)
        sweep.sending(step, now)
        sweep.failed(step, Failure("busy", data.draw(st.sampled_from((0, 403, 425, 500, 503)))), now)
    well_s, open_now = now, {"0xa"}
    for _ in range(12):
        if sweep.is_verified:
            break
        step = sweep.next()
        now = max(now, step.at_s)
        sweep.sending(step, now)
        if step.do == "list":
            sweep.listed(frozenset(open_now), 0, now)
        else:
            gone = frozenset(open_now if step.do == "cancel_all" or "0xa" in step.ids else ())
            open_now -= gone
            sweep.cancelled(gone, NONE, now)
    assert sweep.is_verified and not open_now
    assert now - well_s <= 2 * AGAIN_S + 4.0
