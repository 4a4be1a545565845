"""Every setting changes something: a plan, an order, a verdict, a request, an address or a path.

The table below holds one scenario for each field of the settings. A field without one fails.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import pytest

from core.account.inventory_acts import IDLE_SEC
from core.actions import Note, Place, SendJob
from core.clock import Clock, ManualClock
from core.config import Settings
from core.errors import ListError, PreflightError
from core.events import BalancesRead, KnownOrder, PayoutSeen, Recovered, Woken
from core.lab.replay import Replay
from core.orders.order import State
from core.preflight.ask import place_of
from core.preflight.machine import hosts
from core.quoting.plan import plan_quotes
from core.quoting.requote import LiveOrder, Situation, decide, requote_rules_of
from core.quoting.routing import Target
from core.runtime import compose, demo, session
from core.runtime.feeds import Feeds
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.selection.aside import Aside
from core.selection.enrich import Catalogue, Sourced
from core.selection.files import FileProvider
from core.selection.listed import COLUMNS, Figures, ListRow
from core.selection.provider import provider_of
from core.selection.screen import screened, used_figures
from core.units import Shares, Ticks, Usd
from core.venue.credentials import Secret, Wallet
from tests.builders import MARKET, NOON, Driver, VenueBook, a_market, usd
from tests.core.account.test_inventory_acts import a_world
from tests.core.flatten.floor import Floor
from tests.core.quoting.arrange import inputs, market, rules, shares
from tests.core.runtime.test_selecting import Sheet
from tests.core.runtime.test_selecting import Stage as ListStage
from tests.core.runtime.test_selecting import Venue as ListVenue
from tests.core.selection.sources import NOW, a_gamma, a_source
from tests.core.test_protections import drifting, one_sided, refused, repeated
from tests.loopback.jumping import jumping_runner

EAGER: Final[dict[str, Any]] = {"hyst_ticks": 0, "min_life_sec": 0.0, "requote_queue_levels": 1}
BASE: Final[dict[str, Any]] = {"jitter_ticks": 9, "base_size_usd": 300.0, "max_size_usd": 1500.0}


def plan(settings: dict[str, Any]) -> object:
    """What is wanted in a market with a position and a reward programme."""
    return plan_quotes(inputs(yes=1_800, fair=0.464), rules(reward_min=700, **(BASE | settings))).targets


def far_from_the_middle(settings: dict[str, Any]) -> object:
    """What is wanted where the fair value is above the middle of a wide book."""
    return plan_quotes(inputs(fair=0.464, best_bid=Ticks(20), best_ask=Ticks(60)), rules(**(BASE | settings))).targets


def in_logit_mode(settings: dict[str, Any]) -> object:
    return plan({"inv_skew_mode": "logit"} | settings)


def verdict(ticks: int, size: float = 600, ahead: int = 0) -> Callable[[dict[str, Any]], object]:
    """What becomes of one order that stands at ``ticks`` where 48 is wanted."""

    def scenario(settings: dict[str, Any]) -> object:
        live = LiveOrder("bid", Ticks(ticks), "YES", shares(size), 60.0, 5.0, ahead)
        target = Target("bid", 0, "YES", "BUY", Ticks(48), Ticks(48), shares(600))
        situation = Situation(0.5, 0.02, 0.02, 3.0)
        return decide(live, live.remaining, target, situation, requote_rules_of(Settings(**settings), market()))

    return scenario


def story(
    held: float = 0, drop_to: int = 0, ends_in: float | None = None, **base: Any
) -> Callable[[dict[str, Any]], object]:
    """Every action of three minutes in a market that moves a tick now and then, and jumps if told to."""

    def scenario(settings: dict[str, Any]) -> object:
        end_unix = None if ends_in is None else NOON + ends_in
        book = VenueBook(a_market("0.001", end_unix=end_unix), mid=460, depth=8)
        driver = Driver(book, **(EAGER | base | settings)).quoting(**({"yes": held} if held else {}))
        for step in range(60):
            for tick in (459 - step % 5, 458):
                driver.send(book.set("bid", tick, 40 + 61 * (step * 7 % 11)))
            driver.send(book.set("ask", 461 + step % 3, (40 + 53 * (step * 5 % 13)) * (step % 4 > 0)))
            if drop_to and step == 10:
                book.bids, book.asks = {drop_to - 1: 500}, {drop_to + 1: 500}
                book.ms += 5
                driver.send(book.book())
            go_on(driver, 1.5)
            driver.pass_time(1.5)
            driver.answer()
        return orders_of(driver)

    return scenario


def go_on(driver: Driver, seconds: float) -> list[object]:
    """Let time go on, let the venue answer what was asked of it, and return the orders that stand then."""
    driver.pass_time(seconds)
    driver.answer()
    driver.answer_cancels()
    return [(order.side, order.yes_price, order.size) for order in driver.orders()]


def orders_of(driver: Driver) -> list[object]:
    """Everything that went to the venue."""
    return [action for action in driver.actions if not isinstance(action, Note)]


def move_to(driver: Driver, book: VenueBook, mid: int) -> None:
    """All of the book moves, and is told as a whole."""
    book.bids, book.asks = {mid - 1 - n: 300 for n in range(12)}, {mid + 1 + n: 300 for n in range(12)}
    book.ms += 5
    driver.send(book.book())


def fine(settings: dict[str, Any], held: float = 0, **facts: float) -> tuple[Driver, VenueBook]:
    """A market on a tenth of a cent whose orders follow every tick; ``facts`` are of the instrument."""
    book = VenueBook(a_market("0.001", **facts), mid=460)
    return Driver(book, **(EAGER | settings)).quoting(**({"yes": held} if held else {})), book


def closing(settings: dict[str, Any]) -> object:
    """What a flattening sends in a book with a gap below its second level, and when, without numbers of its own."""
    floor = Floor(yes=300, **({"flatten_cost_frac": 0.3} | settings))
    floor.driver.send(floor.book.set("bid", 45, 100))
    for tick in (44, 43, 42):
        floor.driver.send(floor.book.set("bid", tick, 0))
    floor.driver.send(floor.book.set("bid", 35, 900))
    floor.go(2)
    floor.begin()
    begun = floor.driver.now
    return [
        (action.price, action.size, action.crosses, round(floor.driver.now - begun))
        for _ in range(80)
        for action in floor.go(1)
        if isinstance(action, Place)
    ]


def towards_an_end(seconds: float, held: float = 0) -> Callable[[dict[str, Any]], object]:
    """What stands in a still market in the minutes that begin ``seconds`` before its end date."""

    def scenario(settings: dict[str, Any]) -> object:
        driver, _ = fine({"resolve_var_weight": 0.0} | settings, held, end_unix=NOON + seconds)
        return [go_on(driver, 20.0) for _ in range(15)]

    return scenario


def adverse_fills(settings: dict[str, Any]) -> object:
    """What stands in a market that falls whenever somebody sells to us, and then recovers a little."""
    own = {"inv_gamma": 0.0, "tox_prior_fills": 1.0, "alpha_fair": 0.9, "tox_cap_ticks": 4.0}
    driver, book = fine(own | settings)
    mid, stood = 460, []
    for step in range(10):
        bids = [order for order in driver.orders(State.LIVE) if order.side == "bid"]
        if bids:
            driver.fill(max(bids, key=lambda order: order.yes_price), 50)
        for move in (step % 3 - 7, 2):
            mid += move
            move_to(driver, book, mid)
            stood.append(go_on(driver, 20.0))
    return stood


def after_a_jump(settings: dict[str, Any]) -> object:
    """What stands in the two minutes after a jump."""
    driver, book = fine(settings)
    move_to(driver, book, 400)
    return [go_on(driver, 2.0) for _ in range(60)]


def after_a_sweep(settings: dict[str, Any]) -> object:
    """What stands after nearly all of the displayed asks were bought at once."""
    book = VenueBook()
    driver = Driver(book, **settings).quoting()
    driver.pass_time(3.0)
    driver.send(book.trade("0.49", "1700"))
    return [go_on(driver, 2.0) for _ in range(20)]


def one_sided_flow(settings: dict[str, Any]) -> object:
    """What stands in a market that goes up a tick every two seconds for a while, and down now and then."""
    driver, book = fine({"alpha_fair": 0.9} | settings)
    mid, stood = 460, []
    for step in range(24):
        mid += -1 if step % 11 == 5 else 1
        move_to(driver, book, mid)
        stood.append(go_on(driver, 2.0))
    return [*stood, *[go_on(driver, 2.0) for _ in range(60)]]


def agitation(settings: dict[str, Any]) -> object:
    """What stands in a market that lay still for half an hour and then swings up and down."""
    driver, book = fine({"ewma_vol_window_sec": 6_000.0} | settings)
    driver.send(book.set("bid", 456, 77))
    go_on(driver, 1800.0)
    stood = []
    for step in range(30):
        move_to(driver, book, 460 + 3 * (-1) ** step)
        stood.append(go_on(driver, 5.0))
    return stood


def of_one_event(settings: dict[str, Any]) -> object:
    """What stands in two markets of which exactly one comes true, and whose prices sum to less than a dollar."""
    names = (("0xa", "1", "2"), ("0xb", "3", "4"))
    items = [a_market("0.001", *name, group="event", group_size=2) for name in names]
    driver = Driver(*[VenueBook(item, mid=mid) for item, mid in zip(items, (460, 500), strict=True)], **settings)
    driver.quoting()
    for book in driver.books:  # a minute of moves: how certain a fair value is has to be known
        for step in range(30):
            driver.send(book.set("ask", min(book.asks), 150 + 90 * (step % 3)))
            go_on(driver, 3.0)
    return go_on(driver, 3.0)


def after_a_loss(settings: dict[str, Any]) -> object:
    """What is placed in the minute after a position lost half a per cent of the account."""
    driver, book = fine(settings, held=1_500)
    for step in range(30):
        move_to(driver, book, 300 + step % 2)
        go_on(driver, 2.0)
    return orders_of(driver)


def earlier(state: str = "LIVE") -> KnownOrder:
    """A bid of an earlier session."""
    item = a_market()
    price = (Usd(450_000), shares(100), Shares(0), Shares(0))
    return KnownOrder(
        7,
        "0xold",
        item.market,
        item.yes_token,
        "YES",
        "BUY",
        "0.01",
        *price,
        "bid",
        0,
        state,
        "new target",
        NOON - 60.0,
    )


def orders_of_an_earlier_session(settings: dict[str, Any]) -> object:
    """What becomes of an order that an earlier session left resting."""
    driver = Driver(VenueBook(), **settings)
    driver.send(Woken(driver.unix))
    driver.send(Recovered(orders=(earlier(),), next_intent=8))
    return [order.state for order in driver.orders()]


def shares_of_nobody_known(settings: dict[str, Any]) -> object:
    """What does not count as ours of shares that are found at the first sight of a market."""
    driver = Driver(VenueBook(), **settings)
    driver.send(Woken(driver.unix))
    driver.send(Recovered())
    held = ((driver.books[0].instrument.yes_token, shares(90)),)
    driver.read_account()
    driver.pass_time(1.0)
    driver.send(BalancesRead(driver.now, usd(1_000), held, complete=True))
    driver.pass_time(1.0)
    driver.read_account()
    return driver.engine.reconciliation.foreign.shares


def pairs_of_an_idle_market(settings: dict[str, Any]) -> object:
    """What goes to the chain while 25 pairs lie in a market in which nothing rests."""
    actions = a_world(**({"auto_merge": Settings().auto_merge} | settings)).run(2 * IDLE_SEC)
    return [action.job.size for action in actions if isinstance(action, SendJob)]


def tokens_of_a_resolved_market(settings: dict[str, Any]) -> object:
    """What goes to the chain once the question is resolved for good."""
    world = a_world(**({"auto_redeem": Settings().auto_redeem, "auto_merge": False} | settings))
    world.send(PayoutSeen(MARKET, usd(1.0), "chain"))
    return [action.job.kind for action in world.run(10.0) if isinstance(action, SendJob)]


def order_client(settings: dict[str, Any]) -> object:
    """Which client signs and sends."""
    wallet = Wallet(Secret("0x" + "11" * 32), None)
    session = SimpleNamespace(clock=ManualClock(), take_sign=lambda sign: None, is_closed=lambda: False)
    return type(compose.gateway_of(Settings(**settings), wallet, session))  # type: ignore[arg-type]


def after_silence(settings: dict[str, Any]) -> object:
    """What a market does with its orders after five seconds without a word from anybody."""
    driver = Driver(VenueBook(), **settings).quoting()
    driver.rest_answers = False
    driver.pass_time(5.0, alive=False)
    return [order.state for order in driver.orders()]


def after_a_freeze(settings: dict[str, Any]) -> object:
    """What a market does with its orders when the channel keeps a change to itself."""
    book = VenueBook()
    driver = Driver(book, **settings).quoting()
    book.set("bid", 45, 1)
    driver.pass_time(6.0)
    return [order.state for order in driver.orders()]


def after_a_stall(settings: dict[str, Any]) -> object:
    """What an engine does that could not think for six seconds."""
    driver = Driver(VenueBook(), **settings).quoting()
    driver.desk.touch_due()
    driver.now += 6.0
    driver.feeds()
    driver.send(Woken(driver.unix))
    return {order.state for order in driver.orders()} - {State.SENDING}


def bid_after_a_move(settings: dict[str, Any]) -> object:
    """How soon the quotes follow a market that moved."""
    book = VenueBook()
    driver = Driver(book, **settings).quoting()
    driver.send(book.set("ask", 47, 0))
    driver.send(book.set("bid", 46, 900))
    driver.send(book.set("ask", 48, 10))
    driver.pass_time(0.4)
    return len(driver.actions), driver.engine.tally.decisions


def made(since_s: float | None = None) -> Callable[[dict[str, Any]], object]:
    """What the screen says of one market that is made for so long, None for not at all; whose figures it goes by."""

    def judge(settings: dict[str, Any]) -> object:
        row_figures = Figures(20_000.0, 20_000.0, 80_000.0, 200_000.0)
        source = a_source(a_gamma(liquidity=9_500.0 if since_s is not None else 20_000.0), figures=row_figures)
        held = Settings(**settings)
        used = used_figures(source.row, None if since_s is not None else NOW - 3_600.0, source.market, held, NOW)
        return used.words, screened(source, used, None if since_s is None else NOW - since_s, held, NOW).passes

    return judge


def addresses(settings: dict[str, Any]) -> object:
    """Where the official client goes."""
    from core.venue.gateway_polymarket import environment_for

    return repr(environment_for(Settings(**settings))._config)


def catalogue(settings: dict[str, Any]) -> object:
    """Which markets are asked for at which address."""
    asked: list[object] = []

    class Asked(Catalogue):
        def __init__(self, own: Settings, clock: Clock) -> None:
            super().__init__(own, clock)
            asked.append(own.gamma_url)

        async def look(self, rows: Sequence[ListRow]) -> dict[str, Sourced]:
            asked.append([row.market for row in rows])
            return {}

    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(PreflightError),
    ):
        patch.setattr(compose, "Catalogue", Asked)
        places, engine = Places(Path(folder), "paper"), SimpleNamespace(profiles=None)
        places.directory.mkdir(mode=0o700)
        stub: Any = SimpleNamespace(
            note=lambda *_: None, engine=engine, clock=ManualClock(), places=places, subscribe=None, emit_quietly=None
        )
        own = Settings(**({"markets": (MARKET,), "mode": "live"} | settings))
        asyncio.run(compose._selected(stub, own, {"HOME": folder}))
    return asked


def demo_arguments(settings: dict[str, Any]) -> object:
    """How the demo's exchange is started."""
    asked: list[object] = []

    async def start(*arguments: object, **_: object) -> Any:
        asked.extend(arguments)
        raise OSError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError):
        patch.setattr(asyncio, "create_subprocess_exec", start)
        asyncio.run(demo.DemoExchange().start(Settings(**settings)))
    return asked


