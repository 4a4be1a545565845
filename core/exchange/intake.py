"""From the body of POST /order to an order the engine takes: payload, owner, signature, amounts (4.2, 2.4, 3.4)."""

from typing import Final

import msgspec

from core.exchange import refusals, signing
from core.exchange.auth import Credentials
from core.exchange.exchange import Exchange
from core.exchange.orders import NewOrder, OrderType
from core.exchange.signing import SignedOrder, SigningError
from core.exchange.wallets import wallets_of
from core.market.instrument import Instrument
from core.units import SIZE_QUANTUM, Grid, Shares, Ticks, Usd

BATCH_LIMIT: Final = 15
"""Most orders in one POST /orders (polymarket-api.md 2.5)."""
_CENT: Final = 10_000
"""Micro-dollars of the two decimals allowed in a market BUY's dollars."""


class PostedOrder(msgspec.Struct, frozen=True):
    """The body of POST /order (polymarket-api.md 4.2)."""

    order: SignedOrder
    owner: str
    orderType: OrderType
    postOnly: bool = False
    deferExec: bool = False


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

    def read(self, raw: bytes | msgspec.Raw, who: Credentials) -> NewOrder:
        """Turn one posted order into an engine order.

        Raises:
            Refused: the venue would refuse it without looking at the book.
        """
        try:
            posted = msgspec.json.decode(raw, type=PostedOrder)
        except msgspec.DecodeError as error:
            raise Refused(refusals.VERSION if _is_old(raw) else refusals.PAYLOAD) from error
        if posted.owner != who.api_key:
            raise Refused(refusals.OWNER)
        signed = posted.order
        place = self._exchange.by_token.get(signed.tokenId)
        if place is None:
            raise Refused(refusals.NO_BOOK)
        instrument = self._exchange.engine.instrument(place[0])
        order_id = self._verify(signed, who, instrument)
        price, size, budget = _amounts(posted, instrument.grid, order_id)
        try:
            expiration = int(signed.expiration)
        except ValueError as error:
            raise Refused(refusals.PAYLOAD, order_id) from error
        self._exchange.admit(signed.maker)
        return NewOrder(
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
            expiration=expiration,
            budget=budget,
        )

    def _verify(self, signed: SignedOrder, who: Credentials, instrument: Instrument) -> str:
        """Check who signed; returns the order id (polymarket-api.md 3.5)."""
        maker, signer = signed.maker.lower(), signed.signer.lower()
        kind = signed.signatureType
        if kind not in (0, 1, 2, 3):
            raise Refused(refusals.PAYLOAD)
        if signer != (maker if kind == 3 else who.address):
            raise Refused(refusals.SIGNER)
        if maker not in (wallet.lower() for wallet in wallets_of(who.address, kind)):
            raise Refused(refusals.MAKER)
        domain = signing.DOMAIN_V2_NEG_RISK if instrument.neg_risk else signing.DOMAIN_V2
        order_id = ""
        try:
            struct_hash = signing.order_struct_hash(signed)
            message = signing.digest(domain, struct_hash)
            order_id = "0x" + message.hex()
            signature = signed.signature
            if kind == 3:
                signature = signing.unwrap_nested(signature, domain, struct_hash)
                message = signing.nested_digest(domain, struct_hash, maker)
            genuine = signing.recover(message, signature) == signing.address_bytes(who.address)
        except SigningError as error:
            raise Refused(refusals.SIGNATURE if order_id else refusals.PAYLOAD, order_id) from error
        if not genuine:
            raise Refused(refusals.SIGNATURE, order_id)
        return order_id


def _is_old(raw: bytes | msgspec.Raw) -> bool:
    """Whether this looks like an order of the first exchange version, which had a signed fee rate (3.4)."""
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return False
    order = body.get("order") if isinstance(body, dict) else None
    return isinstance(order, dict) and "feeRateBps" in order


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
        raise Refused(refusals.inaccurate(signed.side, grid.decimals + 2), order_id)
    return Ticks(price), Shares(shares), Usd(cash) if taking and buys else None


def _nearest(price: int, rest: int, shares: int) -> tuple[int, int]:
    """The tick a market order means, whose amounts were rounded: it may be off by a hundredth of a tick."""
    if 2 * rest > shares:
        price, rest = price + 1, shares - rest
    return price, rest if 100 * rest > shares else 0
