"""What the venue changes of a market that is made reaches what is quoted, estimated and previewed, and nothing else."""

from dataclasses import fields as settings_of
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.actions import Action, Cancel, Note
from core.config import Effective, Settings, Tables
from core.engine import Engine
from core.events import InstrumentAdded, InstrumentChanged, OperatorCommand
from core.market.fees import FeeSchedule
from core.orders.order import State
from core.profiles import Profiles
from tests.builders import DAY, MARKET, NO, NOON, YES, Driver, VenueBook, a_market, laws, notes, shares
from tests.core.test_desk_stance import EAGER, go_on, with_profiles
from tests.core.test_earnings import a_programme

WEEK: Final = NOON + 7.0 * DAY
FAR: Final[dict[str, Any]] = {"end_unix": WEEK, "start_unix": NOON - 30.0 * DAY}
GAME: Final = NOON + 5.0 * DAY
FEES: Final = FeeSchedule(40_000, rebate=250_000)


def quoting(held: float = 0.0, **facts: Any) -> Driver:
    """A market with those facts that quotes, with profiles behind the engine as a session has them."""
    return with_profiles(VenueBook(a_market(**(FAR | facts))), held=held)[0]


def told(driver: Driver, **facts: Any) -> list[Action]:
    """Catalogue and exchange say otherwise now."""
    return driver.send(InstrumentChanged(replace(driver.desk.instrument, **facts)))


def sides(driver: Driver) -> set[str]:
    go_on(driver, 3.0)
    return {order.side for order in driver.orders(State.LIVE, State.PARTIAL)}


# When it is quoted


def test_a_game_that_is_moved_forward_pulls_what_adds_in_the_same_step() -> None:
    """The fast ones know the whistle: no order that adds waits for a debounce or the next look of the list."""
    driver = quoting(held=200.0, game_start_unix=GAME)
    assert sides(driver) == {"bid", "ask"}
    soon = NOON + 600.0
    actions = told(driver, game_start_unix=soon)
    assert [action.severity for action in actions if isinstance(action, Note)] == ["warning"]
    assert (
        "the venue has changed it: start of the game Wed, 09 Oct 2024 12:00:00 GMT -> Fri, 04 Oct 2024 12:10:00 GMT"
        in notes(actions)
    )
    assert driver.engine.next_wake() <= driver.now
    pulled = {a.order_id for a in driver.pass_time(0.0) if isinstance(a, Cancel)}
    assert pulled >= {order.order_id for order in driver.orders() if order.side == "bid"}
    driver.answer_cancels()
    assert sides(driver) == {"ask"}, "what is held may still be sold"
    told(driver, game_start_unix=NOON + 60.0)
    driver.pass_time(0.0)
    driver.answer_cancels()
    assert sides(driver) == set() and driver.desk.blocked_by == "too near the game start"


def test_a_game_that_is_put_off_is_quoted_again() -> None:
    driver = quoting(game_start_unix=NOON - 60.0)
    assert sides(driver) == set()
    told(driver, game_start_unix=GAME)
    assert sides(driver) == {"bid", "ask"}


def test_a_game_whose_start_is_not_told_any_more_still_begins() -> None:
    driver = quoting(game_start_unix=NOON + 60.0)
    assert told(driver, game_start_unix=None) == []
    assert sides(driver) == set()


def test_an_end_that_comes_near_fades_the_market_and_owes_its_variance() -> None:
    driver = quoting()
    assert sides(driver) == {"bid", "ask"}
    before = driver.desk.sigma.sigma_h
    told(driver, end_unix=NOON + 3_600.0)
    assert sides(driver) == set() and driver.desk.posture.schedule.phase == "reduce_only"
    told(driver, end_unix=NOON + 8_000.0)
    go_on(driver, 2.0)
    assert driver.desk.posture.schedule.phase == "fade" and driver.desk.sigma.sigma_h > before


def test_the_profile_that_facts_suggest_follows_them_and_is_told() -> None:
    """As after a restart: a market is not quoted by what it was taken for once."""
    driver = quoting()
    assert driver.desk.profile == "coarse"
    assert "profile coarse -> coarse + sports" in notes(told(driver, game_start_unix=GAME))
    assert driver.desk.settings.order_layers == 2
    assert "profile" not in notes(told(driver, game_start_unix=GAME + 60.0)).replace("the venue", "")


def test_a_profile_that_somebody_named_stays() -> None:
    driver = quoting()
    driver.send(OperatorCommand(act="set", market=MARKET, who="jo", profile="politics"))
    told(driver, game_start_unix=GAME)
    assert driver.desk.profile == "coarse + politics"


def test_tags_bring_the_rows_of_the_calendar() -> None:
    row = {"at": NOON, "tail_sec": 3600, "action": "pull", "text": "vote", "applies_to": "nba"}
    driver = with_profiles(VenueBook(a_market(**FAR)), calendar=(row,))[0]
    assert sides(driver) == {"bid", "ask"}
    told(driver, tags=("nba",))
    driver.pass_time(0.0)
    driver.answer_cancels()
    assert sides(driver) == set() and "calendar" in driver.desk.blocked_by