def metrics(settings: dict[str, Any]) -> object:
    """The port metrics are served on, if any."""
    served: list[int] = []
    unused: Any = None
    unopened: Any = SimpleNamespace()

    async def serve() -> None:
        own = Settings(**settings)
        run = session.Session(
            own, Places(Path("x"), own.mode), ManualClock(), Redactor(), unused, "0", lambda: 0.0, None, unopened
        )
        run._serve_metrics()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "MetricsServer", lambda port, _: served.append(port))
        asyncio.run(serve())
    return served


def sockets(settings: dict[str, Any]) -> object:
    """On how many sockets six tokens are carried, and when the first of them is to be replaced."""
    engine: Any = SimpleNamespace(data=SimpleNamespace(find=None))
    listener: Any = SimpleNamespace(engine=engine, clock=ManualClock(), emit=None)
    unused: Any = None
    market = Feeds(listener, Settings(**settings), unused, unused, unused).market
    market.subscribe([str(n) for n in range(6)])
    (first, *_) = market._bundles
    first.links[0].channel.opened_s = 0.0
    return [socket.tokens for socket in market.sockets], market._recycle_at(first)


def state_place(settings: dict[str, Any]) -> object:
    """Where the database is."""
    own = Settings(**settings)
    return Places(Path(own.state_dir), own.mode).database


