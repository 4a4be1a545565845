"""Whoever may write the market list may not thereby risk more: its profile and its money only narrow."""

from dataclasses import asdict
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.config import Effective, Settings, Tables, with_changes
from core.desk import Desk
from core.errors import ConfigError
from core.orders.manager import OrderManager
from core.portfolio.position import Position
from core.profiles import BUILT_IN, LIMITS, QUOTE_KEYS, Listed, Live, MarketSettings, Profiles
from core.quoting.explain import explain
from core.quoting.plan import plan_quotes, side_dollars
from core.quoting.rules import BASE_SIZE_FRACTION, MAX_SIZE_FRACTION, NO_BOUNDS, Bounds, rules_of
from core.risk.gate import GateRules, gate_rules_of
from core.units import MICRO, SIDES, SIZE_QUANTUM, Shares, Usd
from tests.builders import MARKET, a_market, laws, shares, usd
from tests.core.quoting.arrange import inputs as plan_inputs

DOLLARS: Final = st.none() | st.floats(1, 400).map(lambda value: round(value, 2))
COUNTS: Final = st.integers(0, 30)
DRAWN: Final[dict[str, st.SearchStrategy[Any]]] = {
    "market_cap": st.floats(0.001, 0.5), "hard_cap_delta_pct": st.floats(0.02, 0.5),
    "soft_cap_delta_pct": st.floats(0.0, 0.01), "room_reserve_frac": st.floats(0.0, 0.5), "base_size_usd": DOLLARS,
    "max_size_usd": DOLLARS, "max_order_usd": DOLLARS, "order_layers": st.integers(1, 10),
    "layer_ratio": st.floats(0.1, 10.0), "reward_bump": st.booleans(), "caution_size_mult": st.floats(0.0, 1.0),
    "overdue_size_mult": st.floats(0.0, 1.0), "collar_ticks": st.integers(0, 1000), "collar_frac": st.floats(0.0, 1.0),
    "flatten_cost_frac": st.floats(0.0, 1.0), "repeat_fills": COUNTS, "repeat_sec": st.floats(1, 3600),
    "markout_stop_ticks": st.floats(0.0, 100.0), "markout_stop_fills": st.integers(1, 1000),
    "markout_cooloff_sec": st.floats(1, 86_400), "streak_fills": COUNTS, "streak_sec": st.floats(1, 3600),
    "streak_cooloff_sec": st.floats(1, 86_400), "reject_stop": COUNTS, "reject_sec": st.floats(1, 3600),
    "reject_cooloff_sec": st.floats(1, 86_400),
    "price_min": st.floats(0.0, 0.3), "price_max": st.floats(0.6, 1.0), "flatten_gap_ticks": st.integers(1, 1000),
    "fade_sec": st.floats(9_000.0, 1e6), "reduce_sec": st.floats(5_000.0, 8_000.0),
    "close_sec": st.floats(0.0, 5_000.0),
    "k_vol": st.floats(0.5, 9.0), "min_edge_ticks": st.floats(0.0, 9.0), "min_life_sec": st.floats(0.0, 60.0),
    "inv_gamma": st.floats(0.1, 3.0), "alpha_fair": st.floats(0.05, 0.9),
}  # fmt: skip
"""Every limit, and some of what a profile is for."""
TABLES: Final = st.fixed_dictionaries({}, optional=DRAWN)
BANKROLLS: Final = st.integers(100 * MICRO, 100_000 * MICRO).map(Usd)
MONEY: Final = st.none() | st.integers(1, 5_000 * MICRO).map(Usd)


def settled(values: dict[str, Any], table: dict[str, Any], profile: dict[str, Any]) -> Profiles:
    """Settings of all markets, a table of the market, and the profile ``p``; draws that do not fit are left out."""
    try:
        settings = with_changes(Settings(), values, "test")
        origins = {name: "test" if name in values else "default" for name in asdict(settings)}
        made = Profiles(Effective(settings, origins, Tables("FILE", {"p": profile}, {MARKET: table})))
        made.for_market(a_market(), listed="p")
    except ConfigError:
        assume(False)
    return made


