"""Splits, merges and redemptions by the engine: asked for or by themselves, what they hold back, booked once."""

import math
from typing import Any

import pytest

from core.account import inventory_acts
from core.account.inventory_acts import AUTO_SEC, IDLE_SEC
from core.actions import Action, Book, EndJob, Note, SendJob
from core.events import JobSeen, KnownJob, OperatorCommand, PayoutSeen, Recovered, RouteSeen
from core.jobs.job import Job
from core.portfolio.entries import Merge, Redeem, Split
from core.units import MICRO, Shares, Usd
from tests.builders import MARKET, NO, YES, notes, shares, usd
from tests.core.account.test_bookkeeping import Account, entries, held
from tests.core.account.test_reconciliation import OTHER, findings


def a_world(yes: float = 30, no: float = 25, venue: Any = "demo", **over: Any) -> Account:
    """Both tokens are held, nothing rests, and transactions may leave."""
    world = Account(**({"auto_merge": False} | over)).settled()
    held(world, yes, no)
    world.send(RouteSeen(venue=venue, route="relayer"))
    world.run(3)
    return world


def asked(world: Account, act: Any, amount: float = 0.0, market: str = MARKET, **more: Any) -> list[Action]:
    return world.send(OperatorCommand(act=act, market=market, amount=amount, **more))


def sent(actions: list[Action]) -> list[Job]:
    return [action.job for action in actions if isinstance(action, SendJob)]


def begun(world: Account, act: Any, amount: float = 0.0) -> Job:
    [job] = sent(asked(world, act, amount))
    return job


def mined(world: Account, cash: float, yes: float, no: float) -> None:
    """The chain has carried it out."""
    world.cash = Usd(world.cash + usd(cash))
    world.held[YES], world.held[NO] = Shares(world.held[YES] + shares(yes)), Shares(world.held[NO] + shares(no))


def test_a_preview_says_what_would_be_and_changes_nothing() -> None:
    world = a_world()
    before = world.state()
    [note] = asked(world, "merge", 20, preview=True)
    assert isinstance(note, Note) and note.severity == "info"
    assert "merge 20: cash +20 dollars, YES -20, NO -20; by relayer" in note.text
    assert world.state() == before and world.engine.inventory.jobs.under_way is None


