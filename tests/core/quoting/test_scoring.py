"""The venue's scoring flags: asked seldom, forgotten with their orders, contradictions told once and not at once."""

from core.actions import ReadScoring
from core.events import ScoringSeen
from core.quoting.rewards import OrderScore
from core.quoting.scoring import SCORING_SEC, ScoringWatch


def score(order_id: str, reason: str = "ok") -> OrderScore:
    return OrderScore(order_id, "bid", 1.0, 0.5, 50.0, reason)  # type: ignore[arg-type]


def answer(watch: ScoringWatch, **flags: bool) -> None:
    watch.take(ScoringSeen(scoring=tuple(flags.items())))


def test_questions_are_batched_and_seldom() -> None:
    watch = ScoringWatch()
    assert watch.ask([], 0.0) is None
    assert watch.ask(["a", "b"], 1.0) == ReadScoring(("a", "b"))
    assert watch.ask(["a", "b"], 1.0 + SCORING_SEC - 0.1) is None
    assert watch.ask(["b"], 1.0 + SCORING_SEC) == ReadScoring(("b",))


def test_a_flag_is_the_last_word_or_nothing() -> None:
    watch = ScoringWatch()
    watch.ask(["a", "b"], 0.0)
    assert watch.flag("a") is None
    answer(watch, a=True)
    assert watch.flag("a") is True and watch.flag("b") is None
    watch.ask(["b"], SCORING_SEC)
    assert watch.flag("a") is None, "an order that is gone is forgotten"


def test_an_order_that_should_score_and_does_not_is_told_once_it_is_sure() -> None:
    watch = ScoringWatch()
    told = []
    for _ in range(4):
        answer(watch, a=False, b=True)
        told.append([each.order_id for each in watch.contradictions([score("a"), score("b")])])
        assert watch.contradictions([score("a")]) == [], "one answer counts once"
    assert told == [[], ["a"], [], []]


def test_an_answer_that_agrees_ends_the_doubt() -> None:
    watch = ScoringWatch()
    answer(watch, a=False)
    watch.contradictions([score("a")])
    answer(watch, a=False)
    assert watch.contradictions([score("a", "far")]) == [], "by our reckoning it does not score either"
    answer(watch, a=False)
    assert watch.contradictions([score("a")]) == []
    answer(watch, a=False)
    assert [each.order_id for each in watch.contradictions([score("a")])] == ["a"]


def test_an_order_the_venue_left_out_is_not_in_doubt() -> None:
    watch = ScoringWatch()
    answer(watch, b=True)
    assert watch.contradictions([score("a")]) == []
