"""What the venue says of the markets on the list: the catalogue's word held against the exchange's own.

A sheet names markets; nothing it says of them is believed (reliability.md D12, D13). The exchange decides what an order
is built with, the catalogue adds what only it knows, and where they disagree nobody trades.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from core.clock import Clock
from core.config import Settings
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.selection.listed import Figures, ListRow
from core.units import Shares, micro_text
from core.venue.clob_params import ClobMarkets, ClobParams
from core.venue.gamma import PLACEHOLDER, GammaClient, GammaMarket

_SHOWN: Final = 10
"""Digits of a token id that are shown; nobody compares 78 by eye."""


_AT_ONCE: Final = 100
"""Rows compared before others of the session have their turn: a millisecond."""


class Sourced(msgspec.Struct, frozen=True):
    """A row of the list and what the venue says of its market. Texts may carry foreign text."""

    row: ListRow
    market: GammaMarket | None
    """The catalogue's word; None where it has none."""
    params: ClobParams | None
    """The exchange's word; None where it has none."""
    instrument: Instrument | None
    """The market as it is traded, with the exchange's word where that is the authority; None unless both sources are
    there and agree on what orders are built with."""
    refusals: tuple[str, ...]
    """Why it is not to be traded: what contradicts itself, and what the exchange itself says."""
    lags: tuple[str, ...]
    """What may settle by itself within minutes: the catalogue's cache is late, the exchange does not know the market
    yet, a source could not be asked. A new market waits for it; one that is made is not touched, for the catalogue
    alone never opens or closes a market (reliability.md D10, D11)."""
    notes: tuple[str, ...]
    """What is worth knowing and stops nothing."""


def sourced(
    row: ListRow,
    market: GammaMarket | None,
    params: ClobParams | None,
    *,
    unix: float | None = None,
    gamma_trouble: str = "not known to it",
    clob_trouble: str = "not known to it yet",
) -> Sourced:
    """Hold what the sources say of a market against each other.

    Args:
        row: of the list.
        market: the catalogue's word, None where it has none.
        params: the exchange's word, None where it has none.
        unix: seconds now, to tell an end that is past; None for no such note.
        gamma_trouble: why there is no ``market``, in words.
        clob_trouble: why there are no ``params``, in words.
    """
    refusals = _row_against(row, market, params)
    lags: list[str] = []
    notes: list[str] = []
    instrument = None
    if market is None:
        lags.append(f"Gamma: {gamma_trouble.removeprefix('Gamma, ').removeprefix('Gamma market: ')}")
    else:
        lags += [f"Gamma: {doubt}" for doubt in market.doubts]
        refusals += [f"Gamma: {conflict}" for conflict in market.conflicts]
        notes += _timing(market, unix)
    if params is None:
        lags.append(f"the CLOB: {clob_trouble}")
    else:
        lags += [f"the CLOB: {doubt}" for doubt in params.doubts]
        if params.makers_pay:
            refusals.append("makers pay a fee here, by the CLOB")
    if market is not None and params is not None:
        differences = _contract(market, params)
        refusals += differences
        if not differences and not market.conflicts:
            instrument = _instrument(market, params)
        lags += _late(market, params)
        notes += _notes(market, params)
    closed, doubtful = _openness(market, params)
    return Sourced(row, market, params, instrument, (*refusals, *closed), (*lags, *doubtful), tuple(notes))


def _openness(market: GammaMarket | None, params: ClobParams | None) -> tuple[list[str], list[str]]:
    """Why the market takes no orders: by the exchange, and what the catalogue alone holds against it."""
    told = () if market is None else market.obstacles
    refusals = [f"Gamma: {PLACEHOLDER}"] if PLACEHOLDER in told else []
    obstacles = [words for words in told if words != PLACEHOLDER]
    accepting = None if params is None else params.accepting
    if accepting is False:
        closed = "the CLOB takes no orders here"
        return [*refusals, f"{closed}; by Gamma it is {', '.join(obstacles)}" if obstacles else closed], []
    lags = [f"{words} by Gamma" + (", open by the CLOB" if accepting else "") for words in obstacles]
    if params is not None and accepting is None:
        lags.append("the CLOB does not say whether it takes orders")
    return refusals, lags