def looser(name: str, after: Any, before: Any) -> bool:
    """A limit lets more happen than before; None of a size goes by the bankroll and is compared elsewhere."""
    if after == before or None in (after, before):
        return False
    match LIMITS[name]:
        case "less":
            return bool(after > before)
        case "more":
            return bool(after < before)
        case "less, 0 is never":
            return bool(after == 0 or (before != 0 and after > before))
    return True


def gate_of(made: MarketSettings, shared: Settings, most: Usd | None = None) -> GateRules:
    return gate_rules_of(made.settings, a_market(), shared, made.bounds._replace(market=most))


@given(TABLES, TABLES, TABLES, MONEY, BANKROLLS)
@laws(300)
def test_no_cap_and_no_size_is_larger_by_the_list_s_wish(
    values: dict[str, Any], table: dict[str, Any], profile: dict[str, Any], most: Usd | None, bankroll: Usd
) -> None:
    """Reliability.md 5, 26: of each limit the stricter value holds, and money of the list bounds all of them."""
    made = settled(values, table, profile)
    plain, wished = made.for_market(a_market()), made.for_market(a_market(), listed="p")
    loose = [n for n in LIMITS if looser(n, getattr(wished.settings, n), getattr(plain.settings, n))]
    assert loose == []
    held = wished.settings
    assert held.fade_sec > held.reduce_sec >= held.close_sec and held.price_min < held.price_max
    shared = made.effective.settings
    before, after = gate_of(plain, shared), gate_of(wished, shared, most)
    assert after.limits(bankroll).market <= before.limits(bankroll).market
    assert after.limits(bankroll)[1:] == before.limits(bankroll)[1:], "events and the account are nobody's to change"
    assert after.token_limit(bankroll) <= before.token_limit(bankroll)
    assert after.order_limit(bankroll) <= before.order_limit(bankroll)
    assert after.most_a_side <= before.most_a_side and after.most_open == before.most_open
    rules = [
        rules_of(plain.settings, a_market()),
        rules_of(wished.settings, a_market(), wished.bounds._replace(market=most)),
    ]
    seen = plan_inputs(equity=bankroll / MICRO)
    for side in SIDES:
        ours = [side_dollars(side, seen, one) for one in rules]
        assert all(new <= old for old, new in zip(*ours, strict=True)), side
    assert all(new <= old for old, new in zip(*(one.caps(bankroll) for one in rules), strict=True))
    assert rules[1].caps(bankroll)[0] < rules[1].caps(bankroll)[1]
    if most is not None:
        assert after.limits(bankroll).market <= most * MICRO and after.order_limit(bankroll) <= most
        assert rules[1].caps(bankroll)[1] * bankroll <= most * (1 + 1e-12)


@given(TABLES, TABLES, TABLES)
@laws(150)
def test_what_is_no_limit_is_as_the_list_s_profile_wants_it(
    values: dict[str, Any], table: dict[str, Any], profile: dict[str, Any]
) -> None:
    """Prices and timing are what a profile is for: there the list's stands where one that the operator names would."""
    made = settled(values, table, profile)
    wished, named = made.for_market(a_market(), listed="p"), made.for_market(a_market(), Live(profile="p"))
    for name in QUOTE_KEYS - set(LIMITS):
        assert getattr(wished.settings, name) == getattr(named.settings, name), name
        assert wished.origins[name] == named.origins[name].replace("named", "by the market list")


@given(MONEY.filter(bool), BANKROLLS, st.floats(0.02, 0.98), st.integers(0, 20_000 * MICRO), st.booleans())
@laws(300)
def test_a_plan_within_the_list_s_money_adds_no_more_than_it(
    most: Usd, bankroll: Usd, fair: float, held: int, is_yes: bool
) -> None:
    """What adds is worth no more than the money left; what reduces may still be all of the position."""
    tick = min(98, max(2, round(fair * 100)))
    seen = replace(
        plan_inputs(fair=fair, equity=bankroll / MICRO, best_bid=tick - 1, best_ask=tick + 1),
        yes=Shares(held if is_yes else 0), no=Shares(0 if is_yes else held), free_yes=Shares(held if is_yes else 0),
        free_no=Shares(0 if is_yes else held),
    )  # fmt: skip
    plan = plan_quotes(seen, rules_of(Settings(), a_market(), Bounds(market=most)))
    without = plan_quotes(seen, rules_of(Settings(), a_market()))
    for side, adds in (("bid", plan.bid.adds), ("ask", plan.ask.adds)):
        sizes = [target.size for target in plan.targets if target.side == side]
        loose = [target.size for target in without.targets if target.side == side]
        price = fair if side == "bid" else 1.0 - fair
        if adds:
            assert sum(sizes) * price <= most + 2 * MICRO * 0.01, (side, sizes)
        assert sum(sizes) <= max(sum(loose), held)