# What it earns and costs


def test_a_fee_that_changes_is_in_the_next_preview_of_a_flattening_and_voids_the_last() -> None:
    driver = quoting(held=100.0, fees=FeeSchedule(0))

    def fee() -> tuple[int, str]:
        command = OperatorCommand(act="flatten", market=MARKET, who="jo", preview=True, passive_s=0.0)
        seen = driver.send(command)
        [word] = [action.confirm for action in seen if isinstance(action, Note) and action.confirm]
        [made] = driver.engine.flattening._offers[word].previews
        return made.fee, word

    before, word = fee()
    told(driver, fees=FEES)
    refused = driver.send(OperatorCommand(act="flatten", market=MARKET, who="jo", confirm=word, passive_s=0.0))
    assert "the fees of the market have changed; ask for a new preview" in notes(refused)
    assert before == 0 < fee()[0]


def test_a_programme_that_changes_is_what_is_estimated_and_scored_by() -> None:
    driver = Driver(a_programme()).quoting()
    driver.pass_time(10.0)
    earnings, desk = driver.engine.earnings, driver.desk
    first = earnings.estimate(desk, driver.now)
    assert "reward pool $40 a day -> $80 a day" in notes(told(driver, reward_daily_usd=80.0))
    twice = earnings.estimate(desk, driver.now)
    assert first is not None and twice is not None and first.usd_per_day
    assert twice.usd_per_day == pytest.approx(2 * first.usd_per_day)
    told(driver, reward_min_size=shares(100_000))
    none = earnings.estimate(desk, driver.now)
    assert none is not None and not any(order.points for order in none.orders)
    told(driver, reward_min_size=None, reward_max_spread_cents=None)
    assert earnings.estimate(desk, driver.now) is None


def test_the_least_size_of_a_programme_is_what_sizes_and_the_microprice_go_by() -> None:
    driver = quoting()
    assert (driver.desk.watch.cutoff, driver.desk.rules.reward_min) == (shares(5), None)
    told(driver, reward_min_size=shares(300), reward_max_spread_cents=4.5)
    assert (driver.desk.watch.cutoff, driver.desk.rules.reward_min) == (shares(300), shares(300))


def test_rebates_of_later_fills_go_by_the_fees_of_now() -> None:
    driver = quoting(fees=FeeSchedule(0))
    go_on(driver, 2.0)
    order = driver.orders(State.LIVE)[0]
    driver.fill(order, 5)
    assert driver.engine.earnings.rebates.get(MARKET, 0.0) == 0.0
    told(driver, fees=FEES)
    driver.fill(order, 5)
    assert driver.engine.earnings.rebates[MARKET] > 0.0


# Its event


def test_an_event_that_grew_promises_no_dollar_any_more() -> None:
    """Bought whole it was worth a dollar; with a third outcome the same holdings may lose all they cost."""
    books = [
        VenueBook(a_market(market=f"0x{n}", yes=f"{n}1", no=f"{n}2", group="g", group_size=2, neg_risk=True), mid)
        for n, mid in enumerate((46, 50))
    ]
    driver = Driver(*books, order_layers=1).quoting()
    desks, exposures = driver.engine.desks, driver.engine.gatekeeper.exposures
    for name in desks:
        bid = next(order for order in driver.orders(State.LIVE, market=name) if order.side == "bid")
        driver.fill(bid, settlement="confirmed")
    before, risk = exposures.group_worst("g"), driver.engine.groups.risk(desks["0x0"])
    assert risk is not None
    driver.pass_time(2.0)
    driver.send(InstrumentChanged(replace(desks["0x1"].instrument, group_size=3)))
    assert exposures.group_worst("g") > before, "the other one is told nothing: what was told last knows most"
    grown = driver.engine.groups.risk(desks["0x0"])
    assert grown is not None and grown != risk
    assert all(desk.is_due for desk in desks.values()), "both decide again"


# Nothing else


def test_nothing_but_facts_is_taken_and_nothing_that_was_seen_is_lost() -> None:
    driver = quoting(held=100.0, game_start_unix=GAME)
    desk = driver.desk
    go_on(driver, 5.0)
    kept = desk.tracked, desk.tracked.book, desk.watch.variance, desk.stance.regime, desk.position, desk.tape
    fair, state = desk.watch.fair.value_at(driver.now), desk.tracked.state
    orders = [(order.order_id, order.state) for order in driver.orders()]
    books = driver.engine.books.cash, desk.inventory
    told(driver, tick_text="0.001", min_size=shares(50), min_size_text="50", end_unix=WEEK + DAY)
    assert desk.instrument == replace(driver.books[0].instrument, end_unix=WEEK + DAY)
    now = desk.tracked, desk.tracked.book, desk.watch.variance, desk.stance.regime, desk.position, desk.tape
    assert all(one is other for one, other in zip(kept, now, strict=True))
    assert (desk.watch.fair.value_at(driver.now), desk.tracked.state) == (fair, state)
    assert [(order.order_id, order.state) for order in driver.orders()] == orders
    assert (driver.engine.books.cash, desk.inventory) == books
    gaps = desk.tracked.gaps
    driver.send(driver.books[0].set("bid", 40, 77))
    go_on(driver, 3.0)
    assert desk.tracked.gaps == gaps and desk.tracked.synced, "its hash still fits"
    assert {order.order_id for order in driver.orders()} == {order_id for order_id, _ in orders}, "a day more or less"


