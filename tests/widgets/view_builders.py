"""Views in one line each: every builder makes a plausible struct and takes the fields a test is about."""

from typing import Any

import msgspec

from core.units import Shares, Ticks, Usd
from core.views import (
    AccountView,
    AdjustmentView,
    AlarmView,
    BudgetView,
    CapView,
    ConsoleView,
    ControlView,
    DataView,
    DenialView,
    EventView,
    FeedView,
    FillView,
    FindingView,
    FlattenView,
    ForeignOrderView,
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
    SettingView,
    SplitView,
    TradeView,
    VenueView,
)

NOON = 1_767_268_800.0
"""2026-01-01 12:00:00 UTC."""

HOSTILE = (
    "Will X [/x] win?",
    "Will X [YES] or [red]NO[/red]?",
    "\x1b[2J\x1b[31mred\x07\x9b",
    "two cells 🚀🚀 and 日本語の市場",
    "rtl \u202eevil\u202c \u2066x\u2069 \u200f עברית العربية",
    "line\nbreak\r\nand\ttab\x00\x7f",
    "z\u0301\u0302\u0303\u0304\u0305\u0306 marks \u200d\ufe0f 👨‍👩‍👧",
    "lone \ud800 surrogate",
    "A" * 10_000,
    "日" * 10_000,
    "",
)
"""Texts of strangers that have broken terminal programs."""
HOSTILE_IDS = tuple(f"text{number}" for number in range(len(HOSTILE)))


def shares(count: float) -> Shares:
    """Micro-shares."""
    return Shares(round(count * 1_000_000))


def usd(dollars: float) -> Usd:
    """Micro-dollars."""
    return Usd(round(dollars * 1_000_000))


def levels(*pairs: tuple[int, float]) -> tuple[LevelView, ...]:
    """(tick, shares), best first."""
    return tuple(LevelView(Ticks(tick), shares(size)) for tick, size in pairs)


def an_order(**changes: Any) -> OrderView:
    """A live bid of the innermost layer."""
    base = OrderView(
        order_id="0xorder",
        side="bid",
        price=Ticks(413),
        size=shares(300),
        remaining=shares(300),
        layer=0,
        on_no=False,
        state="LIVE",
        age_s=74.0,
        ahead=shares(10),
        reason="keep: in tolerance",
    )
    return msgspec.structs.replace(base, **changes)


def an_unknown_order(**changes: Any) -> OrderView:
    """An order whose placement was never answered."""
    return an_order(
        **{
            "state": "UNKNOWN", "age_s": 13.0, "unknown_s": 12.0, "ahead": None, "reason": "place: missing",
            "evidence": "read 1 of 2, list wanted, trades wanted",
        } | changes
    )  # fmt: skip


def an_inventory(**changes: Any) -> InventoryView:
    """Long 1,240 YES, of which 60 are not confirmed; 700 YES are in open sells."""
    base = InventoryView(
        yes=shares(1640),
        no=shares(400),
        pairs=shares(400),
        net=shares(1240),
        average=0.4096,
        exposure=usd(512.12),
        soft_cap=usd(750),
        hard_cap=usd(1500),
        provisional=shares(60),
        average_yes=0.4096,
        average_no=0.581,
        settled_yes=shares(1580),
        settled_no=shares(400),
        sellable_yes=shares(880),
        sellable_no=shares(400),
        mark=usd(0.4152),
        value=usd(914.85),
        conservative=usd(912.12),
    )
    return msgspec.structs.replace(base, **changes)


def a_pnl(**changes: Any) -> PnlView:
    """A small gain."""
    base = PnlView(
        realised=usd(12.10), unrealised=usd(6.32), total=usd(18.42), fills=42, bought=shares(3120), sold=shares(1880)
    )
    return msgspec.structs.replace(base, **changes)


def _bids() -> tuple[LevelView, ...]:
    sizes = (710, 2400, 3975, 980, 1200, 640, 5200, 310, 150, 90, 2250, 400, 75, 820, 60)
    return levels(*[(413 - i, size) for i, size in enumerate(sizes)])


def _asks() -> tuple[LevelView, ...]:
    sizes = (912, 1500, 2875, 8410, 120, 300, 2020, 610, 45, 1000, 730, 90, 3300, 15, 200)
    return levels(*[(416 + i, size) for i, size in enumerate(sizes)])


def _orders() -> tuple[OrderView, ...]:
    return (
        an_order(),
        an_order(price=Ticks(412), size=shares(450), remaining=shares(450), layer=1, ahead=shares(800)),
        an_order(price=Ticks(411), size=shares(675), remaining=shares(675), layer=2, ahead=shares(2100), on_no=True),
        an_order(side="ask", price=Ticks(416), on_no=True, ahead=shares(40), age_s=91.0),
        an_order(
            side="ask", price=Ticks(417), size=shares(450), remaining=shares(185), layer=1, state="PARTIAL",
            ahead=shares(600), age_s=12.0,
        ),
        an_order(
            side="ask", price=Ticks(418), size=shares(675), remaining=shares(675), layer=2, state="SENDING",
            ahead=None, age_s=0.2, reason="place: behind", order_id="",
        ),
    )  # fmt: skip


def a_data(**changes: Any) -> DataView:
    """A proven book whose every hash is checked."""
    base = DataView(
        state="SYNCED",
        reason="",
        repair="",
        since_s=734.0,
        doubt_s=None,
        doubt="",
        freshness="live",
        freshness_reason="",
        age_s=0.3,
        proven_s=0.3,
        usual_gap_s=1.1,
        check_every=1,
        hash_checked=1204,
        hash_agreed=1201,
        hash_explained=3,
        hash_differing=0,
        hash_skipped=0,
        book_seq=3412,
        gaps=0,
        reloads=1,
        audits=0,
        recovery_s=None,
    )
    return msgspec.structs.replace(base, **changes)


