"""From the body of POST /order to an order the engine takes: payload, owner, signature, amounts (4.2, 2.4, 3.4)."""

from typing import Final, NamedTuple, TypeVar

import msgspec

from core.exchange import refusals, signing
from core.exchange.auth import CLOCK_SLACK_S, Credentials
from core.exchange.chain.contracts import CTF, POSITION_MANAGER, PUSD
from core.exchange.exchange import Exchange
from core.exchange.limits import Limits
from core.exchange.orders import NewOrder, OrderType
from core.exchange.signing import EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE, SignedOrder, SigningError
from core.market.instrument import Instrument
from core.units import SIZE_QUANTUM, Grid, Shares, Ticks, Usd
from core.venue.wallets import wallets_of

BATCH_LIMIT: Final = 15
"""Most orders in one POST /orders (polymarket-api.md 2.5)."""
_CENT: Final = 10_000
"""Micro-dollars of the two decimals allowed in a market BUY's dollars."""
_EARLIEST_MS: Final = 10**12
"""A creation time below this was given in seconds."""

T = TypeVar("T")


class PostedOrder(msgspec.Struct, frozen=True):
    """The body of POST /order (polymarket-api.md 4.2)."""

    order: SignedOrder
    owner: str
    orderType: OrderType
    postOnly: bool = False
    deferExec: bool = False


class Accepted(NamedTuple):
    """An order that nothing speaks against but the book."""

    order: NewOrder
    deferred: bool
    """The client wants its answer before the order is matched."""