@pytest.mark.parametrize(
    "over",
    [{"yes_token": NO, "no_token": YES}, {"no_token": "9"}, {"neg_risk": True}, {"group": "h"}],
)
def test_another_identity_is_an_alarm_and_changes_nothing(over: dict[str, Any]) -> None:
    driver = quoting(group="g")
    known = driver.desk.instrument
    actions = told(driver, game_start_unix=NOON, **over)
    assert [action.severity for action in actions if isinstance(action, Note)] == ["alarm"]
    assert "the venue calls it another market, which is not believed" in notes(actions)
    assert driver.desk.instrument is known and sides(driver) == {"bid", "ask"}


def test_what_changes_nothing_says_nothing_and_wakes_nobody() -> None:
    driver = quoting(fees=FEES)
    known, wake = driver.desk.instrument, driver.engine.next_wake()
    assert told(driver) == [] and told(driver, fees=None, end_unix=None) == []
    assert driver.desk.instrument is known and driver.engine.next_wake() == wake
    assert driver.send(InstrumentChanged(a_market(market="0x" + "cd" * 32, end_unix=NOON))) == []


# Whatever is told, it is made as if it had been added so

TIMES: Final = st.none() | st.floats(NOON - 40.0 * DAY, NOON + 400.0 * DAY) | st.sampled_from((NOON, 0.0, -1e12, 1e12))
FACTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "game_start_unix": TIMES,
        "end_unix": TIMES,
        "start_unix": TIMES,
        "fees": st.sampled_from((None, FEES, FeeSchedule(0), FeeSchedule(10**6, 3.0, 10**6))),
        "reward_min_size": st.sampled_from((None, shares(1), shares(50), shares(1e6))),
        "reward_max_spread_cents": st.sampled_from((None, 0.1, 4.5, 99.0)),
        "reward_daily_usd": st.sampled_from((None, 0.0, 50.0, 1e6)),
        "tags": st.sampled_from(((), ("sports",), ("politics", "x"), ("\x00",))),
        "group_size": st.integers(0, 4),
    },
)


def profiled(driver: Driver, changes: tuple[tuple[str, str], ...]) -> Driver:
    settings = Settings(**EAGER)
    origins = {item.name: "flag" if item.name in EAGER else "default" for item in settings_of(Settings)}
    driver.engine = Engine(
        settings, own_in_book=False, profiles=Profiles(Effective(settings, origins, Tables("settings.toml")))
    )
    driver.send(InstrumentAdded(driver.books[0].instrument))
    driver.quoting()
    if changes:
        driver.send(OperatorCommand(act="set", market=MARKET, who="jo", changes=changes))
    return driver


LIVE: Final = st.lists(
    st.sampled_from((("fade_sec", "90000"), ("reduce_sec", "8000"), ("price_max", "0.9"), ("order_layers", "5"))),
    unique=True,
).map(lambda changes: tuple(sorted(changes)))


@laws(60)
@given(told_facts=st.lists(FACTS, min_size=1, max_size=4), live=LIVE)
def test_a_market_whose_facts_changed_is_made_like_one_that_was_added_with_them(
    told_facts: list[dict[str, Any]], live: tuple[tuple[str, str], ...]
) -> None:
    """Rules, settings, schedule and what signals go by are those of a fresh start; whatever is told, nothing raises."""
    driver = Driver()
    driver.books = (VenueBook(a_market(**FAR)),)
    profiled(driver, live)
    for facts in told_facts:
        told(driver, **facts)
        go_on(driver, 1.0)
    fresh = Driver()
    book = VenueBook(driver.desk.instrument)
    fresh.books = (book,)
    profiled(fresh, live)
    fresh.pass_time(driver.now - fresh.now)
    one, other = driver.desk, fresh.desk
    assert (one.settings, one.profile, one._rules, one.bounds) == (
        other.settings, other.profile, other._rules, other.bounds,
    )  # fmt: skip
    for name in ("_settings", "_end_unix", "_depths", "cutoff", "_micro_rules"):
        assert getattr(one.watch, name) == getattr(other.watch, name)
    schedules = [desk.stance.at(driver.now, driver.unix).schedule for desk in (one, other)]
    assert len({(schedule.phase, schedule.of) for schedule in schedules}) == 1
    assert driver.engine.gatekeeper.rules(one) == fresh.engine.gatekeeper.rules(other)


def test_an_instrument_is_the_same_object_until_something_differs() -> None:
    """The journal writes a market's row again when it is another object, and not at every look."""
    driver = quoting()
    known = driver.desk.instrument
    told(driver, tick_text="0.001")
    assert driver.desk.instrument is known
    told(driver, end_unix=WEEK + 1.0)
    assert driver.desk.instrument is not known