def a_suspect(**changes: Any) -> DataView:
    """A book that lost its continuity and is being won back."""
    return a_data(
        **{
            "state": "RESYNCING", "reason": "book hash differs from the venue's", "since_s": 0.8,
            "repair": "asking for a fresh book, try 2", "age_s": 0.8, "proven_s": 0.9, "gaps": 1,
        } | changes
    )  # fmt: skip


def a_frozen(**changes: Any) -> DataView:
    """A book that stands still while REST shows another."""
    return a_data(
        **{
            "state": "RESYNCING", "reason": "frozen: REST shows 44c/46c, we have 41.3c/41.6c", "since_s": 3.0,
            "freshness": "frozen", "freshness_reason": "REST shows 44c/46c, we have 41.3c/41.6c",
            "repair": "asking for a fresh book, try 5", "age_s": 9.0, "proven_s": 9.0, "gaps": 1,
        } | changes
    )  # fmt: skip


def an_unproven(**changes: Any) -> DataView:
    """A book that nobody vouches for."""
    return a_data(
        **{
            "freshness": "unproven", "freshness_reason": "REST shows 1c/99c while prices say 44c/46c", "age_s": 11.0,
            "proven_s": 11.0,
        } | changes
    )  # fmt: skip


def an_empty_book(**changes: Any) -> DataView:
    """A market whose first book has not come."""
    return a_data(
        **{
            "state": "EMPTY", "reason": "waiting for the first book", "since_s": 2.0, "age_s": None, "proven_s": None,
            "usual_gap_s": None, "hash_checked": 0, "hash_agreed": 0, "hash_explained": 0, "book_seq": 0, "reloads": 0,
        } | changes
    )  # fmt: skip


NANO = 10**9


def a_layer(**changes: Any) -> LayerView:
    """The innermost bid: its terms add up to 41.3 cents and 300 shares."""
    base = LayerView(
        side="bid",
        layer=0,
        ticks=Ticks(413),
        size=shares(300),
        price_terms=(
            ("fair", 415_200_000_000),
            ("inventory", -700_000_000),
            ("volatility", -300_000_000),
            ("fee", -1_000_000_000),
            ("rounding", -200_000_000),
        ),
        size_terms=(("base", shares(310.5)), ("rounding", shares(-0.5)), ("room (hard cap)", shares(-10))),
        binding="model; room (hard cap)",
        forbidden="",
    )
    return msgspec.structs.replace(base, **changes)


def some_layers() -> tuple[LayerView, ...]:
    """Three layers a side of which the last ask is missing; the first ask was pushed out of the touch."""
    bid = a_layer()
    ask_terms: tuple[tuple[str, int], ...] = (
        ("fair", 415_200_000_000),
        ("inventory", -700_000_000),
        ("volatility", 300_000_000),
        ("fee", 1_000_000_000),
        ("rounding", 200_000_000),
    )
    plain = (("base", shares(310.5)), ("rounding", shares(-10.5)))
    outer_bids = [
        a_layer(layer=layer, ticks=Ticks(413 - layer), price_terms=(*bid.price_terms, ("layer", -layer * NANO)),
                size_terms=plain, binding="model; base")
        for layer in (1, 2)
    ]  # fmt: skip
    ask_terms = (*ask_terms, ("post-only", NANO))
    ask = a_layer(side="ask", ticks=Ticks(417), price_terms=ask_terms, size_terms=plain, binding="post-only; base")
    second = msgspec.structs.replace(ask, layer=1, ticks=Ticks(418), price_terms=(*ask_terms, ("layer", NANO)))
    missing = msgspec.structs.replace(
        ask, layer=2, ticks=Ticks(419), size=shares(0), price_terms=(*ask_terms, ("layer", 2 * NANO)),
        size_terms=(("base", shares(310.5)), ("least size", shares(-310.5))), binding="", forbidden="below_min",
    )  # fmt: skip
    return (bid, *outer_bids, ask, second, missing)


def an_adjustment(**changes: Any) -> AdjustmentView:
    """Three ticks wider, fading, for four minutes more."""
    base = AdjustmentView(what="widen", amount=3.0, sides="both", half_life_s=60.0, left_s=250.0, who="operator")
    return msgspec.structs.replace(base, **changes)


def some_markouts() -> tuple[MarkoutView, ...]:
    """Four horizons for both sides together, for each, and for one layer."""
    rows: list[MarkoutView] = []
    for side, layer, base, fills in (("all", None, 0.11, 42), ("bid", None, 0.14, 30), ("ask", None, 0.03, 12),
                                     ("bid", 0, 0.14, 30)):  # fmt: skip
        for step, horizon in enumerate((1.0, 5.0, 30.0, 300.0)):
            rows.append(
                MarkoutView(side=side, layer=layer, horizon_s=horizon, fills=fills - 3 * step, shares=shares(900),
                            mean=(base - 0.06 * step) / 100, error=0.04 / 100, pending=3 * step)
            )  # fmt: skip
    return tuple(rows)


def some_rewards(**changes: Any) -> RewardView:
    """A small share of a pool of fifty dollars."""
    base = RewardView(
        score=123.4, share=0.031, usd_per_day=1.55, pool_usd=50.0, expected=6, scoring=4, denied=1, note=""
    )
    return msgspec.structs.replace(base, **changes)


