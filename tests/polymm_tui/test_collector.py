import gc
import weakref

import pytest
from rich.segment import Segment
from textual.strip import Strip

from polymm_tui.collector import QuietCollector


@pytest.fixture
def collector():
    quiet = QuietCollector()
    before = (gc.isenabled(), gc.get_threshold())
    yield quiet
    quiet.restore()
    assert (gc.isenabled(), gc.get_threshold()) == before


class Watched(Strip):
    __slots__ = ("__weakref__",)


class Node:
    def __init__(self) -> None:
        self.self = self


def cycles() -> int:
    return sum(isinstance(thing, Node) for thing in gc.get_objects())


def test_taking_over_stops_the_automatic_collector_and_sets_objects_aside(collector):
    collector.take_over()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_collecting_frees_cycles_and_notes_the_pause(collector):
    collector.take_over()
    Node()
    assert cycles() == 1
    collector.collect()
    assert cycles() == 0
    assert collector.runs == 1
    assert 0 < collector.last_pause_s <= collector.max_pause_s


def test_nothing_is_collected_before_the_take_over(collector):
    collector.collect()
    assert collector.runs == 0


def test_restoring_undoes_everything_and_may_be_repeated(collector):
    collector.take_over()
    collector.restore()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    collector.restore()


def test_headless_keeps_the_automatic_collector_but_makes_it_rare(collector):
    threshold = gc.get_threshold()[0]
    collector.take_over_headless()
    assert gc.isenabled()
    assert gc.get_threshold()[0] > threshold
    gc.collect()
    assert collector.runs == 1
    assert collector.last_pause_s > 0


def test_a_collector_that_was_off_stays_off_after_restoring():
    quiet = QuietCollector()
    gc.disable()
    try:
        quiet.take_over()
        quiet.restore()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_painted_leaves_no_cycle_behind(collector):
    """A strip that passes the compositor uncut would keep itself alive: every painted row would be garbage."""
    collector.take_over()
    strip = Watched([Segment("41.3")], 4)
    assert strip.divide([4]) == [strip]
    assert [piece.text for piece in strip.divide([1, 4, 9])] == ["4", "1.3"]
    whole = weakref.ref(strip)
    del strip
    assert whole() is None


def test_a_collection_that_takes_long_sets_aside_what_is_alive(collector, monkeypatch):
    """What a console keeps is walked over once, not three times a second for hours."""
    collector.take_over()
    kept = [[] for _ in range(1_000)]
    collector.collect()
    before = gc.get_freeze_count()
    monkeypatch.setattr("polymm_tui.collector.FREEZE_OVER_S", 0.0)
    collector.collect()
    assert gc.get_freeze_count() >= before + len(kept)
