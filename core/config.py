"""Every setting: its name, unit, default, check and one sentence, declared once.

The command line, the environment names, ``config show`` and the test that every setting changes an output are all
derived from the fields of :class:`Settings`. Nothing here reads the environment or a clock by itself: the caller
passes the mapping in. Secrets are not settings; see :mod:`core.venue.credentials`.
"""

import difflib
import functools
import hashlib
import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from core.errors import ConfigError
from core.portfolio.markouts import HORIZONS
from core.units import UnitError, grid_of

Mode = Literal["demo", "paper", "live"]
SkewMode = Literal["half_spread", "bankroll", "logit"]
SizeMode = Literal["matched", "capital"]
Triggers = Literal["queue_keeping", "literal"]
VolSpace = Literal["logit", "log", "price"]
OrderClient = Literal["polymarket-client", "py-clob-client-v2"]


def _setting(default: Any, unit: str, text: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"unit": unit, "text": text, "low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Effective values of one run. Formulas and traps: market-making.md 1.14."""

    # Program
    mode: Mode = _setting("demo", "", "what stands at both ends: demo, paper or live")
    seed: int = _setting(1, "", "seed of the demo exchange and of layer jitter", 0, 2**63 - 1)
    state_dir: str = _setting("", "path", "directory of mm_state.db, logs and latches; empty: the user's state home")
    metrics_port: int = _setting(9108, "port", "Prometheus metrics on 127.0.0.1; 0 switches them off", 0, 65535)
    demo_markets: int = _setting(4, "markets", "markets of the demo exchange", 1, 8)
    markets: tuple[str, ...] = _setting((), "", "condition ids to make (paper and live)")
    bankroll_usd: float | None = _setting(None, "dollars", "equity assigned to the strategy; unset: all of it", 1, 1e9)
    paper_cash_usd: float = _setting(50_000.0, "dollars", "cash a paper account starts with", 1, 1e9)
    clob_url: str = _setting("https://clob.polymarket.com", "url", "CLOB REST")
    gamma_url: str = _setting("https://gamma-api.polymarket.com", "url", "Gamma REST")
    data_url: str = _setting("https://data-api.polymarket.com", "url", "Data API")
    relayer_url: str = _setting("https://relayer-v2.polymarket.com", "url", "relayer for gasless transactions")
    ws_market_url: str = _setting("wss://ws-subscriptions-clob.polymarket.com/ws/market", "url", "market channel")
    ws_user_url: str = _setting("wss://ws-subscriptions-clob.polymarket.com/ws/user", "url", "user channel")
    rpc_url: str = _setting("https://polygon.drpc.org", "url", "Polygon RPC (POLYGON_RPC_URL)")
    sheets_url: str = _setting("https://sheets.googleapis.com", "url", "Google Sheets")
    geoblock_url: str = _setting("https://polymarket.com/api/geoblock", "url", "tells where the venue is closed to us")

    # The market list
    spreadsheet_url: str = _setting("", "url", "Google Sheet with the market list (SPREADSHEET_URL)")
    google_credentials: str = _setting(
        "", "path", "service account file that may read it (GOOGLE_APPLICATION_CREDENTIALS)"
    )
    sheet_tab: str = _setting("Selected Markets", "", "tab of the sheet")
    market_list: str = _setting(
        "", "path", "market list, CSV or TOML, in place of a sheet; empty: markets.csv beside the user's settings"
    )
    list_refresh_sec: float = _setting(300.0, "seconds", "between readings of the market list", 5, 86400)
    list_deadline_sec: float = _setting(20.0, "seconds", "longest wait for the market list", 0.5, 300)
    list_rows_max: int = _setting(2000, "rows", "a longer list is taken for a mistake", 1, 100_000)
    list_removals_max: int = _setting(
        1, "markets", "most that may leave the list at a time without being approved", 0, 1000
    )
    list_shrink_frac: float = _setting(
        0.25,
        "fraction",
        "largest part of the list that may leave it at a time, and in a day, without being approved",
        0,
        1,
    )
    list_figures_sec: float = _setting(
        86_400.0, "seconds", "age from which on the list's liquidity and volumes are replaced by Gamma's", 0, 1e8
    )
    max_markets: int = _setting(100, "markets", "most that are made at a time, those of the best income first", 1, 1000)

    # Orders and holdings at the start
    gateway: OrderClient = _setting(
        "polymarket-client", "", "client that signs and sends orders; py-clob-client-v2 is the fallback, an extra"
    )
    adopt_orders: bool = _setting(
        False, "", "orders of an earlier session that still rest keep their place; else they are cancelled"
    )
    adopt_shares: bool = _setting(
        False, "", "shares found at the first sight of a market are the maker's; else they are shown apart"
    )

    # Market data
    ws_tokens: int = _setting(200, "tokens", "most tokens on one socket of the market channel", 2, 500)
    ws_copies: int = _setting(
        1, "sockets", "sockets that carry each token; 2 keeps one alive when the other dies", 1, 2
    )
    ws_recycle_sec: float = _setting(
        3600.0, "seconds", "age at which a socket of the market channel is replaced; 0: never", 0, 1e6
    )
    audit_sec: float = _setting(
        3.5, "seconds", "longest silence of a book before it is compared with REST; 0: never", 0, 3600
    )

    # Which markets
    min_liquidity: float = _setting(10_000.0, "dollars", "least liquidity of a market", 0, 1e12)
    min_weekly_volume: float = _setting(50_000.0, "dollars", "least volume of the last seven days", 0, 1e12)
    min_trend: float = _setting(0.30, "fraction", "least share of the month's volume done in the last week", 0, 1)
    mm_score_min: float = _setting(1e6, "dollars^1.5", "least market score", 0, 1e18)
    screen_max_spread: float | None = _setting(None, "dollars", "widest spread of a market; unset: any", 0.0001, 1)
    screen_min_days: float | None = _setting(None, "days", "least time to a market's end; unset: any", 0, 1e5)
    screen_max_days: float | None = _setting(None, "days", "longest time to a market's end; unset: any", 0, 1e5)
    screen_min_age_days: float | None = _setting(None, "days", "least time since a market began; unset: any", 0, 1e5)
    screen_tags: tuple[str, ...] = _setting((), "", "categories of markets, one of which it has to be in; empty: any")
    screen_not_tags: tuple[str, ...] = _setting((), "", "categories of markets that are not made")
    screen_max_fee: float | None = _setting(None, "fraction", "highest taker fee rate of a market; unset: any", 0, 1)
    screen_min_reward: float | None = _setting(
        None, "dollars a day", "least reward pool of a market; unset: any", 0, 1e9
    )
    screen_ticks: tuple[str, ...] = _setting((), "dollars", "ticks of markets that are made; empty: any")
    screen_hysteresis: float = _setting(
        0.1, "fraction", "how far a made market may fall beyond a threshold before it fails", 0, 1
    )
    screen_min_stay_sec: float = _setting(
        3600.0, "seconds", "a market is made at least so long before the screen takes it out", 0, 1e8
    )

    # Fair value and volatility
    alpha_fair: float = _setting(
        0.2, "per second", "weight of a new microprice after it stood one second", 0.001, 0.999
    )
    jump_reset_ticks: int = _setting(
        0, "ticks", "jump that resets the average; 0: 5 on coarse grids, 10 on fine", 0, 1000
    )
    micro_levels: int = _setting(1, "levels", "levels a side in the microprice", 1, 50)
    micro_decay: float = _setting(0.5, "factor", "weight of each further level in the microprice", 0, 1)
    size_cutoff: float | None = _setting(
        None, "shares", "size a level needs to count; unset: the market's minimum", 0, 1e9
    )
    max_spread: float = _setting(0.10, "dollars", "wider books have no fair value", 0.0001, 1)
    ewma_vol_window_sec: float = _setting(600.0, "seconds", "e-folding time of the variance", 1, 1e6)
    vol_sample_sec: float = _setting(5.0, "seconds", "least time between volatility samples", 0, 3600)
    vol_horizon_sec: float = _setting(12.0, "seconds", "time a quote is taken to be exposed", 0.01, 86400)
    vol_space: VolSpace = _setting("logit", "", "space of the returns: logit, log or price")
    sigma_cap: float = _setting(0.10, "dollars", "upper bound of the deviation over the horizon", 0.0001, 1)
    resolve_var_weight: float = _setting(0.5, "factor", "weight of the variance owed until resolution", 0, 1)
    resolve_t_min_sec: float = _setting(60.0, "seconds", "time to resolution is taken as at least this", 1, 86400)

    # Quotes
    k_vol: float = _setting(2.0, "factor", "half-spread per deviation over the horizon", 0, 100)
    k_fee_ticks: float = _setting(1.0, "ticks", "profit floor added to the half-spread", 0, 1000)
    min_edge_ticks: float = _setting(1.0, "ticks", "least distance of a quote from the reservation price", 0, 1000)
    inv_gamma: float = _setting(
        1.0, "factor", "inventory shift; 1 puts the reducing quote at fair at the hard cap", 0, 100
    )
    inv_skew_mode: SkewMode = _setting("half_spread", "", "scale of the shift: half_spread, bankroll or logit")
    logit_skew_at_cap: float = _setting(
        0.2, "logits", "logit mode: move of the price's logit by the inventory at the hard cap, times inv_gamma", 0, 10
    )
    price_min: float = _setting(0.01, "dollars", "lowest price quoted", 0, 1)
    price_max: float = _setting(0.99, "dollars", "highest price quoted", 0, 1)
    order_layers: int = _setting(3, "layers", "layers a side", 1, 10)
    base_size_usd: float | None = _setting(
        None, "dollars", "risk of the innermost layer; unset: 0.6 % of bankroll", 0.01, 1e9
    )
    max_size_usd: float | None = _setting(
        None, "dollars", "risk of all layers of a side; unset: 3 % of bankroll", 0.01, 1e9
    )
    layer_ratio: float = _setting(1.5, "factor", "risk of each further layer over the one before", 0.1, 10)
    layer_step_ticks: int = _setting(1, "ticks", "least distance between layers", 1, 1000)
    layer_step_frac: float = _setting(0.5, "factor", "distance between layers in half-spreads", 0, 10)
    jitter_ticks: int = _setting(0, "ticks", "largest outward jitter of the outer layers", 0, 100)
    size_mode: SizeMode = _setting("matched", "", "matched: same shares on both sides; capital: same dollars")
    reward_bump: bool = _setting(False, "", "raise a layer to the reward minimum when it is at least half of it")

    # Toxic flow
    k_tox: float = _setting(1.0, "factor", "share of the adverse drift after our fills that the quotes ask back", 0, 10)
    tox_cap_ticks: float = _setting(5.0, "ticks", "most that toxic flow adds to a half-spread", 0, 100)
    tox_beta: float = _setting(0.1, "fraction", "weight of the newest fill in the average drift", 0.001, 1)
    tox_prior_fills: float = _setting(20.0, "fills", "fills without drift that the average is shrunk with", 0.01, 1e6)
    tox_horizon_sec: float = _setting(
        30.0, "seconds", "time after a fill at which its drift is taken: 1, 5, 30 or 300", 1, 300
    )

    # Regimes
    event_cooloff_sec: float = _setting(30.0, "seconds", "without quotes after a jump or a sweep", 0, 3600)
    event_spread_mult: float = _setting(2.0, "factor", "half-spread when quotes come back after an event", 1, 20)
    event_decay_sec: float = _setting(60.0, "seconds", "in which that falls to the usual one", 0, 86400)
    sweep_frac: float = _setting(
        0.8, "fraction", "part of the near depth whose taking in a second is an event; 0: none is", 0, 100
    )
    caution_spread_mult: float = _setting(
        1.5, "factor", "half-spread while flow is one-sided or the price agitated", 1, 20
    )
    caution_size_mult: float = _setting(0.5, "factor", "sizes meanwhile", 0, 1)
    caution_hold_sec: float = _setting(30.0, "seconds", "caution lasts at least so long", 0, 3600)
    caution_window_sec: float = _setting(60.0, "seconds", "in which moves of the mid are counted", 1, 3600)
    caution_min_moves: int = _setting(12, "moves", "fewer in the window say nothing", 1, 1000)
    caution_one_sided: float = _setting(
        0.7, "fraction", "moves up less moves down over all that are one-sided flow", 0, 1
    )
    caution_vol_ratio: float = _setting(2.0, "factor", "short over long deviation that is agitation", 1, 100)

    # Towards the end of a market
    fade_sec: float = _setting(86_400.0, "seconds", "before the end from which on sizes shrink", 1, 1e8)
    reduce_sec: float = _setting(7_200.0, "seconds", "before the end from which on orders only reduce", 0, 1e8)
    close_sec: float = _setting(1_800.0, "seconds", "before the end from which on there are no quotes", 0, 1e8)
    overdue_size_mult: float = _setting(
        0.5, "factor", "sizes once the end date has passed and the market trades on", 0, 1
    )
    overdue_spread_mult: float = _setting(1.5, "factor", "half-spread then", 1, 20)
    min_market_life_sec: float = _setting(900.0, "seconds", "markets that live no longer are not made", 0, 1e8)

    # Groups of markets
    group_project_frac: float = _setting(
        0.5, "fraction", "part of the step that makes the fair values of a complete event sum to a dollar", 0, 1
    )

    # Caps
    soft_cap_delta_pct: float = _setting(0.015, "fraction of bankroll", "risk at which adding starts to shrink", 0, 0.5)
    hard_cap_delta_pct: float = _setting(0.03, "fraction of bankroll", "risk at which adding stops", 0.0001, 0.5)
    room_reserve_frac: float = _setting(
        0.05, "fraction", "share of a side's room left free, so that a drifting fair value shuffles no orders", 0, 0.5
    )
    market_cap: float = _setting(
        0.06,
        "fraction of bankroll",
        "most a market may lose at cost, if the worst of its open orders all fill",
        0.0001,
        0.5,
    )
    group_cap: float = _setting(0.10, "fraction of bankroll", "the same for all markets of an event", 0.0001, 0.5)
    gross_cap: float = _setting(0.30, "fraction of bankroll", "risk of all markets together", 0.0001, 0.5)
    daily_loss_limit_pct: float = _setting(
        1.0, "per cent", "loss of the day's opening equity that stops new risk", 0.05, 100
    )
    loss_kill_pct: float = _setting(3.0, "per cent", "loss of the day's opening equity that kills; 0: never", 0, 100)
    drawdown_limit_pct: float = _setting(
        5.0, "per cent", "fall from the account's highest equity that stops new risk; 0: never", 0, 100
    )

    # The gate before every order
    max_order_usd: float | None = _setting(
        None, "dollars", "most an order that adds risk may be worth; unset: max_size_usd", 0.01, 1e9
    )
    max_open_orders: int = _setting(100, "orders", "most orders that may be open", 1, 1000)
    collar_ticks: int = _setting(5, "ticks", "how far beyond the middle of the proven book an order may reach", 0, 1000)
    collar_frac: float = _setting(0.03, "fraction", "the same as a share of the price; the tighter one holds", 0, 1)
    repeat_fills: int = _setting(
        10,
        "orders",
        "of one token and side filled in repeat_sec that close that side until it is resumed; 0: never",
        0,
        1000,
    )
    repeat_sec: float = _setting(60.0, "seconds", "in which these fills are counted", 1, 3600)

    # Protections
    markout_stop_ticks: float = _setting(
        3.0, "ticks", "mean adverse drift after a market's last fills that pauses it; 0: never", 0, 100
    )
    markout_stop_fills: int = _setting(20, "fills", "over which that mean is taken", 1, 1000)
    markout_cooloff_sec: float = _setting(300.0, "seconds", "pause of the market then", 1, 86400)
    streak_fills: int = _setting(
        8, "orders", "filled in a row on one side in streak_sec that pause that side; 0: never", 0, 1000
    )
    streak_sec: float = _setting(30.0, "seconds", "in which these fills are counted", 1, 3600)
    streak_cooloff_sec: float = _setting(60.0, "seconds", "pause of the side then", 1, 86400)
    reject_stop: int = _setting(
        10, "orders", "refused by the venue in reject_sec that pause their market; 0: never", 0, 1000
    )
    reject_sec: float = _setting(60.0, "seconds", "in which refusals are counted", 1, 3600)
    reject_cooloff_sec: float = _setting(60.0, "seconds", "pause of the market then", 1, 86400)

    # Flattening
    flatten_passive_sec: float = _setting(60.0, "seconds", "at the touch before a flattening crosses", 0, 86400)
    flatten_cost_frac: float = _setting(
        0.02, "fraction", "most a flattening may cost of what the position is worth at the fair value", 0, 1
    )
    flatten_gap_ticks: int = _setting(3, "ticks", "between two levels of the book that it does not cross", 1, 1000)

    # Inventory operations
    auto_merge: bool = _setting(True, "", "merge pairs when cash is scarce or a market is idle; never in paper")
    merge_min_shares: float = _setting(20.0, "shares", "least pairs of a market that are merged by themselves", 1, 1e9)
    auto_redeem: bool = _setting(True, "", "redeem what resolved markets pay, from a dollar on; never in paper")

    # Requoting
    quote_debounce_ms: int = _setting(250, "milliseconds", "least time between decisions of a market", 0, 60_000)
    requote_triggers: Triggers = _setting(
        "queue_keeping", "", "rules that move orders; literal, the seed's own, is for comparisons in demo and replay"
    )
    requote_mid_ticks: int = _setting(1, "ticks", "passive distance that replaces an order, before hysteresis", 0, 1000)
    hyst_ticks: int = _setting(1, "ticks", "hysteresis on the passive side", 0, 1000)
    requote_aggr_ticks: int = _setting(1, "ticks", "aggressive distance that replaces an order", 1, 1000)
    keep_edge_frac: float = _setting(
        0.7, "fraction", "share of the half-spread that still earns an order its place", 0, 1
    )
    resize_tol: float = _setting(0.25, "fraction", "size difference that is tolerated", 0, 10)
    min_life_sec: float = _setting(3.5, "seconds", "least life before an order is improved", 0, 3600)
    requote_queue_levels: int = _setting(2, "levels", "levels of others in front that replace an order", 1, 1000)
    order_max_age_sec: float = _setting(
        12.0, "seconds", "lease: an order not confirmed on fresh data for so long goes", 0.5, 3600
    )
    stale_sec: float = _setting(10.0, "seconds", "silence of the feed after which orders are pulled", 0.5, 3600)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a settings file as written; :mod:`core.profiles` and the calendar read them."""

    source: str = ""
    """The file's path, for messages."""
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``[profiles.NAME]``."""
    markets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``[market."CONDITION"]``."""
    calendar: tuple[Any, ...] = ()
    """``[[calendar]]``."""


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings together with where each value came from."""

    settings: Settings
    origins: Mapping[str, str]
    """Setting name -> ``default``, ``environment NAME``, ``flag --name`` or the file's path."""
    tables: Tables = field(default_factory=Tables)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per setting: name, value, unit, origin, text; in order of declaration."""
        return [
            {
                "name": item.name,
                "value": getattr(self.settings, item.name),
                "unit": item.metadata["unit"],
                "origin": self.origins[item.name],
                "text": item.metadata["text"],
            }
            for item in fields(Settings)
        ]


_FIELDS: Final = {item.name: item for item in fields(Settings)}
_ENVIRONMENT_ALIASES: Final = {
    "POLYGON_RPC_URL": "rpc_url",
    "SPREADSHEET_URL": "spreadsheet_url",
    "GOOGLE_APPLICATION_CREDENTIALS": "google_credentials",
}
_GENERIC: Final = frozenset(
    {"mode", "seed", "markets", "state_dir", "gateway", "adopt_orders", "adopt_shares", "market_list", "max_markets"}
)
"""Names too general to be taken from the environment without the program's prefix."""


def environment_name(name: str) -> str:
    """The environment variable of a setting: the seed's upper-case name, prefixed where that would be too general."""
    for alias, target in _ENVIRONMENT_ALIASES.items():
        if target == name:
            return alias
    return f"POLYMM_{name.upper()}" if name in _GENERIC or name.endswith("_url") else name.upper()


def environment_names() -> frozenset[str]:
    """Every variable that :func:`load` looks at."""
    prefixed = {f"POLYMM_{name.upper()}" for name in _ENVIRONMENT_ALIASES.values()}
    return frozenset({*map(environment_name, _FIELDS), *prefixed})


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Effective:
    """Merge defaults, file, environment and flags; the later wins.

    Args:
        path: TOML file, or None.
        environment: usually ``os.environ``.
        flags: settings given on the command line; None values count as not given.

    Raises:
        ConfigError: the file cannot be read or parsed, a name is unknown, a value is of the wrong kind or range.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(_FIELDS, "default")
    tables = Tables()
    if path is not None:
        document = _read(path)
        tables = _tables(document, str(path))
        for key, value in document.items():
            name = known_setting(key, str(path))
            values[name], origins[name] = typed_setting(name, value, f"{path}: {key}"), str(path)
    for name in _FIELDS:
        variable = environment_name(name)
        prefixed = f"POLYMM_{name.upper()}"
        if prefixed != variable and environment.get(prefixed, "") != "":
            if name not in _ENVIRONMENT_ALIASES.values():
                raise ConfigError(f"environment {prefixed}: this setting is called {variable} there")
            variable = prefixed
        if environment.get(variable, "") != "":
            values[name] = typed_setting(name, environment[variable], f"environment {variable}")
            origins[name] = f"environment {variable}"
    for name, value in flags.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            values[name], origins[name] = typed_setting(name, value, flag), f"flag {flag}"
    settings = Settings(**values)
    _check_together(settings)
    return Effective(settings, origins, tables)


@functools.lru_cache(maxsize=1024)
def told(settings: Settings) -> dict[str, Any]:
    """Settings as they are written down: of the node's address only the host, because the rest may hold a key."""
    return {**asdict(settings), "rpc_url": urlsplit(settings.rpc_url).hostname or ""}


def hash_of(settings: Settings) -> str:
    """Twelve hex digits that stand for the values of a whole set of settings; equal sets have equal ones."""
    told = "\n".join(f"{item.name} = {getattr(settings, item.name)!r}" for item in fields(settings))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def with_changes(base: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """Settings with some of them changed, after the checks that are made at start.

    Args:
        base: the settings as they are.
        changes: name to value, typed or as text.
        where: what the messages name before the setting.

    Raises:
        ConfigError: a name is unknown, a value is of the wrong kind or range, or the whole does not fit together.
    """
    names = {known_setting(key, where): (key, value) for key, value in changes.items()}
    typed = {name: typed_setting(name, value, f"{where}: {key}") for name, (key, value) in names.items()}
    settings = replace(base, **typed)
    try:
        _check_together(settings)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return settings


def _tables(document: dict[str, Any], source: str) -> Tables:
    """Take the tables out of a file's document and leave its settings."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, example in (("profiles", "[profiles.NAME]"), ("market", '[market."0x..."]')):
        table = document.pop(name, {})
        if not isinstance(table, dict) or not all(isinstance(each, dict) for each in table.values()):
            raise ConfigError(f"{source}: {name}: wants tables of settings, written as {example}")
        found[name] = table
    calendar = document.pop("calendar", [])
    if not isinstance(calendar, list):
        raise ConfigError(f"{source}: calendar: wants a list of tables, written as [[calendar]]")
    return Tables(source, found["profiles"], found["market"], tuple(calendar))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a readable file with --config") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; correct that place") from error


def known_setting(key: str, where: str) -> str:
    """The name of the setting that ``key`` means.

    Raises:
        ConfigError: there is none; ``where`` and the nearest name are told.
    """
    name = key.lower()
    if name in _FIELDS:
        return name
    near = difflib.get_close_matches(name, _FIELDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; `polymm-tui config show` lists all settings"
    raise ConfigError(f"{where}: unknown setting {key!r}{hint}")


def typed_setting(name: str, value: Any, where: str) -> Any:
    """Turn a value of a file, a variable or a flag into the setting's own type, checked.

    Raises:
        ConfigError: it is of the wrong kind or out of range; ``where`` and the range are told.
    """
    if value is None and type(None) in get_args(_FIELDS[name].type):
        return None
    kind = _FIELDS[name].type
    if isinstance(kind, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return _texts(value, where)
    if get_origin(kind) is Literal:
        return _choice(value, get_args(kind), where)
    if kind is bool:
        return _flag(value, where)
    if kind is str:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: wants text, got {value!r}")
        return value
    number = _number(kind, value, where)
    low, high = _FIELDS[name].metadata["low"], _FIELDS[name].metadata["high"]
    if not low <= number <= high:
        unit = _FIELDS[name].metadata["unit"]
        raise ConfigError(f"{where}: {number:g} is outside {low:g} .. {high:g} {unit}{_TRAPS.get(name, '')}")
    return number


_TRAPS: Final = {
    "soft_cap_delta_pct": "; this is a fraction: 0.015 means 1.5 %",
    "hard_cap_delta_pct": "; this is a fraction: 0.03 means 3 %",
    "daily_loss_limit_pct": "; this is in per cent: 1.0 means 1 %",
}


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ConfigError(f"{where}: wants a list of texts, got {value!r}")


def _choice(value: Any, choices: tuple[str, ...], where: str) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise ConfigError(f"{where}: {value!r} is none of {', '.join(choices)}")


def _flag(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        return value.lower() in {"1", "true", "yes", "on"}
    raise ConfigError(f"{where}: wants true or false, got {value!r}")


def _number(kind: Any, value: Any, where: str) -> float | int:
    problem = ConfigError(f"{where}: wants a{'n integer' if kind is int else ' number'}, got {value!r}")
    if isinstance(value, bool):
        raise problem
    try:
        number = kind(value)
        is_finite = math.isfinite(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise problem from error
    if not is_finite or (kind is int and isinstance(value, float) and value != number):
        raise problem
    return number  # type: ignore[no-any-return]


def _check_together(settings: Settings) -> None:
    """Checks that need more than one setting."""
    if settings.soft_cap_delta_pct >= settings.hard_cap_delta_pct:
        raise ConfigError("soft_cap_delta_pct must be below hard_cap_delta_pct; lower the one or raise the other")
    if settings.requote_triggers == "literal" and settings.mode != "demo":
        raise ConfigError("requote_triggers = literal gives the queue away; it is for comparisons in demo and replay")
    if not settings.fade_sec > settings.reduce_sec >= settings.close_sec:
        raise ConfigError("wants fade_sec above reduce_sec and that not below close_sec; the end comes last")
    if settings.tox_horizon_sec not in HORIZONS:
        raise ConfigError("tox_horizon_sec must be 1, 5, 30 or 300: fills are marked at these horizons")
    if settings.price_min >= settings.price_max:
        raise ConfigError("price_min must be below price_max; lower the one or raise the other")
    least, most = settings.screen_min_days, settings.screen_max_days
    if least is not None and most is not None and least > most:
        raise ConfigError("screen_min_days is above screen_max_days: no market would pass; lower it or raise the other")
    if both := {text.casefold() for text in settings.screen_tags} & {t.casefold() for t in settings.screen_not_tags}:
        raise ConfigError(f"screen_tags and screen_not_tags both name {', '.join(sorted(both))}; take it out of one")
    for text in settings.screen_ticks:
        try:
            grid_of(text)
        except UnitError as error:
            raise ConfigError(f"screen_ticks: {error}; ticks are written as 0.01, 0.001") from error
    if settings.base_size_usd and settings.max_size_usd and settings.base_size_usd > settings.max_size_usd:
        raise ConfigError("base_size_usd must not exceed max_size_usd; lower the one or raise the other")
    if settings.bankroll_usd is not None:
        check_sizes(settings, settings.bankroll_usd, "bankroll_usd")


def check_sizes(settings: Settings, bankroll: float, what: str) -> None:
    """Refuse sizes that are larger than what there is.

    Args:
        settings: of the run, or of one market.
        bankroll: dollars.
        what: what that is, for the message.

    Raises:
        ConfigError: a size is; names it, its value and the bound.
    """
    for name in ("base_size_usd", "max_size_usd", "max_order_usd"):
        size = getattr(settings, name)
        if size is not None and size > bankroll:
            raise ConfigError(f"{name}: {size:g} is over {what} of {bankroll:g} dollars; lower it, or raise that")
