"""The markets the exchange lists: invented questions with identifiers that follow from the seed."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import structs

from core.exchange.plots import PLOTS, Plot, extra_plot
from core.market.fees import BPS, FeeSchedule
from core.market.instrument import Instrument
from core.units import MICRO, Shares

MAX_MARKETS: Final = len(PLOTS)
_EXTRA: Final = 1_000
"""Markets opened at run time are numbered from here, so that their ids are nobody else's."""
_V2_MARK: Final = ((1 << 64) - 1) << 40
"""Bits whose absence makes the official client take an id for a Protocol V2 position (polymarket-api.md 2.1)."""
_V2_BINARY: Final = "01"
_V2_NEG_RISK: Final = "02"
_DAY_S: Final = 86_400
_NOTHING: Final = 1e-9
"""What rounding may leave of a probability."""


class Listing(msgspec.Struct, frozen=True):
    """One market with everything the catalogue says about it."""

    instrument: Instrument
    plot: Plot
    gamma_id: str
    question_id: str
    """In a neg-risk event that of the event with the number of the outcome in its last byte (polymarket-api.md 11)."""
    event_id: str
    """Shared by the markets of one event."""
    event_title: str
    event_slug: str
    neg_risk_market_id: str
    """Shared by the markets of one neg-risk event, its last byte 0; empty elsewhere."""
    slug: str
    start_unix: int
    """Unix seconds at which the market opened."""
    end_unix: int
    """Unix seconds at which the question resolves."""


def listings(seed: int, markets: int | Sequence[int], start_unix: int) -> list[Listing]:
    """The first ``markets`` markets, or those with these numbers, from 0; ids depend on seed and number only.

    Raises:
        ValueError: more markets are asked for than there are questions, one that is not there, or one twice.
    """
    if isinstance(markets, int):
        if not 1 <= markets <= MAX_MARKETS:
            raise ValueError(f"the number of markets must be 1 to {MAX_MARKETS}")
        markets = range(markets)
    if not markets or len(set(markets)) < len(markets) or not all(0 <= each < MAX_MARKETS for each in markets):
        raise ValueError(f"markets must be different numbers from 0 to {MAX_MARKETS - 1}")
    return [_listing(seed, number, PLOTS[number], start_unix) for number in markets]


def extra_listing(
    seed: int, number: int, start_unix: int, *, days: float | None = None, plot: Plot | None = None
) -> Listing:
    """The ``number``-th market, from 0, to open while the exchange runs; never one of :func:`listings`.

    ``days`` until it resolves may be a fraction; without it the plot says. A given ``plot`` replaces the invented one;
    extra markets whose plots name the same event share it.
    """
    plot = plot or extra_plot(number)
    return _listing(seed, _EXTRA + number, structs.replace(plot, days=days or plot.days), start_unix)


def is_complete(plots: Sequence[Plot]) -> bool:
    """Whether exactly one of these questions comes true: their probabilities sum to 1."""
    return all(plot.neg_risk for plot in plots) and abs(sum(plot.start for plot in plots) - 1) < _NOTHING


def siblings(plot: Plot) -> list[Plot]:
    """All questions of a plot's shared event, listed or not, in their order; empty when it has none of the kind."""
    return [each for each in PLOTS if plot.event and each.event == plot.event]


def _listing(seed: int, number: int, plot: Plot, start_unix: int) -> Listing:
    market, yes_token, no_token = _ids(seed, number, plot)
    end_unix = start_unix + round(plot.days * _DAY_S)
    game_unix = end_unix - plot.game_hours * 3600 if plot.game_hours else None
    event = _event_number(number, plot)
    instrument = Instrument(
        market=market,
        yes_token=yes_token,
        no_token=no_token,
        title=plot.question,
        tick_text=plot.tick_text,
        min_size=Shares(5 * MICRO),
        neg_risk=plot.neg_risk,
        end_unix=float(end_unix),
        reward_min_size=Shares(plot.reward_size * MICRO),
        start_unix=float(start_unix) if game_unix is None else game_unix,
        game_start_unix=game_unix,
        tags=(slug_of(plot.category),),
        event_id=str(30_000 + 100 * (seed % 1000) + event),
        group=_hex_id(seed, event, "neg-risk")[:-2] + "00" if plot.neg_risk else "",
        group_size=len(siblings(plot)) if is_complete(siblings(plot)) else 0,
        group_index=_outcome_number(number, plot) if plot.neg_risk else None,
        reward_max_spread_cents=plot.reward_cents,
        reward_daily_usd=float(plot.daily_reward),
        fees=FeeSchedule(rate=plot.fee_bps * BPS, rebate=round(plot.rebate * MICRO)),
    )
    event_title = plot.event or plot.question
    return Listing(
        instrument=instrument,
        plot=plot,
        gamma_id=str(600_000 + 100 * (seed % 1000) + number),
        question_id=_hex_id(seed, number, "question")
        if instrument.group_index is None
        else f"{instrument.group[:-2]}{instrument.group_index:02x}",
        event_id=instrument.event_id,
        event_title=event_title,
        event_slug=slug_of(event_title),
        neg_risk_market_id=instrument.group,
        slug=slug_of(plot.question),
        start_unix=start_unix,
        end_unix=end_unix,
    )


def _outcome_number(number: int, plot: Plot) -> int:
    """Of a question within its event; an event that grows at run time numbers them as its markets are."""
    family = siblings(plot)
    return family.index(plot) if plot in family else number % 256


def _event_number(number: int, plot: Plot) -> int:
    """The number of an event: that of its first question in the catalogue, else made of its title."""
    if not plot.event:
        return number
    family = siblings(plot)
    if family:
        return PLOTS.index(family[0])
    return 2 * _EXTRA + int.from_bytes(hashlib.sha256(plot.event.encode()).digest()[:4])


def slug_of(title: str) -> str:
    """A title as it stands in addresses: lower-case words joined by ``-``."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def _ids(seed: int, number: int, plot: Plot) -> tuple[str, str, str]:
    """Condition id and both token ids."""
    condition = _hex_id(seed, number, "condition")
    if plot.version == "v1":
        return condition, _token_id(seed, number, "yes"), _token_id(seed, number, "no")
    module = _V2_NEG_RISK if plot.neg_risk else _V2_BINARY
    short = f"{module}{condition[2:38]}{'0' * 16}{condition[38:46]}"
    return f"0x{short}00", str(int(short + "00", 16)), str(int(short + "01", 16))


def _hex_id(seed: int, number: int, what: str) -> str:
    return "0x" + hashlib.sha256(f"{what}/{seed}/{number}".encode()).hexdigest()


def _token_id(seed: int, number: int, what: str) -> str:
    attempt = 0
    while True:
        value = int(_hex_id(seed, number, f"{what}/{attempt}"), 16)
        if value >= 10**76 and value & _V2_MARK:
            return str(value)
        attempt += 1
