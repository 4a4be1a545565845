"""Inventory operations before anything is sent: previews, refusals, reservations, effects, and merges by themselves."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from core.events import JobSeen, KnownJob
from core.exchange.exchange import Exchange
from core.exchange.lifecycle import Result, price_of
from core.exchange.plots import PLOTS
from core.jobs.effects import Effect, effects_of
from core.jobs.job import FINAL_STATES, Job, JobKind, JobState
from core.jobs.jobs import AUTO_PAUSE_SEC, PATIENCE_SEC, Jobs
from core.jobs.planning import LEAST, Plan, Purse, Refused, Stock
from core.portfolio.books import Books
from core.portfolio.entries import Flow, Redeem
from core.units import MICRO, OUTCOMES, Shares, Usd

UNIX = 1_790_000_000.0
M = "0xmarket"
PURSE = Purse(venue="demo", cash=Usd(1_000 * MICRO), route="relayer")
STATES: tuple[JobState, ...] = ("sending", "sent", "mined", "unknown", "confirmed", "failed", "refused")


def stock(market: str = M, **facts: Any) -> Stock:
    return Stock(market=market, yes_token=f"{market} yes", no_token=f"{market} no", **facts)


def micro(shares: float) -> Shares:
    return Shares(round(shares * MICRO))


def event(*no: float, fairs: tuple[int | None, ...] = (460_000, 330_000, 210_000), **facts: Any) -> dict[str, Stock]:
    """The markets of an event of which exactly one outcome comes true, with so much NO of each."""
    made = [
        stock(f"m{i}", no=micro(held), fair=fairs[i % len(fairs)], group="g", group_size=len(no), group_index=i)
        for i, held in enumerate(no)
    ]
    return {each.market: structs.replace(each, **facts) for each in made}


def planned(
    kind: JobKind, one: Stock, size: float = 0, purse: Purse = PURSE, jobs: Jobs | None = None, **others: Stock
) -> Plan | Refused:
    return (jobs or Jobs()).plan(kind, one.market, micro(size), {one.market: one, **others}, purse, UNIX)


def plan_of(kind: JobKind, one: Stock, size: float = 0, **others: Stock) -> Plan:
    made = planned(kind, one, size, **others)
    assert isinstance(made, Plan), made
    return made


def words(made: Plan) -> str:
    return made.words(lambda market: market)


def test_a_preview_says_what_changes_and_what_is_left_free() -> None:
    one = stock(yes=micro(30), no=micro(25), selling_yes=micro(4), fair=Usd(400_000))
    merge = plan_of("merge", one, 20)
    assert (merge.cash, [leg.change for leg in merge.legs]) == (micro(20), [-micro(20)] * 2)
    assert (merge.cash_left, merge.left) == (micro(1_020), (micro(6), micro(5)))
    assert words(merge) == (
        "merge 20: cash +20 dollars, YES -20, NO -20; by relayer; free afterwards: 1020 dollars, 6 YES, 5 NO"
    )
    assert plan_of("merge", one).size == micro(25), "all that is free"
    split = plan_of("split", one, 7)
    assert split.cash == -micro(7) and [leg.price for leg in split.legs] == [400_000, 600_000]
    redeem = plan_of("redeem", structs.replace(one, payout=Usd(500_000), foreign_yes=micro(10)))
    assert (redeem.cash, redeem.foreign_cash) == (micro(32.5), micro(5))
    assert "(5 dollars of it for shares that are not ours)" in words(redeem)


@pytest.mark.parametrize("more", [-2, 0, 2, 7_000_000])
def test_what_a_redemption_pays_beyond_ours_is_a_flow(more: int) -> None:
    """Somebody's shares went along that nobody had seen yet; what the contract rounds is with our own tokens."""
    made = plan_of("redeem", stock(yes=micro(30), no=micro(12), payout=Usd(0)))
    job = Jobs().start(made, "operator", "asked for", UNIX)
    yes, no, *rest = [effect.entry for effect in effects_of(job, Usd(job.cash + more))]
    foreign = more if more > 2 else 0
    assert (yes, no) == (Redeem("YES", micro(30), Usd(0)), Redeem("NO", micro(12), Usd(12 * MICRO + more - foreign)))
    assert rest == ([Flow(Usd(foreign))] if foreign else [])