def paper_cash(settings: dict[str, Any]) -> object:
    """What a paper account starts with."""
    replay = Replay(Path("unused"), Settings(**settings), {})
    replay._begin()
    return replay.engine.books.cash


def geoblock_place(settings: dict[str, Any]) -> object:
    """Whom a look before a start asks whether the venue is closed to us, and whether that is the venue's own word."""
    configured = Settings(**({"mode": "live"} | settings))
    return place_of(configured.geoblock_url), hosts(configured).level


def list_place(settings: dict[str, Any]) -> object:
    """Where a configuration has its market list read, and what comes of it."""
    named = {"mode": "paper", "spreadsheet_url": "x" * 44, "google_credentials": "a.json"}
    provider = provider_of(Settings(**(named | settings)), {}, ())
    where = [provider.source, *(getattr(provider, name, None) for name in ("spreadsheet", "base"))]
    try:
        asyncio.run(provider.read())
    except ListError as error:
        return [*where, str(error)]
    raise AssertionError("there is nothing to be read")


def market_list(settings: dict[str, Any]) -> object:
    """What becomes in twelve minutes of a list of six markets from which one is taken: made, drained, read so often."""

    async def scene(root: Path, clock: ManualClock) -> object:
        stage = ListStage(root, clock, Sheet(*range(6)), ListVenue(), Settings(min_trend=0.0, **settings))
        try:
            await stage.begin()
            stage.sheet.of(*range(5))
            await asyncio.sleep(720.0)
            return stage.drains(), stage.view().proposal, stage.sheet.reads
        finally:
            await stage.end()

    clock = ManualClock(unix=NOON)
    with tempfile.TemporaryDirectory() as folder, jumping_runner(clock) as runner:
        return runner.run(scene(Path(folder), clock))