def some_settings() -> tuple[SettingView, ...]:
    """A few settings from different places."""
    return (
        SettingView("k_vol", "3.0", "factor", "profile sports, by its facts"),
        SettingView("k_fee_ticks", "3.0", "ticks", "profile fine, by its tick"),
        SettingView("inv_gamma", "1.0", "factor", "default"),
    )


def a_reasoned_market(**changes: Any) -> MarketView:
    """The usual market with everything that is known about its quotes."""
    base = a_market(
        detailed=True,
        layers=some_layers(),
        adjustments=(an_adjustment(), an_adjustment(what="size", amount=0.5, half_life_s=None, left_s=None)),
        widen_ticks=3.0,
        regime=RegimeView(
            name="caution", reason="one-sided flow", left_s=42.0, spread_factor=1.5, size_factor=0.5, phase="fade",
            phase_s=11_000.0, phase_of="end date", time_factor=0.62, calendar="FOMC statement",
            calendar_act="half-spread x1.5", calendar_s=900.0,
        ),
        markouts=some_markouts(),
        rewards=some_rewards(),
        rebates_usd=0.314,
        group=GroupView("", 1.013, usd(812.5)),
        cancels_per_1000=181.4,
        profile="fine + politics",
        profiles=("coarse", "fine", "politics", "sports", "short_dated"),
        settings=some_settings(),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_market(**changes: Any) -> MarketView:
    """A market on a tenth-of-a-cent grid that is being quoted with three layers a side."""
    base = MarketView(
        market="0xfed",
        title="Fed cuts rates in December?",
        tick_text="0.001",
        grid_k=1000,
        decimals=3,
        control="ACTIVE",
        data=a_data(),
        quoting=True,
        blocked_by="",
        widen_ticks=0,
        flattening=False,
        bids=_bids(),
        asks=_asks(),
        orders=_orders(),
        fair=0.4152,
        reservation=0.4145,
        half_spread=0.0013,
        sigma_h=0.0004,
        last_price=Ticks(414),
        last_size=shares(55),
        last_buy=True,
        inventory=an_inventory(),
        pnl=a_pnl(realised=usd(2.2), unrealised=usd(0.9), total=usd(3.1), fills=12),
    )
    return msgspec.structs.replace(base, **changes)


def a_cent_market(**changes: Any) -> MarketView:
    """A market on a one-cent grid, short, with one order a side."""
    base = a_market(
        market="0xrain",
        title="Rain in NYC on Tuesday",
        tick_text="0.01",
        grid_k=100,
        decimals=2,
        bids=levels((63, 1200), (62, 800), (61, 90)),
        asks=levels((64, 300), (65, 2200), (67, 40)),
        orders=(an_order(price=Ticks(63)), an_order(side="ask", price=Ticks(64), on_no=True)),
        fair=0.635,
        reservation=0.637,
        half_spread=0.005,
        last_price=Ticks(64),
        last_buy=False,
        data=a_data(freshness="quiet", age_s=42.0, proven_s=3.0, usual_gap_s=18.0, hash_checked=91, hash_agreed=91,
                    hash_explained=0, book_seq=77, audits=14),
        inventory=an_inventory(
            yes=shares(0), no=shares(80), pairs=shares(0), net=shares(-80), average=0.37, exposure=usd(29.6),
            provisional=shares(0), average_yes=None, average_no=0.37, settled_yes=shares(0), settled_no=shares(80),
            sellable_yes=shares(0), sellable_no=shares(0), mark=usd(0.635), value=usd(29.2), conservative=usd(28.8),
        ),
        pnl=a_pnl(realised=usd(0), unrealised=usd(-0.42), total=usd(-0.42), fills=2),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def flat_inventory() -> InventoryView:
    """Nothing held."""
    nothing = shares(0)
    return an_inventory(
        yes=nothing, no=nothing, pairs=nothing, net=nothing, average=None, exposure=usd(0), provisional=nothing,
        average_yes=None, average_no=None, settled_yes=nothing, settled_no=nothing, sellable_yes=nothing,
        sellable_no=nothing, value=usd(0), conservative=usd(0),
    )  # fmt: skip


def a_job(**changes: Any) -> JobView:
    """A merge of all pairs that is on the chain since three minutes."""
    base = JobView(
        job_id=12,
        kind="merge",
        market="0xfed",
        size=shares(400),
        state="confirmed",
        age_s=190.0,
        route="relayer",
        by="operator",
        cash=usd(400),
        transaction="0x77ab12cd34ef56a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5",
        detail="",
    )
    return msgspec.structs.replace(base, **changes)


def some_jobs() -> tuple[JobView, ...]:
    """One of each kind and of most states, oldest first; the last one is under way."""
    return (
        a_job(job_id=9, kind="redeem", market="0xgone", size=shares(120.5), cash=usd(60.25), age_s=90_000.0),
        a_job(job_id=10, state="refused", by="auto", transaction="", age_s=7_200.0,
              detail="quota exceeded: 0 units remaining, resets in 3,600 s"),
        a_job(job_id=11, kind="split", market="0xrain", size=shares(250), cash=usd(-250), state="failed", age_s=400.0,
              detail="execution reverted: SafeMath: subtraction overflow"),
        a_job(),
        a_job(job_id=13, kind="convert", size=shares(80), cash=usd(160), state="unknown", route="own gas", age_s=64.0,
              detail="neither relayer nor chain say anything for 60 s"),
    )  # fmt: skip


def an_account(**changes: Any) -> AccountView:
    """A funded account with a gain, pairs and a claim, on which nothing is under way."""
    base = AccountView(
        day_profit=usd(6.21),
        day_flows=usd(0),
        drawdown=usd(3.1),
        flows=usd(50_000),
        pairs=usd(400),
        claims=usd(60.25),
        provisional=shares(60),
        jobs=(a_job(),),
    )
    return msgspec.structs.replace(base, **changes)


def a_split(**changes: Any) -> SplitView:
    """Spread earned, a part of it lost to the drift after the fills."""
    base = SplitView(spread=usd(9.2), drift=usd(-4.4), carry=usd(1.3), rebates=usd(0.31), rewards=usd(1.8))
    return msgspec.structs.replace(base, **changes)


def an_earning_account(**changes: Any) -> ConsoleView:
    """A session that has traded, with a position that is resolved, holdings elsewhere, and its operations."""
    first, second, third, fourth, last = a_view().markets
    resolved = an_inventory(
        yes=shares(150), no=shares(0), pairs=shares(0), net=shares(150), average=0.42, provisional=shares(0),
        average_no=None, settled_yes=shares(150), settled_no=shares(0), sellable_yes=shares(0), sellable_no=shares(0),
        mark=usd(1), value=usd(150), conservative=usd(150), payout=usd(1), exposure=usd(0),
    )  # fmt: skip
    watched = msgspec.structs.replace(
        first, detailed=True, split=a_split(), inventory=an_inventory(waiting=shares(12), foreign_yes=shares(500)),
        group=GroupView("", 1.013, usd(812.5), usd(-512.12), usd(727.88)),
    )  # fmt: skip
    redeemable = msgspec.structs.replace(
        fourth, inventory=resolved, pnl=a_pnl(realised=usd(87), unrealised=usd(0), total=usd(87), fills=9)
    )
    base = a_view(
        markets=(watched, second, third, redeemable, last),
        pnl=a_pnl(realised=usd(95.7), unrealised=usd(7.02), fees=usd(0.3), income=usd(2.4), total=usd(104.82),
                  fills=60, bought=shares(16_000), sold=shares(9_900)),
        cash=usd(48_910.55),
        equity=usd(50_101.9),
        account=an_account(
            claims=usd(150), day_profit=usd(86.4), jobs=some_jobs(),
            jobs_note="job 13 (convert, unknown) is under way for this wallet: one at a time",
        ),
        split=a_split(spread=usd(12.3), drift=usd(-5.2), carry=usd(2), rebates=usd(0.52), rewards=usd(2.1)),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_book_that_does_not_add_up() -> ConsoleView:
    """What our own books say contradicts itself, and two sources differ."""
    return an_earning_account(
        account=an_account(
            jobs=some_jobs()[:3],
            jobs_note="the relayer's quota is used up until 14:05:09 UTC",
            trouble="cash and holdings are 1 micro-dollar more than what they came from",
            sources=(("cash", "chain", "$48,900.55, 4s ago; ours $48,910.55"),),
        ),
        control="PAUSED",
    )


def a_budget(**changes: Any) -> BudgetView:
    """A signer of the smallest tier with most of its buckets left."""
    base = BudgetView(
        tier="Standard", orders=48, orders_burst=60, cancels=112, cancels_burst=120, warnings=0, refusals=0
    )
    return msgspec.structs.replace(base, **changes)


def a_venue(**changes: Any) -> VenueView:
    """A venue that trades and hears that we live."""
    base = VenueView(heartbeat=HeartbeatView(2.0, ""), budget=a_budget())
    return msgspec.structs.replace(base, **changes)


def a_finding(**changes: Any) -> FindingView:
    """A trade that failed three minutes ago."""
    base = FindingView(
        unix=NOON + 3682,
        code="failed_trade",
        severity="alarm",
        effect="hold",
        market="0xfed",
        subject="trade-0x77ab12cd34ef",
        text="a trade failed: bid 41.3c 55 sh is taken back",
        ours="",
        venue="",
    )
    return msgspec.structs.replace(base, **changes)


def some_findings() -> tuple[FindingView, ...]:
    """One of each severity, oldest first."""
    return (
        a_finding(
            unix=NOON + 62, code="positions_index", severity="info", effect="none", subject="7" * 77,
            text="the positions index says otherwise; it lags and is not believed", ours="1640", venue="1585",
        ),
        a_finding(),
        a_finding(
            unix=NOON + 3850, code="foreign_order", severity="warning", effect="none", market="0xrain",
            subject="0xf0e1d2c3b4a5968778695a4b3c2d1e0f", text="an open order on this account is not ours: BUY 10 "
            "shares at 0.01",
        ),
    )  # fmt: skip


def a_foreign_order(**changes: Any) -> ForeignOrderView:
    """A bid that somebody else made with our keys."""
    base = ForeignOrderView(
        order_id="0xf0e1d2c3b4a5968778695a4b3c2d1e0f",
        market="0xrain",
        side="BUY",
        outcome="YES",
        price="0.01",
        size=shares(10),
        matched=shares(0),
    )
    return msgspec.structs.replace(base, **changes)


def a_troubled_account(**changes: Any) -> ConsoleView:
    """The venue restarts, beats go unanswered, an order is unknown, and not everything on the account is ours."""
    first, second, third, *rest = a_view().markets
    restarting = "the venue is restarting: HTTP 425"
    base = a_view(
        venue=VenueView(
            mode="RESTARTING", since_s=12.0, detail="HTTP 425", heartbeat=HeartbeatView(8.0, "HTTP 425"),
            short="the cancel budget of 30 is below the reserve of 36 for 9 orders",
            budget=a_budget(orders=4, cancels=30, warnings=3, refusals=1),
        ),
        unknown_orders=1,
        findings=some_findings(),
        foreign_orders=(a_foreign_order(),),
        foreign_trades=1,
        markets=(
            msgspec.structs.replace(
                first, quoting=False, blocked_by=restarting, orders=(an_unknown_order(), *first.orders[1:]),
                inventory=an_inventory(unsettled_s=190.0, foreign_yes=shares(500)),
            ),
            msgspec.structs.replace(
                second, quoting=False, blocked_by=restarting,
                closed="quarantined: 3 trades failed within an hour; resume the market to quote it again",
            ),
            third, *rest,
        ),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_control(**changes: Any) -> ControlView:
    """The operator reduces everything, for another twelve minutes."""
    base = ControlView(
        state="REDUCE_ONLY", source="operator", reason="news at noon", author="operator", since_unix=NOON + 3800,
        left_s=725.0,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def some_controls() -> tuple[ControlView, ...]:
    """One of everything, one of a market, and two of sides; one of them for a time."""
    return (
        a_control(),
        a_control(state="PAUSED", market="0xbtc", reason="", since_unix=NOON + 300, left_s=None),
        a_control(
            state="PAUSED", source="streak", market="0xfed", side="ask", reason="fill streak",
            author="6 fills in 30 s on the ask", since_unix=NOON + 3842, left_s=40.0,
        ),
        a_control(
            state="PAUSED", source="repeat", market="0xrain", side="bid", reason="repeat throttle",
            author="10 fills of NO in 60 s", since_unix=NOON + 3000, left_s=None,
        ),
    )  # fmt: skip


def some_caps() -> tuple[CapView, ...]:
    """Account, one event, two markets and their tokens; a market over its cap."""
    return (
        CapView("account", "", "", usd(1_904.12), usd(3_000)),
        CapView("group", "Fed decisions of 2026", "", usd(812.5), usd(1_000)),
        CapView("market", "", "0xfed", usd(512.12), usd(600)),
        CapView("market", "", "0xrain", usd(612), usd(600)),
        CapView("market", "", "0xbtc", usd(12), usd(600)),
        CapView("token", "YES", "0xfed", usd(512.12), usd(1_500)),
        CapView("token", "NO", "0xfed", usd(0), usd(1_500)),
        CapView("token", "NO", "0xrain", usd(29.6), usd(1_500)),
        CapView("token", "YES", "0xbtc", usd(990), usd(1_500)),
    )


def some_protections() -> tuple[ProtectionView, ...]:
    """One that holds a side, one that is off, the rest at rest."""
    return (
        ProtectionView("jump", True, "3.0 sigma and 2 ticks", "0.8 sigma, Fed cuts rates"),
        ProtectionView("streak", True, "6 fills in a row in 30 s on a side", "2, ask of Rain in NYC", 1, True, 40.0),
        ProtectionView("repeat", True, "10 fills of a token and side in 60 s", "10, bid of Rain in NYC", 1, True, None),
        ProtectionView("markout", True, "3 ticks against us over 10 fills", "0.4 over 9, Fed cuts rates"),
        ProtectionView("rejects", True, "10 refused in 60 s"),
        ProtectionView("drawdown", False, "5 % below the peak"),
        ProtectionView("loss", True, "1 % of the day's opening equity", "0.02 %"),
    )


def some_denials() -> tuple[DenialView, ...]:
    """Two reasons, the newest first."""
    return (
        DenialView("market_cap", 14, "0xrain", "worst case $618.40 would be over the cap of $600.00", 3.0),
        DenialView("collar", 1, "0xfed", "bid 46.3c is 5 ticks beyond the middle of 41.45c", 900.0),
    )


def a_guarded_kill(**changes: Any) -> KillView:
    """Armed, with a watchdog on guard."""
    return msgspec.structs.replace(KillView(guarded=True, watchdog_up=True, watchdog_age_s=0.01), **changes)


def a_kill(**changes: Any) -> KillView:
    """Pulled by the operator eight seconds ago; three orders are still listed and one answer never came."""
    base = a_guarded_kill(
        killed=True, by="operator", reason="console key", unix=NOON + 3854,
        report=KillReportView(
            sent=2, confirmed=21, left=3, unknown=1, zero=False, detail="reading the open orders", by="watchdog",
            took_s=8.0,
        ),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_proven_kill(**changes: Any) -> KillView:
    """The same after the venue showed no open order twice."""
    report = KillReportView(sent=2, confirmed=25, left=0, unknown=0, zero=True, by="watchdog", took_s=2.4)
    return a_kill(**({"report": report} | changes))


def a_flattening(**changes: Any) -> FlattenView:
    """Half done, at the touch, for another 42 seconds."""
    base = FlattenView(
        step="passive", text="selling 620 YES at 41.6c, the touch", start=shares(2_040), left=shares(620),
        spent=usd(0.84), cap=usd(18.3), left_s=42.0, author="operator",
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_risky_view(**changes: Any) -> ConsoleView:
    """Everything reduced, two sides and a market paused, a flattening under way, caps near, orders denied."""
    first, *rest = a_view().markets
    base = a_view(
        control="REDUCE_ONLY",
        controls=some_controls(),
        caps=some_caps(),
        protections=some_protections(),
        denials=some_denials(),
        kill=a_guarded_kill(),
        clock_skew_s=0.034,
        markets=(msgspec.structs.replace(first, flattening=True, flatten=a_flattening()), *rest),
    )
    return msgspec.structs.replace(base, **changes)


def a_killed_view(**changes: Any) -> ConsoleView:
    """The same after a kill, zero not proven yet."""
    control = a_control(state="KILLED", source="kill", reason="console key", since_unix=NOON + 3854, left_s=None)
    markets = tuple(
        msgspec.structs.replace(
            market, control="KILLED", quoting=False, blocked_by="killed: console key, by operator", flatten=None,
            flattening=False,
        )
        for market in a_view().markets
    )  # fmt: skip
    base = a_risky_view(control="KILLED", controls=(control, *some_controls()[1:]), kill=a_kill(), markets=markets)
    return msgspec.structs.replace(base, **changes)


def some_rules(**failing: str) -> tuple[RuleView, ...]:
    """The screen's rules as they pass; those named fail with the number given."""
    passing = {
        "liquidity": ("$84,120", "at least $5,000"),
        "weekly volume": ("$412,900", "at least $50,000"),
        "trend": ("0.41", "at least 0.30"),
        "score": ("18.2M", "at least 1M"),
        "spread": ("1.2c", "at most 3c"),
        "time to end": ("44 days", "from 2 to 180 days"),
        "category": ("politics, economy", "any of politics, economy, weather"),
        "taker fee": ("", "at most 2 %"),
    }
    return tuple(
        RuleView(name, name not in failing, failing.get(name, value), bound)
        for name, (value, bound) in passing.items()
    )  # fmt: skip


def an_income(**changes: Any) -> IncomeView:
    """Rewards and spread, less drift and capital."""
    base = IncomeView(
        reward_usd=0.9, rebate_usd=0.11, spread_usd=0.62, drift_usd=0.35, capital_usd=0.0369, at_risk_usd=401.0,
        break_even_cents=0.63, words=("30 of 1,000 dollars of the day's volume meet our orders",),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_listed(**changes: Any) -> ListedMarketView:
    """A market of the list that is made."""
    base = ListedMarketView(
        market="0x" + "fed" * 21 + "f",
        title="Fed cuts rates in December?",
        row=2,
        standing="made",
        reason="",
        rules=some_rules(),
        figures="the list's, 3h old",
        score=18_240_000.0,
        income_usd=1.2431,
        income_frac=0.0031,
        income=an_income(),
    )
    return msgspec.structs.replace(base, **changes)


def some_listed() -> tuple[ListedMarketView, ...]:
    """One of each standing, and a second one that is made."""
    return (
        a_listed(market="0xfed"),
        a_listed(
            market="0xrain", title="Rain in NYC on Tuesday", row=5, note="watch the forecast", max_usd=usd(150),
            profile="weather", income_usd=-0.12, income_frac=-0.0002, score=2_310_000.0, standing="draining",
            figures="Gamma's: the list's are 3d old", reason="off the list since 12:41 UTC",
        ),
        a_listed(market="0xbtc", title="BTC above $120k on Dec 31?", row=3, income_usd=0.4, income_frac=0.0011),
        a_listed(
            market="0x" + "a1" * 32, title="Will the Senate flip in 2026?", row=4, standing="waiting",
            reason="100 markets are made already", income_usd=0.09,
        ),
        a_listed(
            market="0x" + "b2" * 32, title="Will it snow in Austin?", row=7, standing="failed", reason="",
            rules=some_rules(liquidity="$812", trend="0.21"), figures="Gamma's: the list has none", score=23_100.0,
            income_usd=None, income_frac=None,
        ),
        a_listed(
            market="0x" + "c3" * 32, title="Will the ECB cut in January?", row=8, standing="refused", rules=(),
            reason="YES and NO are swapped: the CLOB has 7111… as YES, the list as NO", score=None, income_usd=None,
            income_frac=None, figures="",
        ),
        a_listed(
            market="0x" + "d4" * 32, title="Oscars: best picture", row=9, standing="off", reason="not enabled",
            rules=(), score=None, income_usd=None, income_frac=None, figures="",
        ),
    )  # fmt: skip


def some_rejected() -> tuple[RejectedRowView, ...]:
    """A mangled id, an empty cell, an error of a formula."""
    return (
        RejectedRowView(
            6, "yes_token_id", "1.23456789012346E+76",
            "the spreadsheet made a number of it: format the column as plain text",
        ),
        RejectedRowView(10, "Liquidity", "", "is empty: a number of dollars is wanted"),
        RejectedRowView(11, "Volume_7d", "#REF!", "its formula has an error"),
    )  # fmt: skip


def a_proposal(**changes: Any) -> ProposalView:
    """Two markets leave, one comes with them, one may lose less."""
    base = ProposalView(
        token="proposal-1",
        since_unix=NOON + 3130,
        why="2 of 5 markets would leave the list at once; at most 1 leaves without being asked for",
        lines=(
            ProposalLineView("remove", "0xfed", "Fed cuts rates in December?", "its row is gone; 1,240 YES are held"),
            ProposalLineView("remove", "0xrain", "Rain in NYC on Tuesday", "enabled: yes, now no"),
            ProposalLineView("add", "0x" + "e5" * 32, "Will Mars be visited by 2030?", "profile slow, at most $200.00"),
            ProposalLineView("change", "0xbtc", "BTC above $120k on Dec 31?", "at most $600.00, now $900.00"),
        ),
    )
    return msgspec.structs.replace(base, **changes)


def a_listing(**changes: Any) -> ListView:
    """A sheet, read three minutes ago; seven markets, three rows that cannot be used."""
    base = ListView(
        source='sheet "Selected Markets"',
        read_unix=NOON + 3672,
        next_s=110.0,
        markets=some_listed(),
        rejected=some_rejected(),
        notes=('column "Comment" is not known and not read',),
    )
    return msgspec.structs.replace(base, **changes)


def a_listed_view(**changes: Any) -> ConsoleView:
    """The usual session with a market list, one market of it draining, and a proposal; changes are the list's."""
    first, second, *rest = a_view().markets
    draining = a_control(
        source="selection", market=second.market, reason="off the list since 12:41 UTC", author="market list",
        left_s=None,
    )  # fmt: skip
    second = msgspec.structs.replace(second, control="REDUCE_ONLY")
    listing = a_listing(**({"proposal": a_proposal()} | changes))
    return a_view(market_list=listing, controls=(draining,), markets=(first, second, *rest))


def an_event(seq: int = 1, **changes: Any) -> EventView:
    """A line of the log."""
    base = EventView(seq=seq, unix=NOON + seq, severity="info", market="0xfed", text="ask L2 41.8 -> 41.7")
    return msgspec.structs.replace(base, **changes)


def a_view(**changes: Any) -> ConsoleView:
    """A demo session with five markets, one of each common state."""
    blocked = {"quoting": False, "orders": ()}
    base = ConsoleView(
        seq=7,
        unix=NOON + 3862,
        mode="demo",
        control="ACTIVE",
        stopping=False,
        finished="",
        feeds=(
            FeedView("market", True, 2, 2, 0.8, 0, ""),
            FeedView("user", True, 1, 1, 0.4, 1, ""),
        ),
        open_orders=8,
        open_notional=usd(1140.55),
        unknown_orders=0,
        in_flight=1,
        rejects=2,
        last_reject_age_s=190.0,
        messages=128_410,
        messages_per_s=412.4,
        hash_every=1,
        decisions=4_312,
        pnl=a_pnl(),
        gross_exposure=usd(541.72),
        equity=usd(50_018.42),
        cash=usd(48_790.10),
        account=an_account(),
        loop_lag_ms=3.2,
        markets=(
            a_market(),
            a_cent_market(),
            a_market(
                market="0xsenate", title="Senate vote before Friday noon, Eastern Time?", data=a_suspect(),
                blocked_by="book resyncing: book hash differs from the venue's", inventory=flat_inventory(), **blocked,
            ),
            a_cent_market(market="0xbtc", title="BTC above $120k on Dec 31?", control="PAUSED",
                blocked_by="paused: by the operator", **blocked),
            a_cent_market(
                market="0xnew", title="Team A wins the final", data=an_empty_book(), bids=(), asks=(),
                fair=None, reservation=None, half_spread=None, sigma_h=None, last_price=None, last_size=None,
                last_buy=None, inventory=flat_inventory(), **blocked,
            ),
        ),
        venue=a_venue(),
        events=(
            an_event(1, severity="info", market="", text="session started, preflight passed"),
            an_event(2, text="quotes placed: 3 bids, 3 asks"),
            an_event(40, severity="fill", text="bid 41.3 filled 55 of 300, layer 1, ahead 0"),
            an_event(61, severity="warning", market="0xsenate", text="book hash differs: resubscribing, 2nd try"),
            an_event(90, severity="alarm", market="0xbtc", text="order unknown for 30 s: 0x12ab…"),
        ),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def with_title(title: str) -> ConsoleView:
    """A view in which every foreign text is ``title``."""
    markets = tuple(
        msgspec.structs.replace(
            market,
            title=title,
            data=msgspec.structs.replace(market.data, reason=title, doubt=title, freshness_reason=title, repair=title),
            blocked_by="" if market.quoting else title,
            detailed=True,
            bid_reason=title,
            profile=title,
            regime=msgspec.structs.replace(
                market.regime,
                reason=title,
                phase=title,
                phase_of=title,
                phase_warning=title,
                calendar=title,
                reduces=title,
            ),
            layers=tuple(
                msgspec.structs.replace(layer, binding=title, forbidden=title, size_terms=((title, layer.size),))
                for layer in some_layers()
            ),
            adjustments=(an_adjustment(who=title),),
            markouts=some_markouts(),
            rewards=some_rewards(note=title),
            group=GroupView(title, None, usd(1)),
            settings=tuple(msgspec.structs.replace(each, origin=title) for each in some_settings()),
            orders=tuple(
                msgspec.structs.replace(order, reason=title, unknown_s=1.0, evidence=title) for order in market.orders
            ),
            closed=title,
            flatten=a_flattening(text=title, author=title),
        )
        for market in a_view().markets
    )
    events = tuple(msgspec.structs.replace(event, text=title) for event in a_view().events)
    feeds = tuple(msgspec.structs.replace(feed, detail=title) for feed in a_view().feeds)
    venue = a_venue(mode="DISABLED", detail=title, short=title, heartbeat=HeartbeatView(8.0, title))
    named = {"code": title, "subject": title, "text": title, "ours": title, "venue": title}
    findings = tuple(
        msgspec.structs.replace(each, market=market, **named)
        for each, market in zip(some_findings(), ("0xfed", title, ""), strict=True)
    )
    foreign = tuple(a_foreign_order(order_id=title, market=market, price=title) for market in ("0xfed", title))
    listing = ListView(
        source=title, trouble=title, read_unix=NOON, next_s=3.0, notes=(title,) * 9,
        markets=tuple(
            a_listed(
                market=market, title=title, standing=standing, reason=title, figures=title, note=title, profile=title,
                rules=(RuleView(title, False, title, title), RuleView("liquidity", True, title, title)),
            )
            for market, standing in (("0xfed", "made"), (title, "failed"))
        ),
        rejected=(RejectedRowView(7, title, title, title),),
        proposal=ProposalView("token", NOON, title, (ProposalLineView("add", title, title, title),)),
    )  # fmt: skip
    return a_view(
        market_list=listing, markets=markets, events=events, feeds=feeds, venue=venue, findings=findings,
        foreign_orders=foreign,
        recovering=title, split=a_split(),
        controls=tuple(
            a_control(market=market, reason=title, author=title, source=title) for market in ("", "0xfed", title)
        ),
        caps=(CapView("group", title, "", usd(3), usd(4)), CapView("token", title, title, usd(9), usd(9))),
        protections=(ProtectionView(title, True, title, title, 1, True, 3.0),),
        denials=(DenialView(title, 3, title, title, 4.0),),
        kill=a_kill(
            by=title, reason=title, watchdog_up=False, watchdog_detail=title,
            report=KillReportView(detail=title, by=title),
        ),
        account=an_account(
            trouble=title, jobs_note=title, sources=((title, title, title),),
            jobs=tuple(a_job(market=market, transaction=title, detail=title) for market in ("0xfed", title)),
        ),
    )  # fmt: skip


def a_laddered_market(**changes: Any) -> MarketView:
    """The usual market with everything that a ladder marks; one order's answer never came, two orders score."""
    usual = a_market()
    orders = [
        msgspec.structs.replace(order, order_id=f"0xorder{place}", scoring=True if place in (0, 3) else None)
        for place, order in enumerate(usual.orders)
    ]
    unknown = an_unknown_order(order_id="0xunknown", price=Ticks(409), layer=3)
    base = msgspec.structs.replace(
        usual,
        orders=(*orders[:3], unknown, *orders[3:]),
        reward_band=(Ticks(405), Ticks(424)),
        volumes=tuple((Ticks(405 + place), shares(40 * place * place + 15)) for place in range(14)),
    )
    return msgspec.structs.replace(base, **changes)


def an_alarm(**changes: Any) -> AlarmView:
    """Of the second priority: a finding that nobody has acknowledged."""
    base = AlarmView(
        key="finding:0xfed", code="finding", priority=2, market="0xfed",
        text="our position of YES is 1,240, the venue says 1,300", consequence="what it says stays as it is",
        action="compare both sides with the venue's own page", pane="findings", since_unix=NOON + 3700, count=1,
        standing=True,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def a_fill(seq: int = 1, **changes: Any) -> FillView:
    """A bid of the innermost layer that is settled and five minutes old."""
    base = FillView(
        seq=seq, unix=NOON + 3000 + 10 * seq, market="0xfed", title="Fed cuts rates in December?", side="bid",
        price=Ticks(413), grid_k=1000, decimals=3, size=shares(55), layer=0, on_no=False, taker=False,
        status="CONFIRMED", fee=usd(0), markouts=(0.0011, 0.0009, 0.0002, -0.0003),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def some_fills() -> tuple[FillView, ...]:
    """One of each status, on two grids, the youngest not judged yet, one as a taker; oldest first."""
    rain = {"market": "0xrain", "title": "Rain in NYC on Tuesday", "grid_k": 100, "decimals": 2}
    return (
        a_fill(1, unix=NOON - 200_000, size=shares(12_345.67)),
        a_fill(2, side="ask", price=Ticks(64), on_no=True, markouts=(-0.01, -0.02, -0.125, 0.0), **rain),
        a_fill(3, status="FAILED", layer=2, markouts=()),
        a_fill(4, side="ask", price=Ticks(412), taker=True, layer=None, fee=usd(0.42), markouts=(), size=shares(7.5)),
        a_fill(5, status="RETRYING", layer=1, price=Ticks(63), **rain),
        a_fill(6, status="MINED", side="ask", price=Ticks(417), layer=1, markouts=(0.0011, 0.0009, None, None)),
        a_fill(7, status="MATCHED", unix=NOON + 3861, markouts=(None, None, None, None)),
    )


def some_trades(count: int = 6) -> tuple[TradeView, ...]:
    """Trades three seconds apart, takers buying and selling in turn; oldest first, the last a second old."""
    return tuple(
        TradeView(seq, 1.0 + 3.0 * (count - seq), Ticks(414 - seq % 3), shares(5 + 15 * seq), seq % 2 == 1)
        for seq in range(1, count + 1)
    )


def a_taped_market(count: int = 6, **changes: Any) -> MarketView:
    """The usual market as it is while its tape is on show."""
    return a_market(**({"detailed": True, "tape": some_trades(count)} | changes))


def a_day_view(**changes: Any) -> ConsoleView:
    """A day of which all is known: profit and its parts, estimated rewards, caps, a gain and a loss."""
    first, second, *rest = a_view().markets
    base = a_view(
        account=an_account(day_profit=usd(16.4), day_realised=usd(12.10), day_unrealised=usd(4.3), day_fair=usd(18.42)),
        split=a_split(),
        caps=some_caps(),
        markets=(
            msgspec.structs.replace(first, day=usd(3.1), reward_band=(Ticks(400), Ticks(430))),
            msgspec.structs.replace(second, day=usd(-0.42), orders=(an_order(price=Ticks(63), scoring=True),)),
            *rest,
        ),
    )
    return msgspec.structs.replace(base, **changes)
