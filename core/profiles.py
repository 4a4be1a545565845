"""Named parameter sets, and the settings that one market is quoted with.

From weak to strong: defaults; the profile of the market's tick; the profile that its facts suggest; whatever file,
environment and flags set for all markets; a profile that the operator named for the market, in the file or live; the
market's own table; the operator's changes. So a profile that nobody asked for never overrules what somebody set (nor
its like: see :data:`TOGETHER`), and what was asked for one market always overrules what was asked for all.

A profile that the market list names stands where one would that the operator named, if he named none; but whoever may
write the list may not thereby risk more: of each limit (:data:`LIMITS`) the stricter one holds, with and without it
(reliability.md 5, 26).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

import msgspec

from core.config import Effective, Settings, known_setting, typed_setting, with_changes
from core.errors import ConfigError
from core.market.instrument import Instrument
from core.quoting.calendar import read_calendar
from core.quoting.rules import NO_BOUNDS, Bounds
from core.units import Usd

QUOTE_KEYS: Final = frozenset(
    {
        "alpha_fair", "jump_reset_ticks", "micro_levels", "micro_decay", "size_cutoff", "max_spread",
        "ewma_vol_window_sec", "vol_sample_sec", "vol_horizon_sec", "vol_space", "sigma_cap", "resolve_var_weight",
        "resolve_t_min_sec", "k_vol", "k_fee_ticks", "min_edge_ticks", "inv_gamma", "inv_skew_mode", "price_min",
        "price_max", "order_layers", "base_size_usd", "max_size_usd", "layer_ratio", "layer_step_ticks",
        "layer_step_frac", "jitter_ticks", "size_mode", "reward_bump", "soft_cap_delta_pct", "hard_cap_delta_pct",
        "room_reserve_frac", "quote_debounce_ms", "requote_mid_ticks", "hyst_ticks", "requote_aggr_ticks",
        "keep_edge_frac", "resize_tol", "min_life_sec", "requote_queue_levels", "order_max_age_sec",
        "logit_skew_at_cap", "k_tox", "tox_cap_ticks", "tox_beta", "tox_prior_fills", "tox_horizon_sec",
        "event_cooloff_sec", "event_spread_mult", "event_decay_sec", "sweep_frac", "caution_spread_mult",
        "caution_size_mult", "caution_hold_sec", "caution_window_sec", "caution_min_moves", "caution_one_sided",
        "caution_vol_ratio", "fade_sec", "reduce_sec", "close_sec", "overdue_size_mult", "overdue_spread_mult",
        "markout_stop_ticks", "markout_stop_fills", "markout_cooloff_sec", "streak_fills", "streak_sec",
        "market_cap", "max_order_usd", "collar_ticks", "collar_frac",
        "streak_cooloff_sec", "reject_stop", "reject_sec", "reject_cooloff_sec", "repeat_fills", "repeat_sec",
        "flatten_passive_sec", "flatten_cost_frac", "flatten_gap_ticks",
    }
)  # fmt: skip
"""Settings that may differ from market to market; all others are of the program, the account or the whole feed."""

FIXED_KEYS: Final = frozenset({"vol_space"})
"""Those of them that cannot change while a market runs."""

LIMITS: Final[Mapping[str, Literal["less", "more", "less, 0 is never", "as it is"]]] = {
    "market_cap": "less", "hard_cap_delta_pct": "less", "soft_cap_delta_pct": "less", "room_reserve_frac": "more",
    "base_size_usd": "less", "max_size_usd": "less", "max_order_usd": "less", "order_layers": "less",
    "layer_ratio": "less", "reward_bump": "less", "caution_size_mult": "less", "overdue_size_mult": "less",
    "collar_ticks": "less", "collar_frac": "less", "flatten_cost_frac": "less", "flatten_gap_ticks": "less",
    "price_min": "more", "price_max": "less", "fade_sec": "more", "reduce_sec": "more", "close_sec": "more",
    "repeat_fills": "less, 0 is never", "repeat_sec": "more",
    "markout_stop_ticks": "less, 0 is never", "markout_stop_fills": "as it is", "markout_cooloff_sec": "more",
    "streak_fills": "less, 0 is never", "streak_sec": "more", "streak_cooloff_sec": "more",
    "reject_stop": "less, 0 is never", "reject_sec": "more", "reject_cooloff_sec": "more",
}  # fmt: skip
"""Settings that limit what is risked, and which of two values is the stricter one."""

AUTO: Final = "auto"
"""Stands for the profile that the market's facts suggest."""
BUILDS_ON: Final = "builds_on"
"""Key of a ``[profiles.NAME]`` table: another profile whose values it starts from."""

