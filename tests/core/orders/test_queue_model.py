"""Guessed queue places: what must hold for any course of events."""

from hypothesis import given
from hypothesis import strategies as st

from core.orders.queue_model import ProbabilisticQueue, RiskAverseQueue
from core.units import SIZE_QUANTUM, Shares
from tests.core.quoting.arrange import laws, shares

sizes = st.integers(0, 10**9).map(Shares)
own_sizes = st.integers(1, 10**5).map(lambda n: Shares(n * SIZE_QUANTUM))
events = st.lists(st.tuples(st.booleans(), sizes), max_size=20)


@laws
@given(sizes, own_sizes, events, st.sampled_from([0.5, 1.0, 3.0]), st.booleans())
def test_nobody_gets_in_front_and_no_more_is_filled_than_ordered(
    level: Shares, own: Shares, course: list[tuple[bool, Shares]], power: float, is_averse: bool
) -> None:
    queue = RiskAverseQueue(level, own) if is_averse else ProbabilisticQueue(level, own, power)
    filled, traded, before = 0, 0, level
    for is_trade, size in course:
        ahead = queue.ahead
        if is_trade:
            filled += queue.trade(size)
            traded += size
        else:
            queue.depth(before, size)
            before = size
            assert queue.ahead <= size
        assert 0 <= queue.ahead <= ahead
        assert filled + queue.remaining == own
    assert 0 <= filled <= min(own, traded)


@laws
@given(sizes, own_sizes, events)
def test_cautious_model_never_fills_before_the_probabilistic_one(
    level: Shares, own: Shares, course: list[tuple[bool, Shares]]
) -> None:
    cautious, hopeful = RiskAverseQueue(level, own), ProbabilisticQueue(level, own)
    before = level
    for is_trade, size in course:
        if is_trade:
            cautious.trade(size)
            hopeful.trade(size)
        else:
            cautious.depth(before, size)
            hopeful.depth(before, size)
            before = size
        assert hopeful.ahead <= cautious.ahead
        assert hopeful.filled + 1e-3 >= own - cautious.remaining


def test_fills_of_the_probabilistic_model_are_whole_hundredths() -> None:
    queue = ProbabilisticQueue(shares(100), shares(10))
    queue.depth(shares(150), shares(91))
    filled = queue.trade(Shares(int(queue.ahead) + 123_456))
    assert filled == shares(0.12)
    assert queue.remaining == shares(9.88)


def test_price_through_ours_fills_the_rest() -> None:
    for queue in (RiskAverseQueue(shares(100), shares(10)), ProbabilisticQueue(shares(100), shares(10))):
        assert queue.trade(shares(104)) == shares(4)
        assert queue.sweep() == shares(6)
        assert (queue.remaining, queue.sweep()) == (0, 0)