@pytest.mark.parametrize(
    ("act", "amount", "market", "why"),
    [
        ("merge", 26, MARKET, "26 pairs are needed, 25 are free"),
        ("merge", 0.001, MARKET, "no size"),
        ("merge", math.inf, MARKET, "no size"),
        ("split", math.nan, MARKET, "no size"),
        ("split", 1e308, MARKET, "no size"),
        ("split", 0.5, MARKET, "less than the least size"),
        ("split", 5_000, MARKET, "5000 dollars are needed"),
        ("redeem", 0, MARKET, "not resolved for good yet"),
        ("convert", 10, MARKET, "belongs to no event"),
        ("merge", 10, OTHER, "the market is not known"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(act: str, amount: float, market: str, why: str) -> None:
    world = a_world()
    [note] = asked(world, act, amount, market)
    assert isinstance(note, Note) and note.severity == "warning"
    assert note.text.startswith(f"{act}: ") and why in note.text


@pytest.mark.parametrize("venue", ["paper", "replay"])
def test_nothing_goes_to_the_chain_without_one(venue: str) -> None:
    world = a_world(venue=venue, auto_merge=True, merge_min_shares=1.0)
    [note] = asked(world, "merge", 10)
    assert f"nothing goes to the chain in {venue}" in notes([note])
    assert sent(world.run(IDLE_SEC * 3)) == []


def test_a_wallet_without_a_way_to_the_chain_says_what_is_missing() -> None:
    world = a_world()
    world.send(RouteSeen(venue="live", route=None, obstacle="a deposit wallet needs a relayer key"))
    assert "a deposit wallet needs a relayer key" in notes(asked(world, "merge", 10))
    assert world.engine.inventory.note(world.unix) == "a deposit wallet needs a relayer key"


def test_a_merge_holds_back_its_pairs_and_is_booked_once_when_it_is_confirmed() -> None:
    world = a_world()
    job = begun(world, "merge", 20)
    position = world.desk.position
    assert (position.locked_yes, position.locked_no) == (shares(20), shares(20))
    assert "is under way" in notes(asked(world, "merge", 5)), "one at a time"
    for state in ("sending", "sent", "mined"):
        actions = world.send(JobSeen(job.job_id, state, transaction="0xF00"))
        assert entries(actions, Merge) == [] and position.locked_yes == shares(20)
    mined(world, 20, -20, -20)
    actions = world.send(JobSeen(job.job_id, "confirmed", transaction="0xF00"))
    [line] = entries(actions, Merge)
    assert (line.entry.size, line.source, line.key) == (shares(20), "job", f"job {job.job_id} {MARKET}")
    assert (position.inventory.yes, position.inventory.no, position.locked_yes) == (shares(10), shares(5), 0)
    assert world.engine.books.cash == world.cash
    assert world.engine.inventory.jobs.is_ours("0xf00")
    assert entries(world.send(JobSeen(job.job_id, "confirmed")), Merge) == []
    assert findings(world.run(300)) == []


def test_pairs_of_a_job_under_way_are_in_no_other_and_its_cash_is_not_spent() -> None:
    world = a_world()
    before = world.engine.free_cash
    begun(world, "split", 40)
    after = world.engine.free_cash
    assert before - after == usd(40)
    world = a_world()
    begun(world, "merge", 20)
    stock = world.engine.inventory._stocks(world.now)[MARKET]
    assert world.engine.inventory.jobs.free(stock, "YES") == shares(10)
    assert sent(asked(world, "merge", 0)) == []


def test_shares_in_open_sells_are_not_merged() -> None:
    world = a_world()
    world.known.append(world.order("ask", 18, 60))
    assert "merge 12: " in notes(asked(world, "merge", 0, preview=True))


def test_a_split_enters_both_tokens_at_their_fair_values_and_makes_no_profit() -> None:
    world = a_world()
    earned = world.engine.books.portfolio.realised
    job = begun(world, "split", 40)
    mined(world, -40, 40, 40)
    [line] = entries(world.send(JobSeen(job.job_id, "confirmed")), Split)
    assert line.entry == Split(shares(40), usd(0.46))
    assert (world.desk.inventory.yes, world.desk.inventory.no) == (shares(70), shares(65))
    assert world.engine.books.cash == world.cash and world.engine.books.portfolio.realised == earned
    assert findings(world.run(300)) == []


def test_a_redemption_is_booked_at_what_was_paid() -> None:
    world = a_world()
    world.send(PayoutSeen(MARKET, usd(0.5), "chain"))
    job = begun(world, "redeem")
    mined(world, 27.5, -30, -25)
    lines = entries(world.send(JobSeen(job.job_id, "confirmed", amount=usd(27.5))), Redeem)
    assert sum(line.entry.amount for line in lines) == usd(27.5)
    assert (world.desk.inventory.yes, world.desk.inventory.no) == (0, 0)
    assert world.engine.books.cash == world.cash
    assert findings(world.run(300)) == []


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_a_job_that_came_to_nothing_frees_what_it_held(state: Any) -> None:
    world = a_world()
    job = begun(world, "merge", 20)
    before = world.state()
    actions = world.send(JobSeen(job.job_id, state, detail="reverted"))
    assert f"merge 20 {state}: reverted" in notes(actions) and not [a for a in actions if isinstance(a, Book)]
    assert world.desk.position.locked_yes == 0 and world.state() == before
    assert sent(asked(world, "merge", 20))


def test_a_quota_that_is_used_up_is_waited_for() -> None:
    world = a_world()
    job = begun(world, "merge", 20)
    world.send(JobSeen(job.job_id, "refused", retry_s=100.0))
    assert "quota is used up until" in notes(asked(world, "merge", 20))
    world.run(101)
    assert sent(asked(world, "merge", 20))


def test_balances_say_nothing_while_an_operation_is_under_way() -> None:
    """Nobody knows whether they are of before or after it."""
    world = a_world()
    job = begun(world, "merge", 20)
    mined(world, 20, -20, -20)
    assert findings(world.run(400)) == [] and world.blocked() == ""
    before = world.cash
    world.send(JobSeen(job.job_id, "confirmed"))
    assert findings(world.run(400)) == [] and world.engine.books.cash == before


def test_a_job_of_unknown_outcome_is_followed_up_after_a_restart_and_booked_once() -> None:
    world = a_world()
    job = begun(world, "merge", 20)
    world.send(JobSeen(job.job_id, "unknown"))
    after = Account(auto_merge=False)
    after.now, after.unix_offset, after.cash, after.held = world.now, world.unix_offset, world.cash, world.held
    after.trades, after.known = world.trades, world.known
    known = KnownJob(job, "unknown", "", "0xF00", None)
    journal = world.journal()
    after.command("pause_all")
    begin = after.begin(Recovered(bookings=journal.bookings, jobs=(known,), next_job=job.job_id + 1, next_seq=99))
    assert sent(begin) == [job] and "following up 1 inventory operations" in notes(begin)
    assert after.desk.position.locked_yes == shares(20)
    after.send(RouteSeen(venue="demo", route="relayer"))
    assert "is under way" in notes(asked(after, "merge", 5))
    after.run(3)
    assert after.books_recovering() == "", "quoting goes on, though nobody knows for how long it stays unknown"
    mined(after, 20, -20, -20)
    [line] = entries(after.send(JobSeen(job.job_id, "confirmed")), Merge)
    assert line.key == f"job {job.job_id} {MARKET}" and line.seq == 99
    after.run(60)
    assert after.engine.books.cash == after.cash
    third = Account(auto_merge=False)
    third.begin(Recovered(bookings=(*journal.bookings, line), jobs=(known,), next_job=2, next_seq=100))
    assert entries(third.send(JobSeen(job.job_id, "confirmed")), Merge) == [], "its line is in the book already"


# By itself


def test_pairs_of_an_idle_market_are_merged_from_the_threshold_on() -> None:
    world = a_world(auto_merge=True, merge_min_shares=20.0)
    assert sent(world.run(IDLE_SEC - 15)) == []
    [job] = sent(world.run(30 + AUTO_SEC))
    assert (job.kind, job.size, job.by, job.reason) == ("merge", shares(25), "auto", "the market is idle")


@pytest.mark.parametrize(
    "over", [{"auto_merge": False}, {"auto_merge": True, "merge_min_shares": 26.0}], ids=["off", "too few"]
)
def test_pairs_stay_where_nobody_asked_for_a_merge(over: dict[str, Any]) -> None:
    world = a_world(**over)
    assert sent(world.run(IDLE_SEC * 3)) == []


def test_pairs_of_a_busy_market_are_merged_only_when_cash_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(auto_merge=True)
    world.known.append(world.order("bid", 5, 30))
    assert sent(world.run(IDLE_SEC * 3)) == []
    monkeypatch.setattr(inventory_acts, "_is_short", lambda desk: True)
    [job] = sent(world.run(2 * AUTO_SEC))
    assert (job.size, job.reason) == (shares(25), "cash is scarce")
    assert world.engine.inventory.jobs.reserved(MARKET, "NO") == 25 * MICRO


@pytest.mark.parametrize("act", ["kill", "stop"])
def test_nothing_is_merged_by_itself_once_everything_is_to_end(act: str) -> None:
    world = a_world(auto_merge=True)
    if act == "kill":
        world.command("kill")
    else:
        world.engine.stopping = True
    assert sent(world.run(IDLE_SEC * 3)) == []


def test_an_operator_ends_what_no_evidence_does() -> None:
    """A transaction of unknown outcome blocks everything else; somebody who has looked may say how it ended."""
    world = a_world()
    [job] = sent(asked(world, "merge"))
    assert "may still be seen" in notes(world.send(OperatorCommand(act="job_failed")))
    world.send(JobSeen(job.job_id, "unknown"))
    [ended] = [
        action for action in world.send(OperatorCommand(act="job_confirmed", who="ann")) if isinstance(action, EndJob)
    ]
    assert (ended.seen.job_id, ended.seen.state) == (job.job_id, "confirmed") and "ann says so" in ended.seen.detail
    world.send(ended.seen)
    assert (world.desk.inventory.yes, world.desk.inventory.no) == (shares(5), 0)
    assert "no inventory operation" in notes(world.send(OperatorCommand(act="job_failed")))