REFUSALS: list[tuple[JobKind, Stock, float, str]] = [
    ("merge", stock(yes=micro(9), no=micro(30)), 10, "10 pairs are needed, 9 are free; 9 YES settled; 30 NO"),
    ("merge", stock(yes=micro(9), no=micro(9), selling_no=micro(8)), 5, "1 are free; .* 9 NO settled, 8 of them in"),
    ("merge", stock(yes=micro(9)), 0, "no pairs: 0 are free"),
    ("merge", stock(yes=micro(9), no=micro(9)), 0.5, "0.5 is less than the least size, 1"),
    ("merge", stock(yes=micro(9), no=micro(9), payout=Usd(0)), 5, "resolved: redeem instead"),
    ("split", stock(), 0, "0 is less than the least size"),
    ("split", stock(payout=Usd(0)), 5, "resolved"),
    ("split", stock(), 1_001, "1001 dollars are needed, 1000 are free"),
    ("split", stock(), -1, "not negative"),
    ("redeem", stock(yes=micro(9)), 0, "not resolved for good"),
    ("redeem", stock(yes=micro(9), payout=Usd(MICRO), is_settled=False), 0, "has not settled yet"),
    ("redeem", stock(yes=micro(9), payout=Usd(0)), 0, "pays nothing"),
    ("redeem", stock(payout=Usd(0)), 0, "nothing is held"),
    ("convert", stock(no=micro(9)), 5, "belongs to no event"),
    ("convert", stock(no=micro(9), group="g", group_size=3, group_index=0), 5, "not all outcomes of the event"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "one", "size", "why"), REFUSALS)
def test_what_cannot_be_done_is_refused_in_words(kind: JobKind, one: Stock, size: float, why: str) -> None:
    made = planned(kind, one, size)
    assert isinstance(made, Refused) and re.search(why, made.why), made


FULL = stock(yes=micro(30), no=micro(30))


@pytest.mark.parametrize(
    ("purse", "why"),
    [
        (structs.replace(PURSE, venue="paper"), "nothing goes to the chain in paper"),
        (structs.replace(PURSE, venue="replay"), "nothing goes to the chain in replay"),
        (structs.replace(PURSE, route=None, obstacle="set RELAYER_API_KEY"), "set RELAYER_API_KEY"),
        (structs.replace(PURSE, buying=Usd(991 * MICRO)), "10 dollars are needed, 9 are free: 991 are in buys"),
    ],
)
def test_the_account_may_forbid_it(purse: Purse, why: str) -> None:
    made = planned("split", FULL, 10, purse)
    assert isinstance(made, Refused) and made.why == why


def test_paper_never_merges_by_itself() -> None:
    purse = structs.replace(PURSE, venue="paper", is_scarce=True)
    assert Jobs().auto({M: FULL}, purse, micro(20), 0.0, UNIX) is None


def test_one_job_at_a_time_and_a_quota_holds_until_its_time() -> None:
    jobs = Jobs()
    first = jobs.start(plan_of("merge", FULL, 5), "operator", "asked for", UNIX)
    busy = planned("split", FULL, 5, jobs=jobs)
    assert isinstance(busy, Refused) and busy.why.startswith("job 1 (merge, planned) is under way")
    refused = JobSeen(job_id=first.job_id, state="refused", retry_s=90.0, detail="quota exceeded")
    assert jobs.take(refused, 0.0, UNIX) == ()
    spent = planned("merge", FULL, 5, jobs=jobs)
    assert isinstance(spent, Refused) and spent.until_unix == UNIX + 90.0
    assert spent.why == "the relayer's quota is used up until 14:14:50 UTC"
    later = jobs.plan("merge", M, micro(5), {M: FULL}, PURSE, UNIX + 90.0)
    assert isinstance(later, Plan) and jobs.start(later, "operator", "again", UNIX).job_id == 2


def test_what_a_job_takes_is_reserved_until_its_end_is_known() -> None:
    """An unknown outcome frees nothing; what comes late or twice changes nothing; effects come once."""
    jobs, one = Jobs(), stock(yes=micro(30), no=micro(25))
    job = jobs.start(plan_of("merge", one, 20), "operator", "asked for", UNIX)
    for state in ("sending", "sent", "unknown", "mined", "sent"):
        assert jobs.take(JobSeen(job_id=job.job_id, state=state), 0.0, UNIX) == ()
        assert (jobs.reserved(M, "YES"), jobs.free(one, "NO")) == (micro(20), micro(5))
        assert jobs.touches(M) and jobs.touches_cash and not jobs.touches("another")
    assert jobs.under_way is not None and jobs.under_way.state == "mined", "what comes late takes nothing back"
    done = JobSeen(job_id=job.job_id, state="confirmed", transaction="0x01")
    assert [effect.key for effect in jobs.take(done, 0.0, UNIX)] == ["job 1 0xmarket"]
    assert jobs.take(done, 0.0, UNIX) == jobs.take(JobSeen(job_id=1, state="failed"), 0.0, UNIX) == ()
    assert jobs.take(JobSeen(job_id=77, state="confirmed"), 0.0, UNIX) == (), "nobody knows that one"
    assert (jobs.reserved(M, "YES"), jobs.under_way, jobs.views()[0].state) == (0, None, "confirmed")
    split = jobs.plan("split", M, micro(400), {M: one}, PURSE, UNIX)
    assert isinstance(split, Plan)
    jobs.start(split, "operator", "asked for", UNIX)
    assert jobs.reserved_cash == micro(400)