_FINE_TICK: Final = 0.001
"""Coarsest grid that counts as fine, dollars."""
_SHORT_LIFE_S: Final = 2 * 86_400.0
"""Markets that live no longer are short-dated."""
_LONG_LIFE_S: Final = 14 * 86_400.0
"""Political markets that live at least so long are long-dated."""
_SPORTS: Final = frozenset({"sports", "esports"})
_POLITICS: Final = frozenset({"politics", "elections", "geopolitics"})

BUILT_IN: Final[Mapping[str, Mapping[str, Any]]] = {
    # A cent is one tick: what the defaults of the settings are made for; deeper levels make the average steadier.
    "coarse": {"micro_levels": 3},
    # A tenth of a cent is one tick: distances that are money have to be more ticks, and both ends may be quoted.
    "fine": {
        "micro_levels": 3,
        "k_fee_ticks": 3.0,
        "min_edge_ticks": 2.0,
        "layer_step_ticks": 3,
        "requote_mid_ticks": 2,
        "hyst_ticks": 2,
        "requote_aggr_ticks": 2,
        "price_min": 0.0,
        "price_max": 1.0,
        "flatten_gap_ticks": 30,
    },
    # Weeks to go, few trades, news at hours that nobody knows: place in the queue is worth more than the last tick.
    "politics": {
        "alpha_fair": 0.1,
        "ewma_vol_window_sec": 1800.0,
        "vol_sample_sec": 15.0,
        "vol_horizon_sec": 30.0,
        "min_life_sec": 10.0,
        "requote_queue_levels": 4,
    },
    # Scores move the price in seconds, and takers see them before we do.
    "sports": {
        "alpha_fair": 0.35,
        "ewma_vol_window_sec": 300.0,
        "vol_sample_sec": 2.0,
        "caution_window_sec": 30.0,
        "k_vol": 3.0,
        "inv_gamma": 1.5,
        "order_layers": 2,
        "fade_sec": 7_200.0,
        "reduce_sec": 900.0,
        "close_sec": 300.0,
    },
    # The whole variance is owed within hours, and orders may be filled every second.
    "short_dated": {
        "alpha_fair": 0.35,
        "ewma_vol_window_sec": 180.0,
        "vol_sample_sec": 2.0,
        "caution_window_sec": 18.0,
        "resolve_var_weight": 1.0,
        "k_vol": 3.0,
        "inv_gamma": 1.5,
        "order_layers": 2,
        "fade_sec": 1_800.0,
        "reduce_sec": 300.0,
        "close_sec": 120.0,
        "repeat_fills": 30,
        "streak_fills": 12,
    },
}
"""Profiles that come with the program."""
TOGETHER: Final = (
    frozenset({"price_min", "price_max"}),
    frozenset({"fade_sec", "reduce_sec", "close_sec"}),
    frozenset({"ewma_vol_window_sec", "caution_window_sec", "caution_vol_ratio"}),
)
"""Settings that are checked against each other. A profile that nobody asked for sets all that it has of a group or
nothing of it, so that it can never make a start fail."""
TICK_PROFILES: Final = ("coarse", "fine")
"""Chosen by the tick, below any other."""