def _row_against(row: ListRow, market: GammaMarket | None, params: ClobParams | None) -> list[str]:
    """What the row says of the tokens, by the exchange's mapping; by the catalogue's while there is no other."""
    tokens = _yes_and_no(market, params)
    if tokens is None:
        return []
    yes, no = tokens
    if (row.yes_token, row.no_token) == (no, yes):
        return [f"yes_token_id and no_token_id are swapped: YES is {_brief(yes)}"]
    found = []
    for column, told, token in (("yes_token_id", row.yes_token, yes), ("no_token_id", row.no_token, no)):
        if told in ("", token):
            continue
        if told in tokens:
            found.append(f"{column} {_brief(told)} is the market's other outcome")
        elif market is not None and told in market.other_tokens:
            found.append(
                f"{column} {_brief(told)} is of another version: the market trades by its {market.version} ids"
            )
        else:
            found.append(f"{column} {_brief(told)} is no token of this market; it is {_brief(token)}")
    return found


def _contract(market: GammaMarket, params: ClobParams) -> list[str]:
    """Differences in what an order is built with and settled by; none of them is a matter of minutes."""
    item = market.instrument
    found = []
    if params.version not in (None, market.version):
        found.append(f"it trades by {market.version} ids by Gamma, by {params.version} ids by the CLOB")
    tokens = {item.yes_token, item.no_token}
    if tokens != set(params.tokens):
        found.append("Gamma and the CLOB name different tokens")
    elif set(market.outcomes) != set(params.outcomes):
        found.append(f"its outcomes are {_names(market.outcomes)} by Gamma, {_names(params.outcomes)} by the CLOB")
    elif _yes_and_no(market, params) != (item.yes_token, item.no_token):
        found.append(f"Gamma and the CLOB give its outcomes {_names(market.outcomes)} to opposite tokens")
    elif "yes" not in market.outcomes and market.outcomes != params.outcomes:
        found.append(f"its outcomes are {_names(market.outcomes)} by Gamma, in the other order by the CLOB")
    if item.neg_risk != params.neg_risk:
        found.append(f"neg-risk is {_word(item.neg_risk)} by Gamma, {_word(params.neg_risk)} by the CLOB")
    return found


def _yes_and_no(market: GammaMarket | None, params: ClobParams | None) -> tuple[str, str] | None:
    """Tokens of YES, or of the outcome that the catalogue numbers first where none is called so, and of the other one.

    Outcomes are found by name, so the exchange need not number them alike. None when it cannot be told.
    """
    if params is None or (market is not None and set(market.outcomes) != set(params.outcomes)):
        return None if market is None else (market.instrument.yes_token, market.instrument.no_token)
    if market is None and "yes" not in params.outcomes:
        return None
    outcomes = params.outcomes if market is None else market.outcomes
    yes = outcomes.index("yes") if "yes" in outcomes else 0
    return params.token_of(outcomes[yes]), params.token_of(outcomes[1 - yes])


def _late(market: GammaMarket, params: ClobParams) -> list[str]:
    """Differences that a cache of some minutes may make, and what the catalogue holds against the market."""
    item = market.instrument
    pairs: list[tuple[str, str, str]] = [
        ("tick", item.tick_text, params.tick_text),
        ("minimum size", micro_text(item.min_size), micro_text(params.min_size)),
    ]
    if params.game_start_unix is not None or item.game_start_unix is not None:
        pairs.append(("start of the game", _moment(item.game_start_unix), _moment(params.game_start_unix)))
    if item.fees is not None:
        pairs.append(("taker fee rate", _fee(item.fees), _fee(params.fees)))
    if params.reward_min_size is not None:
        pairs.append(("reward minimum size", _size(item.reward_min_size), _size(params.reward_min_size)))
    if params.reward_max_spread_cents is not None:
        told = params.reward_max_spread_cents
        pairs.append(("reward spread", _cents(item.reward_max_spread_cents), _cents(told)))
    found = [f"{what} {ours} by Gamma, {theirs} by the CLOB" for what, ours, theirs in pairs if ours != theirs]
    if market.delay_s and params.taker_delay is False:
        found.append(f"marketable orders are held for {market.delay_s:g} s by Gamma, not at all by the CLOB")
    if item.neg_risk and not item.group:
        found.append("neg-risk without an event group by Gamma")
    return found


def _notes(market: GammaMarket, params: ClobParams) -> list[str]:
    item = market.instrument
    found = []
    if item.fees is None:
        found.append(f"Gamma tells no fees; by the CLOB the taker fee rate is {_fee(params.fees)}")
    if params.rewarded is False and item.reward_daily_usd:
        found.append(f"rewards of ${item.reward_daily_usd:g} a day by Gamma, none by the CLOB: counted as none")
    if params.rewarded is True and not item.reward_daily_usd:
        found.append("rewards by the CLOB, but Gamma tells no pool: counted as none")
    if params.taker_delay:
        found.append("marketable orders are held for 250 ms")
    return found