def test_a_conversion_takes_what_brings_the_most_cash() -> None:
    """NO of the named outcome among them; prices that sum to a dollar whatever the fair values sum to."""
    family = event(12.0, 10.0, 3.0, fairs=(500_000, 330_000, 210_001))
    made = plan_of("convert", **{"one": family["m0"], **family})
    assert (made.size, made.cash, made.index_set) == (micro(10), micro(10), 0b011)
    assert [(leg.outcome, leg.change) for leg in made.legs] == [
        ("NO", -micro(10)), ("NO", -micro(10)), ("YES", micro(10)),
    ]  # fmt: skip
    assert sum(-leg.change * leg.price for leg in made.legs) == made.cash * MICRO
    asked = plan_of("convert", family["m2"], 3, **family)
    assert (asked.cash, asked.index_set) == (micro(6), 0b111) and all(leg.outcome == "NO" for leg in asked.legs)
    for market, size, why in (("m2", 4, "4 NO of this market are needed, 3 NO are free of 3"), ("m0", 11, "alone")):
        refused = planned("convert", family[market], size, **family)
        assert isinstance(refused, Refused) and why in refused.why
    gone = event(12.0, 10.0, 3.0, group_size=4)
    assert isinstance(planned("convert", gone["m0"], **gone), Refused), "an outcome is missing"
    decided = family | {"m2": structs.replace(family["m2"], payout=Usd(0))}
    assert isinstance(planned("convert", decided["m0"], **decided), Refused)


def test_pairs_are_merged_when_cash_is_scarce_or_the_market_idle() -> None:
    """The largest first, from the least on; not while something is under way, nor soon after it failed."""
    jobs = Jobs()
    stocks = {
        "a": stock("a", yes=micro(50), no=micro(21), is_idle=True),
        "b": stock("b", yes=micro(90), no=micro(40), selling_no=micro(5)),
        "c": stock("c", yes=micro(90), no=micro(19.99), is_idle=True),
        "d": stock("d", yes=micro(90), no=micro(90), is_idle=True, payout=Usd(0)),
    }

    def due(purse: Purse = PURSE, now: float = 0.0) -> tuple[str, Shares, str] | None:
        found = jobs.auto(stocks, purse, micro(20), now, UNIX)
        return None if found is None else (found[0].market, found[0].size, found[1])

    assert due() == ("a", micro(21), "the market is idle")
    assert due(structs.replace(PURSE, is_scarce=True)) == ("b", micro(35), "cash is scarce")
    found = jobs.auto(stocks, PURSE, micro(20), 0.0, UNIX)
    assert found is not None
    job = jobs.start(found[0], "auto", found[1], UNIX)
    assert due() is None
    jobs.take(JobSeen(job_id=job.job_id, state="failed"), 5.0, UNIX)
    assert due(now=5.0) is None and due(now=5.0 + AUTO_PAUSE_SEC) is not None


def test_jobs_of_an_earlier_session_go_on_under_their_numbers() -> None:
    jobs, one = Jobs(), stock(yes=micro(30), no=micro(25))
    known = KnownJob(
        job=plan_of("merge", one, 20).job(7, "auto", "idle", UNIX),
        state="sent",
        transaction_id="id",
        transaction="",
        baseline=None,
    )
    assert [job.job_id for job in jobs.recover([known], 9, ("0xAB",))] == [7]
    assert jobs.reserved(M, "NO") == micro(20) and isinstance(planned("merge", one, 1, jobs=jobs), Refused)
    assert len(jobs.take(JobSeen(job_id=7, state="confirmed"), 0.0, UNIX)) == 1
    assert jobs.start(plan_of("merge", one, 1), "operator", "", UNIX).job_id == 9


def books_after(stocks: dict[str, Stock], effects: tuple[Effect, ...]) -> tuple[int, dict[tuple[str, str], int]]:
    """What effects do to books: micro-dollars of cash and micro-shares of every token."""
    books = {market: Books() for market in (*stocks, "")}
    for effect in effects:
        books[effect.market].apply(effect.entry)
    assert all(each.check() == "" for each in books.values())
    held = {(market, o): getattr(each.average, o.lower()).shares for market, each in books.items() for o in OUTCOMES}
    return sum(each.average.cash for each in books.values()), held