def list_bounds(settings: dict[str, Any]) -> object:
    """How long a market list of two rows is waited for, and whether that is too many."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "markets.csv")
        ids = [f"0x{number:064x},{number},{number + 5}" for number in (1, 2)]
        path.write_text("\n".join([",".join(COLUMNS), *(f"{line},1,2,3,4" for line in ids)]))
        provider = FileProvider(path, Settings(**settings), ())
        waits = []
        call = Aside.call

        def noted(self: Any, work: Any, deadline_s: float) -> Any:
            waits.append(deadline_s)
            return call(self, work, deadline_s)

        with patch.object(Aside, "call", noted):
            try:
                return waits, asyncio.run(provider.read()).rows
            except ListError:
                return waits


TABLE: Final[dict[str, tuple[object, Callable[[dict[str, Any]], object]]]] = {
    "mode": ("live", state_place),
    "seed": (2, plan),
    "state_dir": ("elsewhere", state_place),
    "metrics_port": (0, metrics),
    "demo_markets": (2, demo_arguments),
    "markets": (("0x" + "b" * 64,), catalogue),
    "bankroll_usd": (10_000.0, story()),
    "paper_cash_usd": (1_000.0, paper_cash),
    "clob_url": ("https://a.example", addresses),
    "gamma_url": ("https://a.example", catalogue),
    "data_url": ("https://a.example", addresses),
    "relayer_url": ("https://a.example", addresses),
    "ws_market_url": ("wss://a.example", addresses),
    "ws_user_url": ("wss://a.example", addresses),
    "rpc_url": ("https://a.example", addresses),
    "sheets_url": ("http://127.0.0.1:9", list_place),
    "geoblock_url": ("http://127.0.0.1:9", geoblock_place),
    "spreadsheet_url": ("y" * 44, list_place),
    "google_credentials": ("b.json", list_place),
    "sheet_tab": ("Others", list_place),
    "market_list": ("no/list.csv", list_place),
    "list_deadline_sec": (5.0, list_bounds),
    "list_rows_max": (1, list_bounds),
    "list_refresh_sec": (60.0, market_list),
    "list_removals_max": (0, market_list),
    "list_shrink_frac": (0.1, market_list),
    "max_markets": (2, market_list),
    "ws_tokens": (2, sockets),
    "ws_copies": (2, sockets),
    "ws_recycle_sec": (60.0, sockets),
    "audit_sec": (0.0, after_a_freeze),
    "list_figures_sec": (60.0, made()),
    "min_liquidity": (30_000.0, made()),
    "min_weekly_volume": (90_000.0, made()),
    "min_trend": (0.5, made()),
    "mm_score_min": (1e9, made()),
    "screen_max_spread": (0.01, made()),
    "screen_min_days": (30.0, made()),
    "screen_max_days": (10.0, made()),
    "screen_min_age_days": (30.0, made()),
    "screen_tags": (("sports",), made()),
    "screen_not_tags": (("politics",), made()),
    "screen_max_fee": (0.01, made()),
    "screen_min_reward": (100.0, made()),
    "screen_ticks": (("0.001",), made()),
    "screen_hysteresis": (0.0, made(86_400.0)),
    "screen_min_stay_sec": (0.0, lambda settings: made(60.0)({"screen_hysteresis": 0.0} | settings)),
    "alpha_fair": (0.9, story()),
    "jump_reset_ticks": (2, story(drop_to=456)),
    "micro_levels": (4, story()),
    "micro_decay": (1.0, story(micro_levels=4)),
    "size_cutoff": (400.0, story()),
    "max_spread": (0.0005, story()),
    "ewma_vol_window_sec": (20.0, story()),
    "vol_sample_sec": (20.0, story()),
    "vol_horizon_sec": (200.0, story()),
    "vol_space": ("log", story(vol_horizon_sec=2000.0)),
    "sigma_cap": (0.001, story(ends_in=90_000.0)),
    "resolve_var_weight": (0.0, story(ends_in=90_000.0)),
    "resolve_t_min_sec": (400_000.0, story(ends_in=90_000.0)),
    "k_vol": (5.0, plan),
    "k_fee_ticks": (3.0, plan),
    "min_edge_ticks": (4.0, plan),
    "inv_gamma": (0.0, plan),
    "inv_skew_mode": ("bankroll", plan),
    "logit_skew_at_cap": (0.5, in_logit_mode),
    "price_min": (0.44, plan),
    "price_max": (0.48, plan),
    "order_layers": (2, plan),
    "base_size_usd": (100.0, plan),
    "max_size_usd": (400.0, plan),
    "layer_ratio": (1.0, plan),
    "layer_step_ticks": (3, plan),
    "layer_step_frac": (2.0, plan),
    "jitter_ticks": (1, plan),
    "size_mode": ("capital", plan),
    "reward_bump": (True, plan),
    "k_tox": (0.0, adverse_fills),
    "tox_cap_ticks": (0.0, adverse_fills),
    "tox_beta": (1.0, adverse_fills),
    "tox_prior_fills": (1000.0, adverse_fills),
    "tox_horizon_sec": (5.0, adverse_fills),
    "event_cooloff_sec": (10.0, after_a_jump),
    "event_spread_mult": (5.0, after_a_jump),
    "event_decay_sec": (5.0, after_a_jump),
    "sweep_frac": (3.0, after_a_sweep),
    "caution_spread_mult": (3.0, one_sided_flow),
    "caution_size_mult": (0.2, one_sided_flow),
    "caution_hold_sec": (5.0, one_sided_flow),
    "caution_window_sec": (10.0, one_sided_flow),
    "caution_min_moves": (100, one_sided_flow),
    "caution_one_sided": (1.0, one_sided_flow),
    "caution_vol_ratio": (90.0, agitation),
    "fade_sec": (20_000.0, towards_an_end(40_000.0)),
    "reduce_sec": (40_100.0, towards_an_end(40_000.0)),
    "close_sec": (3_500.0, towards_an_end(3_600.0, held=5_000)),
    "overdue_size_mult": (0.2, towards_an_end(-8_000.0)),
    "overdue_spread_mult": (4.0, towards_an_end(-8_000.0)),
    "min_market_life_sec": (30 * 86_400.0, made()),
    "group_project_frac": (1.0, of_one_event),
    "soft_cap_delta_pct": (0.01, plan),
    "hard_cap_delta_pct": (0.02, plan),
    "room_reserve_frac": (0.4, plan),
    "market_cap": (0.002, story()),
    "group_cap": (0.001, of_one_event),
    "gross_cap": (0.01, story()),
    "max_order_usd": (10.0, story()),
    "max_open_orders": (2, story()),
    "collar_ticks": (0, far_from_the_middle),
    "collar_frac": (0.1, far_from_the_middle),
    "daily_loss_limit_pct": (0.1, after_a_loss),
    "loss_kill_pct": (0.1, after_a_loss),
    "drawdown_limit_pct": (0.1, after_a_loss),
    "repeat_fills": (4, repeated),
    "repeat_sec": (4.0, repeated),
    "markout_stop_ticks": (9.0, drifting),
    "markout_stop_fills": (3, drifting),
    "markout_cooloff_sec": (60.0, drifting),
    "streak_fills": (4, one_sided),
    "streak_sec": (4.0, one_sided),
    "streak_cooloff_sec": (20.0, one_sided),
    "reject_stop": (30, refused),
    "reject_sec": (1.0, refused),
    "reject_cooloff_sec": (10.0, refused),
    "flatten_passive_sec": (5.0, closing),
    "flatten_cost_frac": (0.005, closing),
    "flatten_gap_ticks": (20, closing),
    "gateway": ("py-clob-client-v2", order_client),
    "adopt_orders": (True, orders_of_an_earlier_session),
    "adopt_shares": (True, shares_of_nobody_known),
    "auto_merge": (False, pairs_of_an_idle_market),
    "merge_min_shares": (26.0, pairs_of_an_idle_market),
    "auto_redeem": (False, tokens_of_a_resolved_market),
    "quote_debounce_ms": (2_000, bid_after_a_move),
    "requote_triggers": ("literal", story()),
    "requote_mid_ticks": (2, verdict(46)),
    "hyst_ticks": (2, verdict(46)),
    "requote_aggr_ticks": (2, verdict(49)),
    "keep_edge_frac": (0.4, verdict(49)),
    "resize_tol": (0.1, verdict(48, size=700)),
    "min_life_sec": (90.0, verdict(46)),
    "requote_queue_levels": (3, verdict(47, ahead=2)),
    "order_max_age_sec": (5.0, after_a_stall),
    "stale_sec": (2.0, after_silence),
}


@pytest.mark.parametrize("name", [item.name for item in fields(Settings)])
def test_setting_changes_what_comes_out(name: str) -> None:
    assert name in TABLE, f"{name} has no scenario that proves it does anything"
    value, scenario = TABLE[name]
    assert value != getattr(Settings(), name)
    assert scenario({name: value}) != scenario({})


def test_scenarios_say_the_same_twice() -> None:
    """A scenario that differed by itself would prove nothing."""
    for scenario in {scenario for _, scenario in TABLE.values()}:
        assert scenario({}) == scenario({})


def test_sizes_unset_follow_the_bankroll() -> None:
    small, large = (plan_quotes(inputs(equity=equity), rules()).targets[0].size for equity in (20_000, 40_000))
    assert large > small
