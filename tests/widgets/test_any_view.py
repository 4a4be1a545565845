"""Whatever a session may send can be drawn: no exception, no line too wide, no line too many."""

from typing import get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.geometry import Size

from core.units import Shares, Ticks, Usd
from core.views import (
    AccountView,
    AdjustmentView,
    AlarmPriority,
    AlarmView,
    BookState,
    BudgetView,
    CapScope,
    CapView,
    ControlState,
    ControlView,
    DataView,
    DenialView,
    Effect,
    EventView,
    FeedView,
    FillView,
    FindingView,
    FlattenView,
    ForeignOrderView,
    Freshness,
    GroupView,
    HeartbeatView,
    IncomeView,
    InventoryView,
    JobView,
    KillReportView,
    KillView,
    LayerView,
    LevelView,
    ListedMarketView,
    ListStanding,
    ListView,
    MarketView,
    MarkoutView,
    OrderView,
    PnlView,
    ProposalLineView,
    ProposalView,
    ProtectionView,
    RegimeView,
    RejectedRowView,
    RewardView,
    RuleView,
    Severity,
    SplitView,
    TradeView,
    VenueMode,
    VenueView,
)
from polymm_tui.screens.listing import LIST_ANSWERS, list_question
from tests.widgets.view_builders import NOON, a_market, a_view
from widgets.account import account_rows
from widgets.data_health import health_rows
from widgets.events import event_rows
from widgets.fills import fill_rows, fill_words, summary
from widgets.findings import finding_rows
from widgets.inventory import account_row, inventory_rows
from widgets.ladder_axis import centre_of, clamp_top, price_lines
from widgets.ladder_rows import ladder_rows
from widgets.market_list import list_page
from widgets.market_rows import table_rows
from widgets.orders import order_rows
from widgets.pnl import pnl_rows
from widgets.quote import quote_rows
from widgets.results import result_rows
from widgets.risk import risk_rows
from widgets.status_strip import status_rows
from widgets.tape import tape_rows
from widgets.why import why_rows

GRIDS = st.sampled_from([("0.1", 10, 1), ("0.01", 100, 2), ("0.005", 200, 3), ("0.0025", 400, 4), ("0.001", 1000, 3)])
MONEY = st.integers(-(10**14), 10**14).map(Usd)
SIZES = st.integers(0, 10**13).map(Shares)
SIGNED = st.integers(-(10**13), 10**13).map(Shares)
AGES = st.none() | st.floats(0, 1e9)
PRICES = st.none() | st.floats(0.0, 1.0)
WORDS = st.text(max_size=60)
STATES = st.sampled_from(["INTENT", "SENDING", "LIVE", "PARTIAL", "DELAYED", "UNKNOWN", "CANCEL_SENT", "SOMETHING NEW"])
PNL = st.builds(PnlView, MONEY, MONEY, MONEY, st.integers(0, 10**7), SIZES, SIZES, MONEY, MONEY)
INVENTORY = st.builds(
    InventoryView, SIGNED, SIGNED, SIZES, SIGNED, PRICES, st.integers(0, 10**12), st.integers(0, 10**12),
    st.integers(0, 10**12), SIZES, st.floats(0, 1e9), PRICES, PRICES, SIGNED, SIGNED, SIZES, SIZES, st.none() | MONEY,
    MONEY, st.none() | MONEY, st.none() | st.integers(0, 10**6).map(Usd), SIZES, SIZES, SIZES,
)  # fmt: skip
COUNTS = st.integers(0, 10**12)
DATA = st.builds(
    DataView, st.sampled_from(get_args(BookState)), WORDS, WORDS, st.floats(0, 1e9), AGES, WORDS,
    st.sampled_from(get_args(Freshness)), WORDS, AGES, AGES, AGES, st.integers(0, 10**6), *[COUNTS] * 9, AGES,
)  # fmt: skip
FACTORS = st.floats(0, 1e3)
ADJUSTMENTS = st.builds(
    AdjustmentView, st.sampled_from(["widen", "shift", "one_side", "size"]), st.floats(-99, 99),
    st.sampled_from(["both", "bid", "ask"]), AGES, AGES, WORDS,
)  # fmt: skip
REGIMES = st.builds(
    RegimeView, WORDS, WORDS, AGES, FACTORS, FACTORS, WORDS, st.none() | st.floats(-1e9, 1e9), WORDS, FACTORS, WORDS,
    WORDS, WORDS, AGES, WORDS,
)  # fmt: skip
MARKOUTS = st.builds(
    MarkoutView, st.sampled_from(["bid", "ask", "all"]), st.none() | st.integers(0, 12),
    st.sampled_from([1.0, 5.0, 30.0, 300.0]), st.integers(0, 10**9), SIZES, st.none() | st.floats(-1, 1),
    st.none() | st.floats(0, 1), st.integers(0, 10**6),
)  # fmt: skip
REWARDS = st.none() | st.builds(
    RewardView, st.floats(0, 1e9), st.floats(0, 1), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e6),
    st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), WORDS,
)  # fmt: skip
TERMS = st.lists(st.tuples(WORDS, st.integers(-(10**13), 10**13)), max_size=4, unique_by=lambda term: term[0]).map(
    tuple
)
LAYERS = st.builds(
    LayerView, st.sampled_from(["bid", "ask"]), st.integers(0, 12), st.none() | st.integers(1, 9).map(Ticks), SIZES,
    TERMS, TERMS, WORDS, WORDS,
)  # fmt: skip