CHAIR = tuple(number for number, plot in enumerate(PLOTS) if plot.event == PLOTS[-1].event)
"""The event whose outcomes are all listed."""
AMOUNTS = st.integers(0, 40 * MICRO)


@given(st.data())
def test_planned_effects_are_the_exchanges(data: st.DataObject) -> None:
    """Whatever is held, a preview, what is booked and what the exchange's ledger does are one, to the micro-dollar."""
    exchange = Exchange(seed=1, markets=CHAIR, now_ms=round(UNIX * 1000))
    listings = list(exchange.listings.values())
    account, ledger = "0x" + "a" * 40, exchange.ledger
    exchange.ledger.deposit(account, Usd(1_000 * MICRO))
    for listing in listings:
        exchange.split(account, listing.instrument.market, Shares(40 * MICRO))
        for outcome in OUTCOMES:
            given_up = data.draw(AMOUNTS)
            tokens, sink = ledger.account(account).tokens, ledger.account("0x" + "b" * 40).tokens
            key = (listing.instrument.market, outcome)
            tokens[key], sink[key] = tokens[key] - given_up, given_up
    kind: JobKind = data.draw(st.sampled_from(("split", "merge", "redeem", "convert")))
    result: Result = data.draw(st.sampled_from(("YES", "NO", "HALF")))
    market = listings[0].instrument.market
    if kind == "redeem":
        exchange.resolve(market, result)
    stocks = {
        each.instrument.market: Stock(
            market=each.instrument.market,
            yes_token=each.instrument.yes_token,
            no_token=each.instrument.no_token,
            yes=Shares(ledger.account(account).tokens[(each.instrument.market, "YES")]),
            no=Shares(ledger.account(account).tokens[(each.instrument.market, "NO")]),
            fair=data.draw(st.none() | st.integers(1_000, 999_000)),
            group=each.neg_risk_market_id,
            group_size=3,
            group_index=int(each.question_id[-2:], 16),
            payout=price_of(result, "YES") if kind == "redeem" and each is listings[0] else None,
        )
        for each in listings
    }
    size = data.draw(st.just(Shares(0)) | st.integers(1, 60 * MICRO))
    purse = structs.replace(PURSE, cash=Usd(ledger.account(account).cash))
    jobs = Jobs()
    plan = jobs.plan(kind, market, Shares(size), stocks, purse, UNIX)
    if isinstance(plan, Refused):
        return
    job = jobs.start(plan, "operator", "asked for", UNIX)
    before = structs.replace(ledger.account(account), tokens=dict(ledger.account(account).tokens))
    if kind == "split":
        exchange.split(account, market, job.size)
    elif kind == "merge":
        exchange.merge(account, market, job.size)
    elif kind == "redeem":
        exchange.redeem(account, market)
    else:
        exchange.convert(account, *exchange.sides(job.group, job.index_set), job.size)
    ledger.check()
    after = ledger.account(account)
    moved = {key: after.tokens.get(key, 0) - held for key, held in before.tokens.items()}
    legs = {(leg.market, leg.outcome): leg.change for leg in job.legs}
    assert after.cash - before.cash == job.cash and purse.cash + job.cash == plan.cash_left
    assert {key: change for key, change in moved.items() if change} == {k: c for k, c in legs.items() if c}
    effects = jobs.take(JobSeen(job_id=job.job_id, state="confirmed"), 0.0, UNIX)
    cash, held = books_after(stocks, effects)
    assert cash == job.cash * MICRO
    assert {key: shares for key, shares in held.items() if shares} == {k: c for k, c in legs.items() if c}
    assert len({effect.key for effect in effects}) == len(effects)


def test_what_a_redemption_paid_is_booked_whatever_was_planned() -> None:
    """A rounding micro-dollar goes to the token that pays; shares that are not ours come in as a flow."""
    one = stock(yes=micro(3), no=micro(2), foreign_yes=micro(4), payout=Usd(MICRO))
    jobs = Jobs()
    job = jobs.start(plan_of("redeem", one), "operator", "asked for", UNIX)
    effects = jobs.take(JobSeen(job_id=1, state="confirmed", amount=Usd(job.cash - 1)), 0.0, UNIX)
    assert [effect.entry for effect in effects] == [
        Redeem(outcome="YES", size=micro(3), amount=Usd(3 * MICRO - 1)),
        Redeem(outcome="NO", size=micro(2), amount=Usd(0)),
        Flow(amount=Usd(4 * MICRO)),
    ]
    jobs = Jobs()
    jobs.start(plan_of("redeem", stock(foreign_yes=micro(4), payout=Usd(MICRO))), "operator", "asked for", UNIX)
    (only,) = jobs.take(JobSeen(job_id=1, state="confirmed", amount=Usd(3_999_999)), 0.0, UNIX)
    assert (only.market, only.entry) == ("", Flow(amount=Usd(3_999_999)))


