"""What the world and every owner are told: the frames of both channels, in order, and the notifications."""

from core.exchange import frames
from core.exchange.face import Face
from core.exchange.frames import Frame
from core.exchange.ledger import Ledger
from core.exchange.listing import Listing
from core.exchange.notices import CANCELLED, FILL_FAILED, FILLED, Notices
from core.exchange.orders import OrderUpdate, Report, Trade
from core.market.instrument import Instrument
from core.units import OUTCOMES, Ticks

_ORDINARY = ("LIVE", "DELAYED", "UNMATCHED", "MATCHED", "CANCELED")
"""Statuses an owner expects; of any other the venue sends a notification."""


class Publisher:
    """Turns what happened into frames, kept until they are drained."""

    def __init__(self, ledger: Ledger, notices: Notices) -> None:
        self.faces: dict[str, Face] = {}
        """How each market looks from outside."""
        self._ledger = ledger
        self._notices = notices
        self._frames: list[Frame] = []

    def drain(self) -> list[Frame]:
        """The frames since the last call, in order."""
        out, self._frames = self._frames, []
        return out

    def say(self, frame: Frame) -> None:
        """Add a frame that belongs to no order or trade."""
        self._frames.append(frame)

    def open(self, listing: Listing, now_ms: int) -> None:
        """Begin the empty book of a market, its starting price as last trade."""
        instrument = listing.instrument
        first = Ticks(round(listing.plot.start * instrument.grid.k))
        self.faces[instrument.market] = Face(instrument, first, now_ms)

    def regrid(self, instrument: Instrument, now_ms: int) -> None:
        """Tell a new grid, then both books on it; every level shown must lie on it (polymarket-api.md 2.3)."""
        face = self.faces[instrument.market]
        old = face.instrument.tick_text
        face.advance(now_ms)
        face.regrid(instrument)
        self._frames.extend(frames.tick_size_change(face, old, outcome) for outcome in OUTCOMES)
        self._frames.extend(frames.books(face))

    def report(self, report: Report, now_ms: int) -> None:
        """Tell what one act at the matching engine changed: levels, own orders, then the books of a trade (5.2)."""
        assert report.order is not None
        face = self.faces[report.order.new.market]
        face.advance(now_ms)
        trade = report.trade
        if trade is not None:
            face.set_last_trade(trade.last_price, trade.taker.new.side)
        for change in report.changes:
            before = face.top("YES")
            face.set_level(change.side, change.price, change.size)
            self._frames.append(frames.price_change(face, change))
            if face.top("YES") != before:
                self._frames.extend((frames.best_bid_ask(face, "YES"), frames.best_bid_ask(face, "NO")))
        for update in report.updates:
            self._tell_order(update, now_ms)
        if trade is not None:
            self._frames.extend(frames.books(face))

    def print(self, trade: Trade, now_ms: int) -> None:
        """Tell the tape's entry of a trade."""
        self._frames.append(frames.last_trade_price(trade, now_ms))

    def tell(self, trade: Trade, now_ms: int) -> None:
        """Tell a trade's present status to its parties from outside."""
        outside = [(owner, account) for owner, account in trade.parties if owner]
        if not outside:
            return
        accounts = {trade.taker.new.account, *(fill.order.new.account for fill in trade.fills)}
        shown = {account: self._ledger.accounts[account].shown for account in accounts}
        kind = {"MATCHED": FILLED, "FAILED": FILL_FAILED}.get(trade.status)
        for owner, account in outside:
            self._frames.append(frames.trade_event(trade, owner, account, shown, now_ms))
            if kind is not None:
                self._notices.tell(owner, kind, now_ms, {"trade_id": trade.trade_id, "market": trade.market})

    def _tell_order(self, update: OrderUpdate, now_ms: int) -> None:
        new = update.order.new
        if not new.owner:
            return
        self._frames.append(frames.order_event(update, self._ledger.accounts[new.account].shown, now_ms))
        if update.status not in _ORDINARY:
            self._notices.tell(new.owner, CANCELLED, now_ms, {"order_id": new.order_id, "status": update.status})