def _timing(market: GammaMarket, unix: float | None) -> list[str]:
    found = []
    end = market.instrument.end_unix
    if end is None:
        found.append("no end is told")
    elif unix is not None and end <= unix:
        found.append("past its end, which is no end of trading")
    if market.delay_s:
        found.append(f"marketable orders are held for {market.delay_s:g} s")
    return found


def _instrument(market: GammaMarket, params: ClobParams) -> Instrument:
    """The catalogue's instrument with what the exchange says of it."""
    item = market.instrument
    rebate = item.fees.rebate if item.fees is not None else 0
    return structs.replace(
        item,
        tick_text=params.tick_text,
        min_size=params.min_size,
        min_size_text=params.min_size_text,
        game_start_unix=params.game_start_unix if params.game_start_unix is not None else item.game_start_unix,
        fees=structs.replace(params.fees, rebate=rebate),
        reward_min_size=params.reward_min_size or item.reward_min_size,
        reward_max_spread_cents=params.reward_max_spread_cents or item.reward_max_spread_cents,
        reward_daily_usd=0.0 if params.rewarded is False and item.reward_daily_usd else item.reward_daily_usd,
    )


class Offered(NamedTuple):
    """An open market of the venue as a row of a list, and what the catalogue says of it."""

    row: ListRow
    market: GammaMarket


class Catalogue:
    """Reads what the venue says of markets."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """``clock`` says what is past and which reward programmes run."""
        self._gamma = GammaClient(settings.gamma_url, clock)
        self._clob = ClobMarkets(settings.clob_url)
        self._clock = clock

    async def look(self, rows: Sequence[ListRow]) -> dict[str, Sourced]:
        """What both sources say of these rows, by market. Hand in all rows: events are told by their markets.

        Raises:
            VenueError: the catalogue or the exchange as a whole cannot be asked; nothing is known then.
        """
        markets = tuple(dict.fromkeys(row.market for row in rows))
        clob = asyncio.create_task(self._clob.read(markets), name="clob markets")
        try:
            reading, answers = await self._gamma.find(markets), await clob
        finally:
            clob.cancel()
            await asyncio.gather(clob, return_exceptions=True)
        found = {}
        for number, row in enumerate(rows, start=1):
            troubles = {}
            if row.market in reading.unread:
                troubles["gamma_trouble"] = reading.unread[row.market]
            if row.market in answers.unread:
                troubles["clob_trouble"] = answers.unread[row.market]
            listed, params = reading.markets.get(row.market), answers.params.get(row.market)
            told = sourced(row, listed, params, unix=self._clock.unix(), **troubles)
            if row.market in reading.unsized:
                told = structs.replace(told, notes=(*told.notes, reading.unsized[row.market]))
            found[row.market] = told
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def open_markets(self, most: int) -> list[Offered]:
        """Open markets of the venue with Gamma's figures, the busiest of the day first.

        Raises:
            VenueError: Gamma cannot be asked.
        """
        reading = await self._gamma.open_markets(most)
        return [Offered(row_of(market, n), market) for n, market in enumerate(reading.markets.values(), start=1)]

    async def close(self) -> None:
        """Release the connections."""
        await asyncio.gather(self._gamma.close(), self._clob.close())


def row_of(market: GammaMarket, number: int) -> ListRow:
    """A market of the catalogue as a row of a list."""
    item = market.instrument
    return ListRow(number, item.market, item.yes_token, item.no_token, figures_of(market))


def figures_of(market: GammaMarket) -> Figures:
    """What the catalogue tells to screen by; None for what it does not tell."""
    told = (market.liquidity, market.volume_24h, market.volume_7d, market.volume_30d)
    # A number that is not itself is NaN.
    return Figures(*(figure if figure == figure else None for figure in told))


def _brief(token: str) -> str:
    return token if len(token) <= _SHOWN else f"{token[:_SHOWN]}…"


def _names(outcomes: tuple[str, str]) -> str:
    return " and ".join(repr(name[:40]) for name in outcomes)


def _word(value: bool) -> str:
    return "true" if value else "false"


def _moment(unix: float | None) -> str:
    return "none" if unix is None else f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"


def _fee(fees: FeeSchedule) -> str:
    return (
        "none"
        if not fees.rate
        else f"{fees.rate / 1e6:g}" + (f" with exponent {fees.exponent:g}") * (fees.exponent != 1)
    )


def _size(size: Shares | None) -> str:
    return "none" if size is None else micro_text(size)


def _cents(cents: float | None) -> str:
    return "none" if cents is None else f"{cents:g} cents"