@st.composite
def market_views(draw):
    tick_text, grid_k, decimals = draw(GRIDS)
    ticks = st.integers(1, grid_k - 1).map(Ticks)

    def side(best_first):
        prices = sorted(draw(st.sets(ticks, max_size=8)), reverse=best_first)
        return tuple(LevelView(price, draw(SIZES)) for price in prices)

    orders = st.builds(
        OrderView, st.just("0x1"), st.sampled_from(["bid", "ask"]), ticks, SIZES, SIZES, st.integers(0, 12),
        st.booleans(), STATES, st.floats(0, 1e6), st.none() | SIZES, WORDS, st.none() | st.booleans(), AGES, WORDS,
    )  # fmt: skip
    return MarketView(
        market=draw(st.sampled_from(["0x1", "0x2", "0x3"])),
        title=draw(WORDS),
        tick_text=tick_text,
        grid_k=grid_k,
        decimals=decimals,
        control=draw(st.sampled_from(get_args(ControlState))),
        data=draw(DATA),
        quoting=draw(st.booleans()),
        blocked_by=draw(WORDS),
        widen_ticks=draw(st.floats(-99, 99)),
        flattening=draw(st.booleans()),
        bids=side(True),
        asks=side(False),
        orders=tuple(draw(st.lists(orders, max_size=5))),
        fair=draw(PRICES),
        reservation=draw(st.none() | st.floats(-0.5, 1.5)),
        half_spread=draw(PRICES),
        sigma_h=draw(PRICES),
        last_price=draw(st.none() | ticks),
        last_size=draw(st.none() | SIZES),
        last_buy=draw(st.none() | st.booleans()),
        inventory=draw(INVENTORY),
        pnl=draw(PNL),
        closed=draw(WORDS),
    )


EVENTS = st.lists(
    st.builds(
        EventView, st.integers(0, 10**9), st.just(NOON), st.sampled_from(get_args(Severity)), st.just("0x1"), WORDS
    ),
    max_size=6,
)
FEEDS = st.tuples(
    st.builds(
        FeedView, st.just("market"), st.booleans(), st.integers(0, 99), st.integers(0, 99), AGES, st.integers(0, 999),
        WORDS,
    ),
    st.builds(FeedView, st.just("user"), st.booleans(), st.just(1), st.just(1), AGES, st.integers(0, 999), WORDS),
)  # fmt: skip
TOKENS = st.integers(-(10**7), 10**7)
BUDGETS = st.builds(BudgetView, WORDS, TOKENS, TOKENS, TOKENS, TOKENS, COUNTS, COUNTS)
VENUES = st.builds(
    VenueView, st.sampled_from(get_args(VenueMode)), st.floats(0, 1e9), WORDS,
    st.none() | st.builds(HeartbeatView, AGES, WORDS), WORDS, st.none() | BUDGETS,
)  # fmt: skip
FINDINGS = st.lists(
    st.builds(
        FindingView, st.floats(0, 2e9), WORDS, st.sampled_from(get_args(Severity)), st.sampled_from(get_args(Effect)),
        st.sampled_from(["0x1", "0x9", ""]), WORDS, WORDS, WORDS, WORDS,
    ),
    max_size=4,
).map(tuple)  # fmt: skip
FOREIGN = st.lists(
    st.builds(ForeignOrderView, WORDS, st.sampled_from(["0x1", "0x9"]), WORDS, WORDS, WORDS, SIZES, SIZES), max_size=3
).map(tuple)
ACCOUNTS = st.tuples(VENUES, WORDS, FINDINGS, FOREIGN, COUNTS)
JOBS = st.lists(
    st.builds(
        JobView, COUNTS, WORDS, st.sampled_from(["0x1", "0x9"]), SIZES,
        st.sampled_from(["planned", "mined", "confirmed", "failed", "unknown", "SOMETHING NEW"]), st.floats(0, 1e9),
        WORDS, WORDS, MONEY, WORDS, WORDS,
    ),
    max_size=3,
).map(tuple)  # fmt: skip
SPLITS = st.none() | st.builds(SplitView, MONEY, MONEY, MONEY, MONEY, MONEY)
OWNED = st.builds(
    AccountView, MONEY, MONEY, MONEY, MONEY, MONEY, MONEY, SIZES, JOBS, WORDS, WORDS,
    st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=2).map(tuple),
)  # fmt: skip
RATES = st.tuples(st.floats(0, 1e9), st.integers(1, 10**9))


