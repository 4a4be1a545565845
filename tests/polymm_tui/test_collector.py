import gc

import pytest

from polymm_tui.collector import QuietCollector


@pytest.fixture
def collector():
    quiet = QuietCollector()
    before = (gc.isenabled(), gc.get_threshold())
    yield quiet
    quiet.restore()
    assert (gc.isenabled(), gc.get_threshold()) == before


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