class Live(msgspec.Struct, frozen=True):
    """What an operator changed for one market while it runs."""

    profile: str = ""
    """Name, ``auto`` against a name in the file, or "" for no wish."""
    changes: tuple[tuple[str, str], ...] = ()
    """(setting, value as text), by name."""


class Listed(NamedTuple):
    """What the market list asks for one market."""

    profile: str = ""
    """Name; "" for no wish."""
    max_usd: Usd | None = None
    """Most the market may lose at cost, micro-dollars; None: as much as the settings say."""


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """The settings of one market together with where each value came from."""

    settings: Settings
    profile: str
    """Names of the profiles in use, the one of the tick first: ``"fine + sports"``."""
    origins: Mapping[str, str]
    """As in :class:`core.config.Effective`, and ``profile NAME ...``, ``FILE [market...]`` or ``operator``."""
    table: str
    """The market's table in the file, as ``FILE: [market...]``; "" without one."""
    bounds: Bounds = NO_BOUNDS
    """Sizes of the market list's profile where the settings go by the bankroll."""

    def rows(self) -> list[dict[str, Any]]:
        """As :meth:`core.config.Effective.rows`, for the settings that may differ from market to market."""
        return [row for row in Effective(self.settings, self.origins).rows() if row["name"] in QUOTE_KEYS]


@dataclass(frozen=True, slots=True)
class _Own:
    """A profile of the operator's file, checked."""

    values: Mapping[str, Any]
    """With those of the profiles it builds on."""
    where: str


@dataclass(frozen=True, slots=True)
class _Table:
    """A market's table of the operator's file, checked."""

    profile: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


_NO_TABLE: Final = _Table()


def tick_profile(tick: float) -> str:
    """The profile of a grid with that tick, dollars."""
    return "fine" if tick <= _FINE_TICK else "coarse"


def profile_of(instrument: Instrument) -> str:
    """The profile that a market's facts suggest beyond its tick; "" when they suggest none.

    Facts only: the choice changes when they do, never with the price or by how it is traded.
    """
    tags = {tag.lower() for tag in instrument.tags}
    if instrument.game_start_unix is not None or tags & _SPORTS:
        return "sports"
    start, end = instrument.start_unix, instrument.end_unix
    life_s = None if start is None or end is None else end - start
    if life_s is not None and 0 < life_s <= _SHORT_LIFE_S:
        return "short_dated"
    if tags & _POLITICS and (life_s is None or life_s >= _LONG_LIFE_S):
        return "politics"
    return ""