@given(market_views(), market_views(), EVENTS, FEEDS, PNL, RATES, st.integers(66, 200), st.integers(4, 60))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_view_can_be_drawn(one, two, events, feeds, pnl, rates, width, height):
    view = msgspec.structs.replace(
        a_view(), markets=(one, two), events=tuple(events), feeds=feeds, pnl=pnl, messages_per_s=rates[0],
        hash_every=rates[1],
    )  # fmt: skip
    top = clamp_top(centre_of(one) or 1, one.grid_k, price_lines(height))
    drawn = {
        "strip": status_rows(view, width)[:height],
        "table": table_rows(view.markets, one.market, 0, width, height),
        "ladder": ladder_rows(one, top, width, height),
        "inventory": inventory_rows(one, width, height),
        "pnl": pnl_rows(view, one, width, height),
        "quote": quote_rows(one, width, height),
        "health": health_rows(one, width, height),
        "narrow health": health_rows(one, 30, height),
        "orders": order_rows(view.markets, two.market, 0, width, height),
        "events": event_rows(view.events, {"0x1": one.title}, 0, width, height),
        "line": [account_row(view, one, width)],
    }
    for name, rows in drawn.items():
        assert len(rows) <= height, name
        for row in rows:
            assert cell_len(row.text) <= width, (name, row.text)
            assert row.text.isprintable(), (name, row.text)


REASONS = st.fixed_dictionaries(
    {
        "detailed": st.booleans(),
        "bid_reason": WORDS,
        "ask_reason": WORDS,
        "layers": st.lists(LAYERS, max_size=4).map(tuple),
        "adjustments": st.lists(ADJUSTMENTS, max_size=2).map(tuple),
        "regime": REGIMES,
        "markouts": st.lists(MARKOUTS, max_size=4).map(tuple),
        "rewards": REWARDS,
        "rebates_usd": st.floats(-1e6, 1e6),
        "group": st.none() | st.builds(GroupView, WORDS, st.none() | st.floats(0, 60), MONEY),
        "cancels_per_1000": AGES,
        "profile": WORDS,
    }
)


