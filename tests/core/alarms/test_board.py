"""The life of alarms: what calls, how often, and what is never lost."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.alarms.board import FLAPS, MOST_KNOWN, MOST_LISTED, MOST_SHELVED_S, OVER_ACTION, AlarmBoard
from core.alarms.calling import MOST_CALLS, MOST_TOLD, SELDOM_SEC, WINDOW_SEC
from core.alarms.condition import Condition
from core.alarms.kinds import Kind
from core.views import AlarmView

UNIX = 1_767_268_800.0


def a_kind(code="feed", priority=2, on_s=0.0, off_s=0.0, is_told=False):
    return Kind(code, priority, "it holds", on_s, off_s, "this follows", "do that", "risk", is_told)


FEED = a_kind("feed", on_s=5, off_s=10)
BOOK = a_kind("book", on_s=5, off_s=5)
URGENT = a_kind("urgent", priority=1)
SOON = a_kind("soon")
TREND = a_kind("trend", priority=3)


class Play:
    """A board with a clock, looked at once a second."""

    def __init__(self):
        self.board = AlarmBoard()
        self.now = 100.0
        self.lines = []

    def see(self, *conditions, seconds=1.0):
        """Let conditions hold for so long."""
        ends = self.now + seconds
        while self.now < ends:
            self.now += 1.0
            self.lines += self.board.update(conditions, self.now, UNIX + self.now)
        return self

    @property
    def views(self) -> dict[str, AlarmView]:
        return {view.key: view for view in self.board.views(self.now)}

    @property
    def texts(self):
        return [line.text for line in self.lines]

    def only(self) -> AlarmView:
        (view,) = self.views.values()
        return view


def of(kind, text="it is so", market="", subject="", causes=(), stamp=0.0):
    return Condition(kind, text, market, subject, causes, stamp)


# On and off


def test_a_condition_has_to_hold_for_its_on_delay():
    play = Play().see(of(FEED), seconds=5)
    assert not play.views
    alarm = play.see(of(FEED)).only()
    assert (alarm.code, alarm.standing, alarm.count, alarm.acknowledged) == ("feed", True, 1, False)
    assert alarm.since_unix == UNIX + play.now


def test_a_condition_that_pauses_begins_its_on_delay_anew():
    play = Play().see(of(FEED), seconds=4).see().see(of(FEED), seconds=5)
    assert not play.views


def test_an_alarm_ends_after_its_off_delay_only():
    play = Play().see(of(FEED), seconds=6).see(seconds=10)
    assert play.only().standing
    assert not play.see().only().standing


def test_a_gap_shorter_than_the_off_delay_is_no_end():
    play = Play().see(of(FEED), seconds=6).see(seconds=9).see(of(FEED)).see(seconds=10)
    assert play.only().standing and play.only().count == 1 and play.board.raised["feed"] == 1


def test_the_text_is_that_of_now():
    assert Play().see(of(SOON, "2 down")).see(of(SOON, "3 down")).only().text == "3 down"


def test_of_conditions_with_one_key_the_first_counts():
    assert Play().see(of(SOON, "first"), of(SOON, "second")).only().text == "first"


# What is over


def test_what_nobody_has_seen_stays_listed_when_it_is_over_until_it_is_acknowledged():
    play = Play().see(of(SOON)).see()
    assert not play.only().standing and not play.only().acknowledged
    assert play.board.acknowledge("soon", "ann").done
    assert not play.views


def test_what_is_acknowledged_goes_when_it_is_over():
    play = Play().see(of(SOON))
    play.board.acknowledge("soon", "ann")
    assert play.only().by == "ann" and not play.see().views


def test_a_trend_clears_by_itself():
    assert not Play().see(of(TREND)).see().views


# Calls


def test_only_priority_1_rings_and_once_until_it_is_acknowledged():
    play = Play().see(of(SOON), of(TREND), seconds=30)
    assert play.board.calls == 0
    play.see(of(URGENT), of(SOON), seconds=100)
    assert play.board.calls == 1
    play.see(seconds=30).see(of(URGENT), seconds=30)
    assert play.board.calls == 1, "nobody has acknowledged it: it came back, and is the same call"
    assert play.views["urgent"].count == 2


def test_an_acknowledged_alarm_that_was_over_and_comes_back_calls_again():
    play = Play().see(of(URGENT))
    play.board.acknowledge("urgent", "ann")
    play.see(of(URGENT), seconds=60)
    assert play.board.calls == 1
    play.see(seconds=20).see(of(URGENT), seconds=20)
    assert play.board.calls == 2 and not play.only().acknowledged


def test_what_happens_again_calls_again_although_the_alarm_still_stands():
    """A second trade that fails while the first one is acknowledged is news."""
    play = Play().see(of(URGENT, stamp=1.0), seconds=20)
    play.board.acknowledge("urgent", "ann")
    play.see(of(URGENT, stamp=1.0), seconds=20)
    assert play.board.calls == 1
    play.see(of(URGENT, stamp=2.0), seconds=20)
    assert play.board.calls == 2 and play.only().count == 2 and not play.only().acknowledged


def test_what_gets_worse_is_an_alarm_of_its_own_and_calls():
    """The clock is a little off, somebody saw it, and now it stops orders."""
    mild, bad = a_kind("clock_skew", priority=3), a_kind("clock_off", priority=1)
    play = Play().see(of(mild))
    play.board.acknowledge("clock_skew", "ann")
    play.see(of(bad), seconds=3)
    assert play.board.calls == 1 and set(play.views) == {"clock_off"}


def test_an_urgent_one_that_was_over_before_it_could_call_still_calls():
    play = Play().see(of(URGENT, subject="a")).see(of(URGENT, subject="b")).see(seconds=30)
    assert play.board.calls == 2 and set(play.views) == {"urgent:a", "urgent:b"}


def test_what_comes_together_is_one_call():
    play = Play().see(*(of(URGENT, market=f"0x{number}") for number in range(20)), seconds=60)
    assert play.board.calls == 1 and len(play.views) == 20


# Causes


def test_one_cause_is_one_annunciation():
    """A socket is down: its twenty markets are listed under it and call nobody."""
    books = [of(BOOK, market=f"0x{number}", causes=("feed",)) for number in range(20)]
    play = Play().see(of(FEED), *books, seconds=120)
    assert len(play.views) == 21 and len(play.lines) == 1
    assert {view.cause for view in play.views.values()} == {"", "feed"}
    assert play.board.counts()[1][2] == 1
    play.see(seconds=20)
    assert set(play.views) == {"feed"}, "consequences go by themselves"


def test_a_consequence_waits_for_a_cause_that_is_not_raised_yet():
    """The book is stale before the socket has been down for long enough."""
    slow = a_kind("feed", on_s=20, off_s=10)
    play = Play().see(of(slow), of(BOOK, market="0x1", causes=("feed",)), seconds=15)
    assert [view.cause for view in play.views.values()] == ["feed"] and not play.lines


def test_a_consequence_that_outlives_its_cause_calls():
    play = Play().see(of(FEED), of(BOOK, market="0x1", causes=("feed",)), seconds=20)
    play.see(of(BOOK, market="0x1", causes=("feed",)), seconds=10)
    assert len(play.lines) == 1, "the cause has only just gone"
    play.see(of(BOOK, market="0x1", causes=("feed",)), seconds=5)
    assert play.views["book:0x1"].cause == ""
    assert any("book" in text for text in play.texts[1:])


def test_nothing_less_urgent_explains_an_urgent_alarm_away():
    play = Play().see(of(FEED), of(URGENT, causes=("feed",)), seconds=20)
    assert play.board.calls == 1 and play.views["urgent"].cause == ""


def test_a_cause_that_is_acknowledged_or_shelved_still_explains():
    conditions = of(FEED), of(BOOK, market="0x1", causes=("feed",))
    play = Play().see(*conditions, seconds=20)
    play.board.acknowledge("feed", "ann")
    assert play.see(*conditions, seconds=20).views["book:0x1"].cause == "feed"
    play.board.shelve("feed", 600.0, "known", "ann", play.now)
    assert play.see(*conditions, seconds=20).views["book:0x1"].cause == "feed"
    assert len(play.lines) == 1


def test_the_first_of_several_causes_that_holds_is_named():
    play = Play().see(of(SOON), of(BOOK, market="0x1", causes=("feed", "soon")), seconds=20)
    assert play.views["book:0x1"].cause == "soon"


# Flapping and floods


def test_what_comes_and_goes_is_held_as_one():
    play = Play()
    for _ in range(100):
        play.see(of(SOON), seconds=2).see(seconds=2)
    assert play.board.raised["soon"] == FLAPS and play.only().standing
    assert play.only().text.endswith("(comes and goes)")
    assert len(play.lines) == 2, "told once; its end once, before it was known to come and go"


def test_what_comes_and_goes_rings_at_most_three_times_in_ten_minutes_however_often_it_is_acknowledged():
    play = Play()
    for _ in range(45):
        play.see(of(URGENT), seconds=7)
        play.board.acknowledge("", "ann")
        play.see(seconds=6)
    assert play.now - 100 < WINDOW_SEC and play.board.calls == FLAPS


def test_what_came_and_went_ends_when_it_stayed_away_for_ten_minutes():
    play = Play()
    for _ in range(3):
        play.see(of(SOON), seconds=2).see(seconds=2)
    assert play.see(seconds=WINDOW_SEC - 10).only().standing
    assert not play.see(seconds=20).only().standing


def test_a_flood_is_told_by_ten_lines_and_one_that_says_so():
    play = Play().see(*(of(SOON, market=f"0x{number}") for number in range(60)), seconds=60)
    assert len(play.lines) == MOST_TOLD + 1 and "many alarms at once" in play.texts[-1]
    assert len(play.views) == 60, "all of them are listed"
    play.see(seconds=WINDOW_SEC)
    assert play.texts[-1] == "the alarms are calm again; 50 were told by no line of their own"


def test_an_urgent_alarm_is_told_in_a_flood_too():
    play = Play().see(*(of(SOON, market=f"0x{number}") for number in range(60)), seconds=10)
    play.see(of(URGENT, "an order is lost"), seconds=1)
    assert play.board.calls == 1 and "an order is lost" in play.texts[-1]


# Lines


def test_a_line_says_what_it_is_and_what_to_do_first():
    (line,) = Play().see(of(SOON, "two of three", market="0x1")).lines
    assert (line.severity, line.market) == ("warning", "0x1")
    assert line.text == "alarm, act soon: soon: two of three; first: do that"


def test_what_the_log_tells_anyway_is_not_told_twice():
    assert not Play().see(of(a_kind(is_told=True)), seconds=9).see(seconds=9).lines


def test_the_end_is_told_of_what_was_told():
    assert Play().see(of(SOON), seconds=7).see(seconds=3).texts[-1] == "alarm over: soon, after 7 s"


# Acts


def test_all_can_be_acknowledged_at_once_but_those_on_the_shelf():
    play = Play().see(of(URGENT), of(SOON), of(TREND))
    play.board.shelve("soon", 60.0, "known", "ann", play.now)
    answer = play.board.acknowledge("", "ann")
    assert answer == (True, "2 alarms acknowledged by ann", "")
    assert [view.key for view in play.views.values() if view.acknowledged] == ["urgent", "trend"]
    assert play.board.acknowledge("", "ann") == (False, "no alarm waits to be acknowledged", "")


def test_acts_on_an_alarm_that_is_gone_or_done_are_refused_in_words():
    play = Play().see(of(SOON, market="0x1"))
    board = play.board
    for refused in (board.acknowledge("x", "a"), board.shelve("x", 9, "r", "a", 1.0), board.unshelve("x", "a")):
        assert refused == (False, "there is no such alarm, or it is over", "")
    assert board.unshelve("soon:0x1", "ann").text == "it is not on the shelf"
    board.acknowledge("soon:0x1", "ann")
    assert board.acknowledge("soon:0x1", "bob") == (False, "acknowledged already, by ann", "0x1")


@pytest.mark.parametrize("seconds", [None, 0.0, -1.0, MOST_SHELVED_S + 1, float("nan"), float("inf")])
def test_a_shelf_has_a_time_of_at_most_an_hour(seconds):
    play = Play().see(of(SOON))
    answer = play.board.shelve("soon", seconds, "known", "ann", play.now)
    assert not answer.done and "60 minutes" in answer.text and play.only().shelved_s is None


def test_a_shelf_wants_a_reason():
    play = Play().see(of(SOON))
    assert play.board.shelve("soon", 60.0, "  ", "ann", play.now).text == "a reason is needed"


def test_a_shelved_alarm_calls_nobody_and_comes_back_when_its_time_is_over():
    play = Play().see(of(URGENT), seconds=2)
    assert play.board.shelve("urgent", 600.0, "being mended", "ann", play.now).done
    view = play.see(of(URGENT), seconds=100).only()
    assert (view.shelved_s, view.by, view.reason) == (500.0, "ann", "being mended")
    play.see(seconds=100).see(of(URGENT), seconds=399)
    assert play.board.calls == 1
    view = play.see(of(URGENT), seconds=3).only()
    assert view.shelved_s is None and not view.acknowledged and play.board.calls == 2


def test_what_is_over_when_its_shelf_ends_is_gone():
    play = Play().see(of(URGENT))
    play.board.shelve("urgent", 60.0, "being mended", "ann", play.now)
    assert play.see(seconds=59).only().shelved_s == 1.0
    assert not play.see(seconds=2).views


def test_an_alarm_can_be_taken_back_from_the_shelf():
    play = Play().see(of(SOON))
    play.board.shelve("soon", 60.0, "known", "ann", play.now)
    assert play.board.unshelve("soon", "bob").text == "alarm back from the shelf, by bob: soon"
    assert play.only().shelved_s is None and play.board.acknowledge("soon", "bob").done


# Order and bounds


def test_they_stand_by_priority_then_newest_and_what_is_quiet_comes_last():
    play = Play().see(of(SOON, market="0x1")).see(of(SOON, market="0x1"), of(SOON, market="0x2"))
    play.see(of(SOON, market="0x1"), of(SOON, market="0x2"), of(TREND), of(FEED))
    play.see(
        of(SOON, market="0x1"), of(SOON, market="0x2"), of(TREND), of(URGENT, market="0x3"), of(FEED),
        of(a_kind("after"), causes=("soon:0x1",)), of(URGENT, market="0x4"),
    )  # fmt: skip
    play.board.shelve("urgent:0x3", 60.0, "known", "ann", play.now)
    assert list(play.views) == ["urgent:0x4", "soon:0x2", "soon:0x1", "trend", "urgent:0x3", "after"]


def test_memory_is_bounded_and_what_is_urgent_goes_last():
    play = Play().see(*(of(URGENT, subject=str(number)) for number in range(50)))
    for start in range(0, 6_000, 100):
        play.see(*(of(SOON, subject=str(start + number)) for number in range(100)))
    play.see()
    assert len(play.views) == MOST_LISTED
    assert sum(view.priority == 1 for view in play.views.values()) == 50
    assert len(play.board._known) <= MOST_KNOWN + MOST_LISTED and not play.board._pending


EVENT = st.tuples(
    st.integers(0, 30),  # seconds until the next
    st.sampled_from(["urgent", "soon", "trend", "feed", "book"]),
    st.integers(0, 7),  # which market
    st.booleans(),  # begins or ends
    st.sampled_from(["", "", "", "ack", "ack all", "shelve"]),
)
KINDS = {kind.code: kind for kind in (URGENT, SOON, TREND, FEED, BOOK)}


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, min_size=200, max_size=200))
def test_a_storm_calls_no_more_than_is_permitted_and_loses_nothing_urgent(events):
    """200 events: calls and lines stay within their bounds, and every urgent alarm that began was called for."""
    play, present, calls, owed = Play(), {}, [], {}
    for pause, code, number, begins, act in events:
        market = "" if code == "feed" else f"0x{number}"
        condition = of(KINDS[code], market=market, causes=("feed",) if code == "book" else ())
        key = condition.key
        if begins:
            present[key] = condition
        else:
            present.pop(key, None)
        _act(play, act, key)
        for _ in range(pause):
            before = play.board.calls
            play.see(*present.values())
            if play.board.calls > before:
                calls.append(play.now)
                owed.clear()
            _owe(play, owed)
            assert all(play.now - since <= SELDOM_SEC for since in owed.values())
    assert all(later - earlier >= 10 for earlier, later in pairwise(calls))
    for start in calls:
        assert sum(start <= call < start + WINDOW_SEC for call in calls) <= MOST_CALLS + WINDOW_SEC / SELDOM_SEC
    listed = {key for key, view in play.views.items() if view.standing}
    assert {key for key in present if key.startswith("urgent")} <= listed


LESSER = st.tuples(st.integers(1, 5), st.sampled_from(["soon", "feed", "book"]), st.integers(0, 30))


def _act(play, act, key):
    if act == "ack":
        play.board.acknowledge(key, "ann")
    elif act == "ack all":
        play.board.acknowledge("", "ann")
    elif act == "shelve":
        play.board.shelve(key, 60.0, "known", "ann", play.now)


def _owe(play, owed):
    """Urgent alarms that want a call and have not had one, with the time since when."""
    wanting = {key for key, alarm in play.board._alarms.items() if alarm.priority == 1 and alarm.wants_call}
    for key in set(owed) - wanting:
        del owed[key]
    for key in wanting:
        owed.setdefault(key, play.now)


@settings(max_examples=40, deadline=None)
@given(st.lists(LESSER, min_size=200, max_size=200))
def test_a_storm_of_less_urgent_alarms_is_told_by_a_bounded_number_of_lines(events):
    """Alarms that begin, one every few seconds: within ten minutes ten of them have lines of their own."""
    play = Play()
    begun = []
    for pause, code, number in events:
        play.see(of(KINDS[code], market=f"0x{number}"), seconds=pause)
        begun += [play.now for line in play.lines if line.text.startswith("alarm, ")]
        play.lines.clear()
    for start in begun:
        assert sum(start <= told < start + WINDOW_SEC - 6 for told in begun) <= MOST_TOLD


def test_what_is_over_says_no_more_what_follows_while_nobody_acts():
    """Orders are placed again after a re-arm: "nothing is placed" must not go on standing there."""
    play = Play().see(of(URGENT))
    assert (play.only().consequence, play.only().action) == ("this follows", "do that")
    alarm = play.see(seconds=5).only()
    assert not alarm.standing and not alarm.acknowledged
    assert (alarm.consequence, alarm.action) == ("", OVER_ACTION)