class Profiles:
    """The profiles there are, and the settings of every market."""

    def __init__(self, effective: Effective) -> None:
        """Read and check the tables of a settings file.

        Raises:
            ConfigError: a name is unknown, a value is of the wrong kind, out of range or in the wrong unit, or the
                settings of a profile or a market do not fit together; the text names file, table and key.
        """
        self.effective = effective
        tables = effective.tables
        self._own: dict[str, _Own] = {}
        for name in tables.profiles:
            self._own[name] = self._read_profile(name, ())
        self._tables: dict[str, _Table] = {}
        for key, raw in tables.markets.items():
            market = _market_id(key, tables.source)
            if market in self._tables:
                raise ConfigError(f'{tables.source}: [market."{key}"]: this market has a table already; keep one')
            self._tables[market] = self._read_market(key, raw)
        self.calendar = read_calendar(list(tables.calendar), tables.source)
        """Rows of ``[[calendar]]``, in the order of the file."""
        for name, own in self._own.items():
            if name in BUILT_IN:
                raise ConfigError(f"{own.where}: this name is taken by a profile of the program; choose another")
            for tick in TICK_PROFILES:
                self._settle((tick, name), name, _NO_TABLE, Live())
        for table in self._tables.values():
            for chosen in [table.profile] if table.profile else ["", *BUILT_IN]:
                for tick in TICK_PROFILES:
                    self._settle((tick, chosen), table.profile, table, Live())

    @property
    def names(self) -> tuple[str, ...]:
        """All profiles that a market may be given."""
        return (*BUILT_IN, *self._own)

    @property
    def tables(self) -> tuple[str, ...]:
        """Markets that have a table of their own in the file."""
        return tuple(self._tables)

    def for_market(
        self,
        instrument: Instrument,
        live: Live = Live(),  # noqa: B008 - frozen
        listed: str = "",
    ) -> MarketSettings:
        """The settings of a market.

        Args:
            instrument: the market.
            live: what the operator changed.
            listed: profile that the market list names, or "".

        Raises:
            ConfigError: what the operator changed is unknown, out of range or does not fit together, or the list's
                profile does not.
        """
        table = self._tables.get(instrument.market.lower(), _NO_TABLE)
        tick, named = tick_profile(instrument.grid.tick), live.profile or table.profile
        listed = "" if named or listed == AUTO else listed
        named = "" if named == AUTO else self._existing(named, "operator") if named else ""
        plain = self._settle((tick, named or profile_of(instrument)), named, table, live)
        if not listed:
            return plain
        self._existing(listed, "the market list")
        made = _narrowed(plain, self._settle((tick, listed), listed, table, live, "by the market list"))
        if made.settings.price_min >= made.settings.price_max:
            raise ConfigError(f"the market list: profile {listed} and the settings share no price to quote")
        return made

    def without_facts(self, market: str) -> MarketSettings:
        """What is known of a market's settings before its tick, dates and tags are."""
        table = self._tables.get(market.lower(), _NO_TABLE)
        return self._settle(("", table.profile), table.profile, table, Live())

    def changed(self, instrument: Instrument, live: Live, profile: str, changes: tuple[tuple[str, str], ...]) -> Live:
        """What an operator has changed of a market after another change.

        Args:
            instrument: the market.
            live: what was changed before.
            profile: name of a profile, ``auto``, or "" to keep the present one.
            changes: (setting, value as text); a value of "" takes an earlier change back.

        Raises:
            ConfigError: a name is unknown or of no one market, a value is of the wrong kind or range, or the settings
                would not fit together.
        """
        merged = dict(live.changes)
        for key, text in changes:
            name = _quote_key(key, "operator")
            if name in FIXED_KEYS:
                raise ConfigError(f"{name}: what was measured in one space says nothing in another; set it in the file")
            if text.strip():
                merged[name] = text.strip()
            else:
                merged.pop(name, None)
        after = Live(profile or live.profile, tuple(sorted(merged.items())))
        self.for_market(instrument, after)
        return after

    def _settle(
        self, profiles: tuple[str, str], named: str, table: _Table, live: Live, how: str = "named"
    ) -> MarketSettings:
        """Lay everything over each other, weak first; ``profiles`` are the tick's and the topic's."""
        tick, topic = profiles
        by_tick = "" if topic in TICK_PROFILES else tick
        base, values = self.effective, dict[str, Any]()
        origins = dict(base.origins)
        changes = {_quote_key(key, "operator"): text for key, text in live.changes}
        is_set = {name for name, origin in origins.items() if origin != "default"} | set(table.values) | set(changes)
        is_set |= {name for group in TOGETHER if group & is_set for name in group}
        layers: list[tuple[Mapping[str, Any], str, bool]] = []
        if by_tick:
            layers.append((BUILT_IN[by_tick], f"profile {by_tick}, by its tick", True))
        if topic:
            layers.append((self._values(topic), f"profile {topic}, {how if named else 'by its facts'}", not named))
        layers.append((table.values, table.where, False))
        layers.append((changes, "operator", False))
        for layer, origin, is_weak in layers:
            for name, value in layer.items():
                if not is_weak or name not in is_set:
                    values[name], origins[name] = value, origin
        where = table.where or (self._own[named].where if named in self._own else "")
        if live != Live():
            where = "operator"
        settings = with_changes(base.settings, values, where or f"profile {topic or tick}")
        return MarketSettings(settings, " + ".join(name for name in (by_tick, topic) if name), origins, table.where)

    def _values(self, name: str) -> Mapping[str, Any]:
        own = self._own.get(name)
        return BUILT_IN[name] if own is None else own.values

    def _existing(self, name: str, where: str) -> str:
        if name in BUILT_IN or name in self.effective.tables.profiles:
            return name
        raise ConfigError(f"{where}: there is no profile {name!r}; there are {', '.join(self._all_names())}, {AUTO}")

    def _all_names(self) -> Iterator[str]:
        yield from BUILT_IN
        yield from self.effective.tables.profiles

    def _read_profile(self, name: str, above: tuple[str, ...]) -> _Own:
        """One profile with everything it builds on; ``above`` are those that build on it."""
        tables = self.effective.tables
        where = f"{tables.source}: [profiles.{name}]"
        if name in above:
            raise ConfigError(f"{where}: {BUILDS_ON}: builds on itself; take one of {', '.join(above)} out")
        table = dict(tables.profiles[name])
        if name == AUTO:
            raise ConfigError(f"{where}: {AUTO} stands for the choice by facts; choose another name")
        base = table.pop(BUILDS_ON, "")
        values: dict[str, Any] = {}
        if base:
            self._existing(_text(base, f"{where}: {BUILDS_ON}"), f"{where}: {BUILDS_ON}")
            under = BUILT_IN.get(base) or self._read_profile(base, (*above, name)).values
            values.update(under)
        values.update(_quote_values(table, where))
        return _Own(values, where)

    def _read_market(self, market: str, written: Mapping[str, Any]) -> _Table:
        where = f'{self.effective.tables.source}: [market."{market}"]'
        table = dict(written)
        profile = table.pop("profile", "")
        if profile:
            profile = _text(profile, f"{where}: profile")
            profile = "" if profile == AUTO else self._existing(profile, f"{where}: profile")
        return _Table(profile, _quote_values(table, where), where)