@given(REASONS, GRIDS, st.integers(66, 200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_reasons_and_results_can_be_drawn(reasons, grid, width):
    market = msgspec.structs.replace(a_market(tick_text=grid[0], grid_k=grid[1], decimals=grid[2]), **reasons)
    for name, rows in (
        ("why", why_rows(market, width)),
        ("results", result_rows(market, market.cancels_per_1000, width)),
        ("quote", quote_rows(market, width, 60)),
    ):
        for row in rows:
            assert cell_len(row.text) <= width, (name, row.text)
            assert row.text.isprintable(), (name, row.text)


@given(ACCOUNTS, WORDS, SIZES, st.integers(66, 200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_account_can_be_drawn(account, closed, foreign_shares, width):
    """What the venue says of itself and of our account is foreign text too, and its numbers are its own."""
    venue, recovering, findings, foreign, trades = account
    held = msgspec.structs.replace(a_market().inventory, foreign_yes=foreign_shares)
    view = a_view(
        venue=venue, recovering=recovering, findings=findings, foreign_orders=foreign, foreign_trades=trades,
        markets=(a_market(market="0x1", closed=closed, inventory=held),),
    )  # fmt: skip
    for name, rows in (
        ("findings", finding_rows(view, width)),
        ("narrow findings", finding_rows(view, 66)),
        ("strip", status_rows(view, width)),
        ("inventory", inventory_rows(view.markets[0], 36, 9)),
    ):
        for row in rows:
            assert cell_len(row.text) <= {"narrow findings": 66, "inventory": 36}.get(name, width), (name, row.text)
            assert row.text.isprintable(), (name, row.text)


@given(st.lists(market_views(), max_size=3).map(tuple), OWNED, SPLITS, PNL, MONEY, st.integers(68, 200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_anything_owned_can_be_drawn(markets, owned, split, pnl, cash, width):
    """Amounts far beyond any account stay in their columns, and no word of a relayer leaves its line."""
    view = a_view(markets=markets, account=owned, split=split, pnl=pnl, cash=cash)
    market = msgspec.structs.replace(markets[0], split=split, detailed=True) if markets else None
    for name, rows in (
        ("account", account_rows(view, market, width)),
        ("narrow account", account_rows(view, market, 68)),
        ("strip", status_rows(view, width)),
    ):
        for row in rows:
            assert cell_len(row.text) <= (68 if name.startswith("narrow") else width), (name, row.text)
            assert row.text.isprintable(), (name, row.text)


CONTROLS = st.lists(
    st.builds(
        ControlView, st.sampled_from(get_args(ControlState)), WORDS, st.sampled_from(["0x1", "0x9", ""]),
        st.sampled_from(["bid", "ask", ""]), WORDS, WORDS, st.floats(0, 2e9), AGES,
    ),
    max_size=4,
).map(tuple)  # fmt: skip
CAPS = st.lists(
    st.builds(CapView, st.sampled_from(get_args(CapScope)), WORDS, st.sampled_from(["0x1", "0x9", ""]), MONEY, MONEY),
    max_size=4,
).map(tuple)
PROTECTIONS = st.lists(
    st.builds(ProtectionView, WORDS, st.booleans(), WORDS, WORDS, COUNTS, st.booleans(), AGES), max_size=3
).map(tuple)
DENIALS = st.lists(st.builds(DenialView, WORDS, COUNTS, WORDS, WORDS, st.floats(0, 1e9)), max_size=3).map(tuple)
REPORTS = st.builds(KillReportView, COUNTS, COUNTS, st.none() | COUNTS, COUNTS, st.booleans(), WORDS, WORDS, AGES)
KILLS = st.builds(
    KillView, st.booleans(), WORDS, WORDS, st.none() | st.floats(0, 2e9), st.none() | REPORTS, st.booleans(),
    st.booleans(), AGES, WORDS,
)  # fmt: skip
FLATTENINGS = st.none() | st.builds(
    FlattenView, st.sampled_from(["merge", "passive", "cross", "stopping"]), WORDS, SIZES, SIZES, MONEY, MONEY, AGES,
    WORDS,
)  # fmt: skip
SAFETY = st.tuples(CONTROLS, CAPS, PROTECTIONS, DENIALS, KILLS, st.none() | st.floats(-1e9, 1e9), st.floats(0, 1e9))


@given(SAFETY, FLATTENINGS, st.sampled_from(get_args(ControlState)), st.integers(66, 200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_risk_can_be_drawn(safety, flattening, control, width):
    """Reasons, authors and what a venue says to a kill are foreign text, and no count is too large."""
    controls, caps, protections, denials, kill, skew_s, stalled_s = safety
    market = a_market(market="0x1", flattening=flattening is not None, flatten=flattening)
    view = a_view(
        control=control, controls=controls, caps=caps, protections=protections, denials=denials, kill=kill,
        clock_skew_s=skew_s, journal_stalled_s=stalled_s, markets=(market,),
    )  # fmt: skip
    for name, rows in (
        ("risk", risk_rows(view, market, width)),
        ("findings", finding_rows(view, width)),
        ("strip", status_rows(view, width)),
        ("silent strip", status_rows(view, width, 9.0)),
        ("table", table_rows(view.markets, "0x1", 0, width, 9)),
    ):
        for row in rows:
            assert cell_len(row.text) <= width, (name, row.text)
            assert row.text.isprintable(), (name, row.text)


RULES = st.lists(st.builds(RuleView, WORDS, st.booleans(), WORDS, WORDS), max_size=3).map(tuple)
ANY_FLOAT = st.none() | st.floats()
INCOMES = st.none() | st.builds(
    IncomeView, *[st.floats()] * 6, ANY_FLOAT, st.lists(WORDS, max_size=2).map(tuple),
)  # fmt: skip
LISTED = st.builds(
    ListedMarketView, st.sampled_from(["0x1", "0x9", ""]), WORDS, st.integers(0, 10**9),
    st.sampled_from(get_args(ListStanding)), WORDS, RULES, WORDS, ANY_FLOAT, ANY_FLOAT, ANY_FLOAT, INCOMES,
    st.lists(WORDS, max_size=3).map(tuple), WORDS, WORDS, st.none() | MONEY,
)  # fmt: skip
PROPOSALS = st.none() | st.builds(
    ProposalView, WORDS, st.floats(), WORDS,
    st.lists(
        st.builds(ProposalLineView, st.sampled_from(["add", "remove", "change"]), WORDS, WORDS, WORDS), max_size=3
    ).map(tuple),
)  # fmt: skip
LISTINGS = st.none() | st.builds(
    ListView, WORDS, WORDS, ANY_FLOAT, ANY_FLOAT, st.lists(LISTED, max_size=4).map(tuple),
    st.lists(st.builds(RejectedRowView, st.integers(0, 10**12), WORDS, WORDS, WORDS), max_size=3).map(tuple),
    st.lists(WORDS, max_size=9).map(tuple), PROPOSALS,
)  # fmt: skip


@given(LISTINGS, st.sampled_from(["0x1", "0x9", ""]), st.booleans(), st.integers(66, 200), st.integers(16, 60))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_market_list_can_be_drawn(listing, selected, unfolds, width, height):
    """Titles, notes, cells and what Google says are foreign text; times and figures come from a file on the disk."""
    view = a_view(market_list=listing)
    page = list_page(view, selected, width, "A: approve", unfolds)
    proposal = listing.proposal if listing else None
    asked = [
        line
        for act in LIST_ANSWERS
        if proposal is not None
        for line in list_question(act, proposal, view.unix, Size(width, height)).sentences
    ]
    for row in (*page.rows, *status_rows(view, width)):
        assert cell_len(row.text) <= width, row.text
        assert row.text.isprintable(), row.text
    assert all(line.isprintable() and cell_len(line) <= width - 6 for line in asked)


ALARMS = st.lists(
    st.builds(
        AlarmView, WORDS, WORDS, st.sampled_from(get_args(AlarmPriority)), st.sampled_from(["0x1", "0x9", ""]), WORDS,
        WORDS, WORDS, WORDS, st.floats(0, 2e9), COUNTS, st.booleans(), st.booleans(), WORDS, AGES, WORDS,
        st.sampled_from(["", "a cause"]),
    ),
    max_size=5,
).map(tuple)  # fmt: skip
WORTH = st.none() | st.floats(-1, 1)
TRADES = st.lists(
    st.builds(TradeView, st.integers(0, 10**9), st.floats(0, 1e9), st.integers(1, 9).map(Ticks), SIZES, st.booleans()),
    max_size=9,
).map(tuple)


@st.composite
def fill_views(draw):
    _, grid_k, decimals = draw(GRIDS)
    return draw(
        st.builds(
            FillView, st.integers(0, 10**9), st.floats(0, 2e9), st.just("0x1"), WORDS, st.sampled_from(["bid", "ask"]),
            st.integers(1, grid_k - 1).map(Ticks), st.just(grid_k), st.just(decimals), SIZES,
            st.none() | st.integers(0, 12), st.booleans(), st.booleans(),
            st.sampled_from(["MATCHED", "CONFIRMED", "FAILED", "SOMETHING NEW"]), MONEY,
            st.lists(WORTH, max_size=6).map(tuple),
        )
    )  # fmt: skip


TRADED = st.tuples(st.lists(fill_views(), max_size=5).map(tuple), TRADES, st.none() | MONEY)


@given(ALARMS, TRADED, CAPS, st.floats(0, 2e9), st.integers(40, 200), st.integers(1, 20))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_alarms_fills_and_trades_can_be_drawn(alarms, traded, caps, unix, width, height):
    """Markets' titles, unheard of states, amounts beyond any account and times beyond any session."""
    fills, trades, day = traded
    market = a_market(market="0x1", detailed=True, tape=trades, day=day)
    account = AccountView(day_realised=day, day_unrealised=day)
    view = a_view(
        alarms=alarms, account=account, caps=caps, unix=unix, markets=(market,), wallet="0x1" * 14, consoles=3
    )  # fmt: skip
    drawn = {
        "fills": fill_rows(fills, 1, 0, width, height, unix),
        "tape": tape_rows(market, 0, width, height, unix, fills),
        "strip": status_rows(view, width),
        "table": table_rows(view.markets, "0x1", 0, max(width, 49), height + 3, (), {"0x1": float("inf")}),
    }
    assert all(fill_words(fill).isprintable() for fill in fills) and summary(fills)
    for name, rows in drawn.items():
        for row in rows:
            assert cell_len(row.text) <= (max(width, 49) if name == "table" else width), (name, row.text)
            assert row.text.isprintable(), (name, row.text)