@pytest.mark.parametrize(("word", "effects"), [("confirmed", 1), ("failed", 0)])
def test_an_operator_ends_what_nothing_else_ever_will(word: str, effects: int) -> None:
    """By one of two words, once; it frees what was reserved and lets the next begin."""
    jobs = Jobs()
    jobs.start(plan_of("merge", FULL, 5), "operator", "asked for", UNIX)
    jobs.take(JobSeen(job_id=1, state="unknown"), 0.0, UNIX)
    for job_id, said, why in ((2, word, "job 2 is not under way"), (1, "", "not nothing"), (1, "done", "Not done")):
        refused = jobs.end(job_id, said, "anna", UNIX)
        assert isinstance(refused, Refused) and why.lower() in refused.why.lower()
    seen = jobs.end(1, word, "anna", UNIX)
    assert isinstance(seen, JobSeen) and seen.detail == "anna says so; it was unknown"
    assert len(jobs.take(seen, 0.0, UNIX)) == effects
    assert jobs.reserved(M, "YES") == 0 and isinstance(planned("merge", FULL, 5, jobs=jobs), Plan)
    assert isinstance(jobs.end(1, word, "anna", UNIX), Refused)


def test_what_may_still_end_by_itself_is_left_to_it_for_a_while() -> None:
    """A relayer may say STATE_NEW for ever; but not ten minutes after the start."""
    jobs = Jobs()
    jobs.start(plan_of("merge", FULL, 5), "operator", "asked for", UNIX)
    jobs.take(JobSeen(job_id=1, state="sent"), 0.0, UNIX)
    refused = jobs.end(1, "failed", "anna", UNIX + PATIENCE_SEC - 1)
    assert (
        isinstance(refused, Refused) and refused.why == "job 1 is sent: its end may still be seen, until 14:23:20 UTC"
    )
    assert isinstance(jobs.end(1, "failed", "anna", UNIX + PATIENCE_SEC), JobSeen)


KINDS: tuple[JobKind, ...] = ("split", "merge", "redeem", "convert")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 40 * MICRO)),
        st.tuples(st.sampled_from(STATES), st.integers(0, 4), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=200)
@given(STEPS, st.lists(st.integers(0, 40 * MICRO), min_size=12, max_size=12))
def test_reservations_never_exceed_what_is_held(steps: list[tuple[str, int, int]], held: list[int]) -> None:
    """After any plans and any news, late, doubled or of others: one under way, reserved within held, booked once."""
    family = event(1.0, 1.0, 1.0)
    for i, (market, one) in enumerate(family.items()):
        yes, no, selling_yes, selling_no = (Shares(each) for each in held[4 * i : 4 * i + 4])
        family[market] = structs.replace(one, yes=yes, no=no, selling_yes=selling_yes, selling_no=selling_no)
    family["m2"] = structs.replace(family["m2"], payout=Usd(500_000)) if held[0] % 2 else family["m2"]
    jobs, booked, started = Jobs(), set[str](), list[Job]()
    for what, number, size in steps:
        if what in KINDS:
            made = jobs.plan(what, f"m{number}", Shares(size), family, PURSE, UNIX)  # type: ignore[arg-type]
            if isinstance(made, Plan):
                started.append(jobs.start(made, "operator", "asked for", UNIX))
        else:
            seen = JobSeen(job_id=number, state=what)  # type: ignore[arg-type]
            for effect in jobs.take(seen, 0.0, UNIX):
                assert effect.key not in booked
                booked.add(effect.key)
        for one in family.values():
            for outcome in OUTCOMES:
                assert 0 <= jobs.reserved(one.market, outcome) <= one.held(outcome)
                assert 0 <= jobs.free(one, outcome) <= one.held(outcome)
        assert 0 <= jobs.reserved_cash <= PURSE.cash
        assert sum(view.state not in FINAL_STATES for view in jobs.views()) <= 1
    assert [job.job_id for job in started] == list(range(1, len(started) + 1))
    assert all(job.size >= LEAST or job.kind == "redeem" for job in started)