def test_a_market_that_lost_its_money_may_still_be_closed_in_one_go() -> None:
    """300 shares of YES are held, a dollar is allowed: asks close them, nothing is bid."""
    seen = replace(plan_inputs(), yes=shares(300), free_yes=shares(300))
    plan = plan_quotes(seen, rules_of(Settings(), a_market(), Bounds(market=usd(1))))
    assert plan.bid.layers == () and plan.caps is not None and plan.caps.state == "hard"
    assert sum(layer.size for layer in plan.ask.layers) >= shares(250)


def test_each_size_that_goes_by_the_bankroll_is_bounded_by_the_list_s_profile() -> None:
    """Unset, a size is a share of the bankroll: of that and the profile's dollars the lesser holds."""
    made = settled({}, {}, {"base_size_usd": 30.0, "max_size_usd": 90.0, "max_order_usd": 50.0})
    wished = made.for_market(a_market(), listed="p")
    assert wished.bounds == Bounds(None, 30.0, 90.0, 50.0)
    rules = rules_of(wished.settings, a_market(), wished.bounds)
    rich, poor = (plan_inputs(equity=cash) for cash in (50_000, 1_000))
    assert side_dollars("bid", rich, rules) == (30.0, 90.0, 50.0)
    assert side_dollars("bid", poor, rules) == (BASE_SIZE_FRACTION * 1_000, MAX_SIZE_FRACTION * 1_000, 30.0)
    gate = gate_of(wished, Settings())
    assert gate.order_limit(usd(50_000)) == usd(50) and gate.order_limit(usd(1_000)) == usd(30)
    assert made.for_market(a_market()).bounds == NO_BOUNDS


def test_an_order_is_bounded_by_the_profile_s_side_where_nobody_bounds_orders() -> None:
    made = settled({}, {}, {"max_size_usd": 90.0})
    assert gate_of(made.for_market(a_market(), listed="p"), Settings()).order_limit(usd(50_000)) == usd(90)


@pytest.mark.parametrize(
    ("table", "live", "profile"),
    [
        ({}, Live(), "coarse + p"),
        ({"profile": "sports"}, Live(), "coarse + sports"),
        ({}, Live(profile="politics"), "coarse + politics"),
        ({}, Live(profile="auto"), "coarse"),
    ],
)
def test_whatever_profile_the_operator_names_overrules_the_list_s(table: Any, live: Live, profile: str) -> None:
    made = settled({}, table, {"k_vol": 5.0})
    assert made.for_market(a_market(), live, "p").profile == profile


def test_operators_settings_of_a_market_overrule_the_list_s_profile() -> None:
    made = settled({"k_vol": 3.0}, {"inv_gamma": 2.0}, {"k_vol": 5.0, "inv_gamma": 9.0, "market_cap": 0.5})
    wished = made.for_market(a_market(), Live(changes=(("alpha_fair", "0.4"),)), "p")
    assert (wished.settings.k_vol, wished.settings.inv_gamma, wished.settings.alpha_fair) == (5.0, 2.0, 0.4)
    assert wished.settings.market_cap == Settings().market_cap and wished.origins["market_cap"] == "default"
    assert wished.origins["k_vol"] == "profile p, by the market list"


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_every_profile_of_the_program_can_be_named_and_loosens_nothing(name: str) -> None:
    """``short_dated`` has looser stops: named by the list it does not bring them."""
    made = settled({}, {}, {})
    plain, wished = made.for_market(a_market()), made.for_market(a_market(), listed=name)
    assert not any(looser(key, getattr(wished.settings, key), getattr(plain.settings, key)) for key in LIMITS)
    assert wished.settings.streak_fills == Settings().streak_fills


