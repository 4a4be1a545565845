"""The objects of the Data API, old (camelCase) and new (snake_case) (polymarket-api.md 8).

Sizes in shares, money in dollars, as numbers. Percentages are percentages. Costs leave fees out.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from core.exchange.api.marks import mark
from core.exchange.exchange import Exchange
from core.exchange.history import Basis, Entry
from core.exchange.ledger import Account
from core.exchange.listing import Listing
from core.units import MICRO, OUTCOMES, Outcome

NO_INDEX: Final = 999
"""``outcomeIndex`` of what concerns no single token."""
_NAMES: Final = {"YES": "Yes", "NO": "No"}
_OLD_DECIMALS: Final = 4
_NEW_DECIMALS: Final = 6


class Holding(NamedTuple):
    """One account's stake in one token, held or given away again; money in micro-dollars."""

    account: str
    listing: Listing
    outcome: Outcome
    size: int
    """Micro-shares settled."""
    basis: Basis
    price: int
    """What a share is worth now."""
    status: str
    """``OPEN``, ``REDEEMABLE`` or ``CLOSED``."""
    mergeable: bool

    @property
    def average(self) -> float:
        """Dollars a share cost on average; tokens of which nothing is known count as split ones."""
        basis = self.basis
        if basis.held:
            return basis.cost / basis.held
        return basis.paid / basis.bought if basis.bought else 0.5

    @property
    def cost(self) -> float:
        """Micro-dollars paid for what is held."""
        return self.size * self.average

    @property
    def value(self) -> float:
        """Micro-dollars it is worth."""
        return self.size * self.price / MICRO

    @property
    def gain(self) -> float:
        """Micro-dollars it has gained and not yet made."""
        return self.value - self.cost


def holdings(exchange: Exchange, account: Account) -> Iterator[Holding]:
    """Everything an account holds or held, in the order in which it came to it."""
    bases = exchange.history.bases(account.address)
    for market, outcome in dict.fromkeys((*bases, *account.tokens)):
        size = account.tokens.get((market, outcome), 0)
        basis = bases.get((market, outcome)) or Basis()
        if not size and not basis.bought:
            continue
        resolved = market in exchange.results
        pairs = min(account.tokens.get((market, each), 0) for each in OUTCOMES)
        yield Holding(
            account=account.address,
            listing=exchange.listings[market],
            outcome=outcome,
            size=size,
            basis=basis,
            price=mark(exchange, market, outcome),
            status="CLOSED" if not size else "REDEEMABLE" if resolved else "OPEN",
            mergeable=pairs > 0 and not resolved,
        )


def old_position(held: Holding) -> dict[str, Any]:
    """A row of GET /positions."""
    listing, basis = held.listing, held.basis
    other = _other(held.outcome)
    return {
        "proxyWallet": held.account,
        "asset": listing.instrument.token_of(held.outcome),
        "conditionId": listing.instrument.market,
        "size": _old(held.size),
        "avgPrice": round(held.average, _OLD_DECIMALS),
        "initialValue": _old(held.cost),
        "currentValue": _old(held.value),
        "cashPnl": _old(held.gain),
        "percentPnl": _percent(held.gain, held.cost),
        "totalBought": _old(basis.bought or held.size),
        "realizedPnl": _old(basis.realized),
        "percentRealizedPnl": _percent(held.gain + basis.realized, basis.paid or held.cost),
        "curPrice": _old(held.price),
        "redeemable": held.status == "REDEEMABLE",
        "mergeable": held.mergeable,
        "title": listing.plot.question,
        "slug": listing.slug,
        "icon": "",
        "eventId": listing.event_id,
        "eventSlug": listing.event_slug,
        "outcome": _NAMES[held.outcome],
        "outcomeIndex": OUTCOMES.index(held.outcome),
        "oppositeOutcome": _NAMES[other],
        "oppositeAsset": listing.instrument.token_of(other),
        "endDate": _day(listing.end_unix),
        "negativeRisk": listing.instrument.neg_risk,
    }