class Refused(Exception):
    """An order that is refused before matching; carries the venue's text and the id if there is one already."""

    def __init__(self, text: str, order_id: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.order_id = order_id


class Intake:
    """Checks of an order that need no book."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.limits = Limits()
        """How fast each signer may be."""
        self.banned: set[str] = set()
        """Lower-case addresses of keys (EOAs) whose orders are refused."""

    def read(self, raw: bytes | msgspec.Raw, who: Credentials) -> Accepted:
        """Turn one posted order into an engine order.

        Raises:
            Refused: the venue would refuse it without looking at the book.
        """
        if who.address in self.banned:
            raise Refused(refusals.banned(_shown(who)))
        posted = _posted(raw)
        if posted.owner != who.api_key:
            raise Refused(refusals.OWNER)
        signed = posted.order
        place = self._exchange.by_token.get(signed.tokenId)
        if place is None:
            raise Refused(refusals.NO_BOOK)
        instrument = self._exchange.engine.instrument(place[0])
        order_id = self._verify(signed, who, instrument)
        if who.address in self._exchange.closed_only and signed.side == "BUY":
            raise Refused(refusals.closed_only(_shown(who)), order_id)
        price, size, budget = _amounts(posted, instrument.grid, order_id)
        self._exchange.admit(signing.spelled(signed.maker))
        self._check_allowance(signed, instrument, order_id)
        order = NewOrder(
            order_id=order_id,
            account=self._exchange.ledger.account(signed.maker).address,
            owner=who.api_key,
            market=place[0],
            outcome=place[1],
            side="BUY" if signed.side == "BUY" else "SELL",
            price=price,
            size=size,
            order_type=posted.orderType,
            post_only=posted.postOnly,
            expiration=_number(signed.expiration, order_id),
            budget=budget,
        )
        return Accepted(order=order, deferred=posted.deferExec)

    def _check_allowance(self, signed: SignedOrder, instrument: Instrument, order_id: str) -> None:
        """Refuse an order whose exchange contract may not take what it gives (polymarket-api.md 3.6)."""
        v2 = signing.is_v2_position(signed.tokenId)
        spender = EXCHANGE_V3 if v2 else NEG_RISK_EXCHANGE if instrument.neg_risk else EXCHANGE
        token = PUSD if signed.side == "BUY" else POSITION_MANAGER if v2 else CTF
        if self._exchange.approvals.amount(signed.maker.lower(), token, spender) < int(signed.makerAmount):
            raise Refused(refusals.ALLOWANCE, order_id)

    def _verify(self, signed: SignedOrder, who: Credentials, instrument: Instrument) -> str:
        """Check who signed and when; returns the order id (polymarket-api.md 3.5)."""
        maker, signer = signed.maker.lower(), signed.signer.lower()
        kind = signed.signatureType
        if not 0 <= kind <= signing.DEPOSIT_WALLET:
            raise Refused(refusals.PAYLOAD)
        if signer != (maker if kind == signing.DEPOSIT_WALLET else who.address):
            raise Refused(refusals.SIGNER)
        if maker not in (wallet.lower() for wallet in wallets_of(who.address, kind)):
            raise Refused(refusals.MAKER)
        domain = signing.domain_of(signed.tokenId, neg_risk=instrument.neg_risk)
        try:
            struct_hash = signing.order_struct_hash(signed)
        except SigningError as error:
            raise Refused(refusals.PAYLOAD) from error
        order_id = "0x" + signing.digest(domain, struct_hash).hex()
        if not _EARLIEST_MS <= int(signed.timestamp) <= self._exchange.now_ms + CLOCK_SLACK_S * 1000:
            raise Refused(refusals.PAYLOAD, order_id)
        if not signing.is_signed(signed, struct_hash, domain, who.address):
            others = signing.DOMAINS_V2 if domain == signing.DOMAIN_V3 else (signing.DOMAIN_V3,)
            old = any(signing.is_signed(signed, struct_hash, other, who.address) for other in others)
            raise Refused(refusals.VERSION_MISMATCH if old else refusals.SIGNATURE, order_id)
        return order_id


def parse(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Read a JSON body of the type given.

    Raises:
        Refused: it is no JSON, not of that type, no UTF-8, or nested too deeply.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(refusals.PAYLOAD) from error


def _posted(raw: bytes | msgspec.Raw) -> PostedOrder:
    try:
        return parse(raw, PostedOrder)
    except Refused as refusal:
        raise Refused(refusals.VERSION if _is_old(raw) else refusals.PAYLOAD) from refusal


def _is_old(raw: bytes | msgspec.Raw) -> bool:
    """Whether this looks like an order of the first exchange version, which had a signed fee rate (3.4)."""
    try:
        order = parse(raw, dict[str, object]).get("order")
    except Refused:
        return False
    return isinstance(order, dict) and "feeRateBps" in order


def _number(text: str, order_id: str) -> int:
    try:
        return signing.decimal(text)
    except SigningError as error:
        raise Refused(refusals.PAYLOAD, order_id) from error


def _shown(who: Credentials) -> str:
    return signing.spelled(who.address)


def _amounts(posted: PostedOrder, grid: Grid, order_id: str) -> tuple[Ticks, Shares, Usd | None]:
    """Price, size and budget that an order's two amounts mean (polymarket-api.md 2.4)."""
    signed = posted.order
    buys = signed.side == "BUY"
    maker, taker = int(signed.makerAmount), int(signed.takerAmount)
    cash, shares = (maker, taker) if buys else (taker, maker)
    if cash <= 0 or shares <= 0:
        raise Refused(refusals.PAYLOAD, order_id)
    price, off = divmod(cash * grid.k, shares)
    taking = posted.orderType in ("FOK", "FAK")
    fine = 10 ** (4 - grid.decimals) if grid.decimals <= 4 else 1
    if taking:
        price, off = _nearest(price, off, shares)
        coarse = cash % _CENT or shares % fine if buys else shares % SIZE_QUANTUM or cash % fine
    else:
        coarse = shares % SIZE_QUANTUM
    if off:
        raise Refused(refusals.off_grid(order_id, f"{cash / shares:.6g}", grid.tick_text), order_id)
    if coarse:
        raise Refused(refusals.inaccurate(signed.side, grid.decimals + 2, taking=taking), order_id)
    return Ticks(price), Shares(shares), Usd(cash) if taking and buys else None


def _nearest(price: int, rest: int, shares: int) -> tuple[int, int]:
    """The tick a market order means, whose amounts were rounded: it may be off by a hundredth of a tick."""
    if 2 * rest > shares:
        price, rest = price + 1, shares - rest
    return price, rest if 100 * rest > shares else 0