def test_no_profile_of_the_program_lets_a_list_cross_gaps_quote_the_ends_or_stop_later() -> None:
    """``fine`` on a grid of cents steps over 30 cents and quotes both ends; ``short_dated`` stops 2 minutes before."""
    made = settled({}, {}, {})
    usual, fine = Settings(), made.for_market(a_market(), listed="fine").settings
    assert (fine.flatten_gap_ticks, fine.price_min, fine.price_max) == (3, 0.01, 0.99)
    for name in ("short_dated", "sports"):
        late = made.for_market(a_market(), listed=name).settings
        assert (late.fade_sec, late.reduce_sec, late.close_sec) == (
            usual.fade_sec, usual.reduce_sec, usual.close_sec
        ), name  # fmt: skip
    early = settled({}, {}, {"fade_sec": 200_000.0, "close_sec": 7_200.0}).for_market(a_market(), listed="p").settings
    assert (early.fade_sec, early.reduce_sec, early.close_sec) == (200_000.0, 7_200.0, 7_200.0)
    on_fine = made.for_market(a_market("0.001"), listed="coarse").settings
    assert (on_fine.flatten_gap_ticks, on_fine.price_min) == (3, 0.01), "and the stricter one of the list holds"


def test_a_profile_that_leaves_no_price_that_is_quoted_without_it_is_refused() -> None:
    """Of both bounds the stricter one holds: between them there has to be something."""
    low = settled({"price_max": 0.3}, {}, {}).effective
    tables = Tables("FILE", {"high": {"price_min": 0.4, "price_max": 0.9}}, {})
    made = Profiles(Effective(low.settings, low.origins, tables))
    with pytest.raises(ConfigError, match="the market list: profile high and the settings share no price"):
        made.for_market(a_market(), listed="high")


def test_a_name_that_is_no_profile_is_refused_and_auto_is_no_wish() -> None:
    made = settled({}, {}, {})
    with pytest.raises(ConfigError, match="the market list: there is no profile 'nope'"):
        made.for_market(a_market(), listed="nope")
    assert made.for_market(a_market(), listed="auto") == made.for_market(a_market())


def test_every_size_and_cap_of_a_market_is_a_limit() -> None:
    """A new one has to be put among the limits; ``sigma_cap`` and the skew at the cap are of prices."""
    named = {name for name in QUOTE_KEYS if name.endswith(("_cap", "_usd", "_pct", "_size_mult", "_fills", "_layers"))}
    assert named - {"sigma_cap", "logit_skew_at_cap", "tox_prior_fills"} <= set(LIMITS) <= QUOTE_KEYS


def test_a_desk_without_profiles_is_bounded_by_the_list_s_money_all_the_same() -> None:
    desk = Desk(a_market(), Settings(), OrderManager(), Position(), own_in_book=False, listed=Listed(max_usd=usd(7)))
    assert desk.bounds == Bounds(market=usd(7)) and desk.rules.bounds is desk.bounds
    desk.heed_list(Listed(), 0.0)
    assert desk.rules.bounds == NO_BOUNDS


@given(st.integers(5 * MICRO, 900 * MICRO), st.integers(1, 5), st.sampled_from((0.0, 1.0, 1.7)), MONEY)
@laws(300)
def test_what_is_only_worked_off_leaves_nothing_that_no_order_can_sell(
    held: int, layers: int, factor: float, most: Usd | None
) -> None:
    """A market drains to nothing: neither the reserve of the room nor a split into layers leaves less than an order."""
    settings = Settings(order_layers=layers, layer_ratio=max(0.1, factor), room_reserve_frac=0.05)
    seen = replace(plan_inputs(equity=2_000.0), yes=Shares(held), free_yes=Shares(held), reduce_only=True)
    plan = plan_quotes(seen, rules_of(settings, a_market(), Bounds(market=most)))
    sizes = [target.size for target in plan.targets]
    left = held - sum(sizes)
    assert all(target.side == "ask" and target.size >= 5 * MICRO for target in plan.targets)
    assert 0 <= left < SIZE_QUANTUM or left >= 5 * MICRO
    for row in explain(plan, rules_of(settings, a_market(), Bounds(market=most))):
        assert row.size == sum(term.amount for term in row.size_terms) or not row.size_terms
