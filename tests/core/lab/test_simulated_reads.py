"""Books over REST in a simulation: the exchange's own texts, after their time, as faults leave them."""

import itertools
import json

import pytest

from core.events import RestBook
from core.lab.simulated_reads import PRICES_LAG_MS
from core.lab.simulated_world import ANSWER_MS, ENTRY_MS
from core.runtime.reader import BUDGET, BUDGET_SEC, COALESCE_SEC, READ_SEC
from tests.core.lab.simulated import Stage, fault

USUAL_S = COALESCE_SEC + (ENTRY_MS + PRICES_LAG_MS + ANSWER_MS) / 1000


def read(script: str = "", at_s: float = 5.0) -> tuple[Stage, float]:
    stage = Stage(script)
    stage.start()
    stage.run(at_s)
    stage.reads.read(stage.tokens)
    stage.run(4)
    return stage, stage.answers()[0][0] - at_s


def tops(stage: Stage) -> dict[str, tuple[str, str]]:
    """Best bid and ask by token, of the books and of the prices that came."""
    _, event = stage.answers()[0]
    return {book.asset_id: (book.bids[-1].price, book.asks[-1].price) for book in event.books}


def test_an_answer_holds_the_books_and_prices_of_the_moment_it_was_served() -> None:
    stage = Stage()
    stage.start()
    stage.run(5)
    stage.population.pause(True)
    stage.reads.read(stage.tokens)
    stage.run(1)
    ((at_s, event),) = stage.answers()
    assert at_s == pytest.approx(5 + USUAL_S)
    assert (event.tokens, event.asked_s, event.detail) == (tuple(stage.tokens), 5 + COALESCE_SEC, "")
    assert [book.asset_id for book in event.books] == stage.tokens[::-1]
    for book in event.books:
        market, outcome = stage.exchange.by_token[book.asset_id]
        text = stage.exchange.faces[market].rest_book(outcome)
        assert book == RestBook(**json.loads(text)) or json.loads(text)["hash"] == book.hash
    assert {touch.token: (touch.bid, touch.ask) for touch in event.touches} == tops(stage)


def test_wishes_that_come_together_are_one_reading() -> None:
    stage = Stage(fault('do = "slow"\nms = 1\nat = 0\nfor = 100'))
    stage.run(1)
    for token in (*stage.tokens, *stage.tokens):
        stage.reads.read([token])
    stage.run(2)
    assert len(stage.answers()) == 1
    assert [line.what for line in stage.director.log if "POST" in line.what] == ["POST /books", "POST /prices"]


def test_reads_come_one_after_another_and_within_the_budget() -> None:
    stage = Stage()
    for _ in range(200):
        stage.reads.read(stage.tokens)
        stage.run(0.1)
    times = [at_s for at_s, _ in stage.answers()]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert min(gaps) >= USUAL_S - COALESCE_SEC
    assert len(times) <= 20 / BUDGET_SEC * BUDGET + BUDGET
    assert gaps[-1] == pytest.approx(BUDGET_SEC / BUDGET, abs=0.02)


def test_a_ghost_shows_in_the_books_only() -> None:
    stage, _ = read(fault('do = "ghost_book"\nmarket = 0\nat = 1\nfor = 60'))
    shown = tops(stage)
    touches = {touch.token: (touch.bid, touch.ask) for touch in stage.answers()[0][1].touches}
    assert [shown[token] for token in stage.tokens[:2]] == [("0.01", "0.99")] * 2
    assert shown[stage.tokens[2]] == touches[stage.tokens[2]] and touches[stage.tokens[0]] != ("0.01", "0.99")


@pytest.mark.parametrize(("paths", "prices_too"), [("all", True), ("books", False)])
def test_stale_books_are_as_they_were_and_so_may_be_prices(paths: str, prices_too: bool) -> None:
    stage, _ = read(fault(f'do = "stale_rest"\npaths = "{paths}"\nat = 1\nfor = 600'), at_s=300)
    _, event = stage.answers()[0]
    assert all(book.timestamp <= stage.exchange.now_ms - 303_000 for book in event.books)
    touches = {touch.token: (touch.bid, touch.ask) for touch in event.touches}
    assert (touches == tops(stage)) == prices_too


def test_a_refused_half_leaves_the_other_and_both_leave_a_reason() -> None:
    stage, _ = read(fault('do = "http"\nstatus = 503\nrequest = "POST /books"\nat = 1\nfor = 60'))
    _, event = stage.answers()[0]
    assert not event.books and event.touches
    stage, _ = read(fault('do = "http"\nstatus = 503\nrequest = "POST /*s"\nat = 1\nfor = 60'))
    _, event = stage.answers()[0]
    assert (event.books, event.touches) == ((), ()) and "503" in event.detail


@pytest.mark.parametrize(
    ("keys", "waited_s"),
    [
        ('do = "blackhole"\nthen = "hang"', COALESCE_SEC + READ_SEC),
        ('do = "blackhole"\nthen = "cut"', USUAL_S),
        ('do = "slow"\nms = 500', USUAL_S + 0.5 - PRICES_LAG_MS / 1000),
        ('do = "slow"\nms = 9000\nmoment = "before"', COALESCE_SEC + READ_SEC),
        ('do = "http"\nstatus = 200\nbody = "html"', USUAL_S),
    ],
)
def test_an_answer_comes_late_or_is_given_up(keys: str, waited_s: float) -> None:
    stage, took_s = read(fault(f'{keys}\nrequest = "POST /books"\nat = 1\nfor = 60'))
    assert took_s == pytest.approx(waited_s)
    assert bool(stage.answers()[0][1].books) == ("500" in keys)