def new_position(held: Holding) -> dict[str, Any]:
    """A row of GET /v2/positions."""
    listing, basis = held.listing, held.basis
    other = _other(held.outcome)
    paid = basis.paid or held.cost
    return {
        "proxy_wallet": held.account,
        "token_id": listing.instrument.token_of(held.outcome),
        "opposite_token_id": listing.instrument.token_of(other),
        "condition_id": listing.instrument.market,
        "outcome": _NAMES[held.outcome],
        "opposite_outcome": _NAMES[other],
        "outcome_index": OUTCOMES.index(held.outcome),
        "current_size": _new(held.size),
        "avg_price": round(held.average, _NEW_DECIMALS),
        "entry_cost_usdc": _new(held.cost),
        "entry_fees_usdc": _new(basis.fees),
        "total_cost_usdc": _new(paid),
        "total_size": _new(basis.bought or held.size),
        "current_price": _new(held.price),
        "current_value": _new(held.value),
        "realized_pnl": _new(basis.realized),
        "unrealized_pnl": _new(held.gain),
        "total_pnl": _new(held.gain + basis.realized),
        "percent_pnl": _percent(held.gain, held.cost),
        "percent_realized_pnl": _percent(basis.realized, paid),
        "status": held.status,
        "redeemable": held.status == "REDEEMABLE",
        "mergeable": held.mergeable,
        "negative_risk": listing.instrument.neg_risk,
        "archived": False,
        "verified": False,
        "title": listing.plot.question,
        "slug": listing.slug,
        "icon": "",
        "event_id": listing.event_id,
        "event_slug": listing.event_slug,
        "name": "",
        "profile_image": "",
        "end_date": _day(listing.end_unix),
        "first_entry_at": basis.first_ms // 1000,
        "last_event_at": basis.last_ms // 1000,
    }


def new_trade(entry: Entry, listing: Listing) -> dict[str, Any]:
    """A row of GET /v2/trades."""
    return _common(entry, listing) | {
        "side": entry.side,
        "token_id": _token(entry, listing),
        "size": _new(entry.shares),
        "price": _new(entry.price),
    }


def new_activity(entry: Entry, listing: Listing | None) -> dict[str, Any]:
    """A row of GET /v2/activity."""
    return _common(entry, listing) | {
        "type": entry.kind,
        "is_combo": False,
        "side": entry.side or "",
        "token_id": _token(entry, listing),
        "size": _new(entry.shares),
        "usdc_size": _new(entry.cash),
        "price": _new(entry.price),
    }


def old_spelling(row: dict[str, Any]) -> dict[str, Any]:
    """A new trade or activity in the old API's spelling: camelCase, and ``asset`` for the token."""
    renamed = {_camel(name): value for name, value in row.items() if name != "is_combo"}
    return {"asset" if name == "tokenId" else name: value for name, value in renamed.items()}


def _common(entry: Entry, listing: Listing | None) -> dict[str, Any]:
    return {
        "proxy_wallet": entry.account,
        "timestamp": entry.at_ms // 1000,
        "condition_id": entry.market,
        "transaction_hash": entry.transaction_hash,
        "outcome": _NAMES[entry.outcome] if entry.outcome else "",
        "outcome_index": OUTCOMES.index(entry.outcome) if entry.outcome else NO_INDEX,
        "title": listing.plot.question if listing else "",
        "slug": listing.slug if listing else "",
        "icon": "",
        "event_slug": listing.event_slug if listing else "",
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profile_image": "",
        "profile_image_optimized": "",
    }


def _token(entry: Entry, listing: Listing | None) -> str:
    return listing.instrument.token_of(entry.outcome) if listing and entry.outcome else ""


def _other(outcome: Outcome) -> Outcome:
    return "NO" if outcome == "YES" else "YES"


def _old(micro: float) -> float:
    return round(micro / MICRO, _OLD_DECIMALS)


def _new(micro: float) -> float:
    return round(micro / MICRO, _NEW_DECIMALS)


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, _OLD_DECIMALS) if whole else 0.0


def _day(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