def _narrowed(plain: MarketSettings, wished: MarketSettings) -> MarketSettings:
    """The settings that the list's profile makes, each limit as strict as without it at least.

    Limits that are checked against each other fit together as they did, because of each the stricter value is taken;
    but the prices that both would quote may be none.
    """
    values, origins, bounds = dict[str, Any](), dict(wished.origins), dict[str, float]()
    for name in LIMITS:
        before, after = getattr(plain.settings, name), getattr(wished.settings, name)
        if before is None and after is not None:
            bounds[name] = after  # what was allowed goes by the bankroll, which nobody knows here: both hold
        if _stricter(name, before, after) is not after:
            values[name], origins[name] = before, plain.origins[name]
    most = Bounds(None, *[bounds.get(name) for name in ("base_size_usd", "max_size_usd", "max_order_usd")])
    return replace(wished, settings=replace(wished.settings, **values), origins=origins, bounds=most)


def _stricter(name: str, before: Any, after: Any) -> Any:
    """The stricter of two values of a limit; ``before`` where they are alike or none is."""
    if before is None or after is None or before == after:
        return before
    match LIMITS[name]:
        case "more":
            return max(before, after)
        case "less, 0 is never":
            return min(before, after) or max(before, after)
        case "as it is":
            return before
    return min(before, after)


def _quote_values(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings of a table, typed and checked one by one."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = _quote_key(key, where)
        values[name] = typed_setting(name, value, f"{where}: {key}")
    return values


def _quote_key(key: str, where: str) -> str:
    name = known_setting(key, where)
    if name not in QUOTE_KEYS:
        raise ConfigError(f"{where}: {key} holds for the whole program, not for one market; set it outside of tables")
    return name


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(f"{where}: wants the name of a profile, got {value!r}")


def _market_id(key: str, source: str) -> str:
    """The condition id that a table is for, in lower case as the venue writes it.

    Raises:
        ConfigError: it is none; such a table would be nobody's.
    """
    if re.fullmatch(r"0x\S+", key) is None:
        raise ConfigError(f'{source}: [market."{key[:80]}"]: wants a condition id, which begins with 0x')
    return key.lower()
