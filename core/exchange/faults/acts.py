"""Verbs that happen at once at the venue: what each does to the exchange, in the venue's own ways."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from core.exchange import signing
from core.exchange.chain import contracts
from core.exchange.exchange import Exchange
from core.exchange.faults import verbs
from core.exchange.faults.effects import Link, Scope
from core.exchange.faults.verbs import Verb
from core.exchange.frames import Frame, trade_event
from core.exchange.limits import Bucket, Limits
from core.exchange.orders import NewOrder, Order, Trade
from core.units import MICRO, OrderSide, Outcome, Shares, Side, Ticks

_OUTCOMES: Final[dict[str, Outcome]] = {"yes": "YES", "no": "NO"}
_BUCKETS: Final[dict[str, Bucket]] = {"order": "orders", "cancel": "cancels"}
_OTHER_SIDE: Final[dict[OrderSide, OrderSide]] = {"BUY": "SELL", "SELL": "BUY"}
_TOKENS: Final = {
    "collateral": contracts.PUSD,
    "conditional": contracts.CTF,
    "conditional-v2": contracts.POSITION_MANAGER,
}
_SPENDERS: Final[dict[verbs.Spender, str]] = {
    "exchange": signing.EXCHANGE,
    "neg_risk_exchange": signing.NEG_RISK_EXCHANGE,
    "adapter": contracts.ADAPTER,
    "neg_risk_adapter": contracts.NEG_RISK_ADAPTER,
    "exchange_v3": signing.EXCHANGE_V3,
    "router": contracts.ROUTER,
}
NOBODY: Final = "nobody there yet"


class Changed(msgspec.Struct):
    """What faults that overlap have changed of a market."""

    before: int
    """Taker delay in milliseconds, or 1 where it was paused already."""
    faults: int = 0
    """How many of them have not ended."""


class Stage(msgspec.Struct):
    """Where an act takes place."""

    exchange: Exchange
    limits: Limits
    links: Iterable[Link]
    say: Callable[[Frame], None]
    """Sends a frame that no other fault touches."""
    scope: Scope
    seed: str
    """Differs between any two acts of a run."""
    changed: dict[tuple[type[Verb], str], Changed]
    """By verb and market, what is to be as it was when the last of its faults ends."""

    @property
    def market(self) -> str:
        """The market a verb names that must name one."""
        assert self.scope.market is not None
        return self.scope.market

    def client(self) -> str:
        """The API key meant: the one named, or whoever sent the last order; empty when there is none."""
        if self.scope.key is not None:
            return self.scope.key
        return next((each.owner for each in reversed(self.exchange.received)), "")


def act(verb: Verb, stage: Stage) -> str:
    """Let a verb happen; returns what happened, for the log."""
    return _ACTS[type(verb)](verb, stage)


def strike(verb: verbs.SocketVerb, link: Link) -> None:
    """Do to one socket what a verb about sockets says."""
    if isinstance(verb, verbs.HalfOpen):
        link.stall()
    elif isinstance(verb, verbs.Reset):
        link.reset()
    elif isinstance(verb, verbs.Disconnect):
        link.close(verb.code, verb.reason)


def aims_at(verb: verbs.SocketVerb, scope: Scope, link: Link) -> bool:
    """Whether a socket is one of those a verb is about."""
    return verb.channel in ("both", link.channel) and scope.meets(link)


def lose_race(exchange: Exchange, outcome: str, key: str, order_id: str) -> None:
    """Fill an open order of an API key, or cancel it, before its own cancel is served."""
    order = exchange.engine.orders.get(order_id)
    if order is None or order.status != "LIVE" or order.new.owner != key:
        return
    if outcome == "canceled":
        exchange.withdraw(order_id)
        return
    new = order.new
    exchange.force_trade(new.market, new.outcome, _OTHER_SIDE[new.side], _ahead(exchange, order), exchange.now_ms)


def _ahead(exchange: Exchange, order: Order) -> Shares:
    """Shares a taker must want to fill an order whole: all that stands before it, and itself."""
    total = 0
    side: Side = "ask" if order.yes_side == "bid" else "bid"
    for maker in exchange.engine.books[order.new.market].counterparties(side, order.yes_price):
        total += maker.remaining
        if maker is order:
            break
    return Shares(total)


def _sockets(verb: verbs.SocketVerb, stage: Stage) -> str:
    met = [link for link in list(stage.links) if aims_at(verb, stage.scope, link)]
    for link in met:
        strike(verb, link)
    return f"{len(met)} sockets"


def _say(verb: verbs.Say, stage: Stage) -> str:
    met = [link for link in list(stage.links) if link.channel == verb.channel and stage.scope.meets(link)]
    for link in met:
        link.send(verb.text)
    return f"{len(met)} sockets"


def _restart(verb: verbs.Restart, stage: Stage) -> str:
    stage.exchange.restart(_ms(verb.seconds), keep_orders=verb.keep_orders)
    return f"{verb.seconds:g} s"


def _mode(verb: verbs.Mode, stage: Stage) -> str:
    stage.exchange.set_mode(verb.mode, None if verb.for_s is None else _ms(verb.for_s))
    return verb.mode


def _throttle(verb: verbs.Throttle, stage: Stage) -> str:
    held = stage.exchange.keys.of_key(stage.client())
    if held is None:
        return NOBODY
    stage.limits.drain(held.address, _BUCKETS[verb.bucket], verb.to)
    return f"{verb.bucket} bucket at {verb.to}"


def _settle(verb: verbs.Settle, stage: Stage) -> str:
    stage.exchange.settlement.spoil(verb.how, verb.count, stage.scope.market, verb.retries)
    return f"next {verb.count} trades {verb.how}"


def _foreign_order(verb: verbs.ForeignOrder, stage: Stage) -> str:
    exchange, key = stage.exchange, stage.client()
    held = exchange.keys.of_key(key)
    if held is None:
        return NOBODY
    accounts = (each.order.account for each in reversed(exchange.received) if each.order and each.owner == key)
    grid = exchange.engine.instrument(stage.market).grid
    report = exchange.place(
        NewOrder(
            order_id="0x" + hashlib.sha256(f"foreign/{stage.seed}".encode()).hexdigest(),
            account=next(accounts, held.address),
            owner=key,
            market=stage.market,
            outcome=_OUTCOMES[verb.outcome],
            side=verb.side,
            price=Ticks(min(grid.k - 1, max(1, round(verb.price * grid.k)))),
            size=Shares(round(verb.size * MICRO)),
        )
    )
    return report.error or (report.order.new.order_id if report.order else "")


def _stranger_trade(verb: verbs.StrangerTrade, stage: Stage) -> str:
    exchange, size = stage.exchange, Shares(round(verb.size * MICRO))
    report = exchange.force_trade(stage.market, _OUTCOMES[verb.outcome], verb.side, size, exchange.now_ms)
    return report.error or (report.trade.trade_id if report.trade else "")


def _duplicate_fill(verb: verbs.DuplicateFill, stage: Stage) -> str:
    told = 0
    for trade in reversed(stage.exchange.trades.values()):
        if told == verb.count:
            break
        parties = [pair for pair in _parties(trade) if stage.scope.key in (None, pair[0])]
        if not parties:
            continue
        told += 1
        accounts = stage.exchange.ledger.accounts
        involved = (trade.taker, *(fill.order for fill in trade.fills))
        shown = {order.new.account: accounts[order.new.account].shown for order in involved}
        again = msgspec.structs.replace(trade, status=verb.status)
        for owner, account in parties:
            stage.say(trade_event(again, owner, account, shown, stage.exchange.now_ms))
    return f"{told} trades as {verb.status}"


def _parties(trade: Trade) -> list[tuple[str, str]]:
    """Key and account of every client in a trade."""
    involved = (trade.taker, *(fill.order for fill in trade.fills))
    return list({order.new.owner: order.new.account for order in reversed(involved) if order.new.owner}.items())


def _heartbeat_fork(verb: verbs.HeartbeatFork, stage: Stage) -> str:
    deadman, now_ms = stage.exchange.deadman, stage.exchange.now_ms
    keys = deadman.armed() if stage.scope.key is None else [stage.scope.key]
    for key in keys:
        accepted, expected = deadman.beat(key, "", now_ms)
        if not accepted:
            deadman.beat(key, expected, now_ms)
    return f"{len(keys)} keys"


def _tick_change(verb: verbs.TickChange, stage: Stage) -> str:
    tick_text = str(verb.tick)
    stage.exchange.change_tick(stage.market, tick_text)
    return tick_text


def _taker_delay(verb: verbs.TakerDelay, stage: Stage) -> str:
    exchange, market = stage.exchange, stage.market
    _undo_later(verb, stage, exchange.listings[market].plot.delay_ms, lambda ms: exchange.delay_takers(market, ms))
    exchange.delay_takers(market, verb.ms)
    return f"{verb.ms} ms"


def _closed_only(verb: verbs.ClosedOnly, stage: Stage) -> str:
    exchange = stage.exchange
    held = exchange.keys.of_key(stage.client())
    if held is None:
        return NOBODY
    exchange.closed_only.add(held.address)
    if verb.for_s is not None:
        exchange.schedule(exchange.now_ms + _ms(verb.for_s), lambda _: exchange.closed_only.discard(held.address))
    return f"{held.address} may only reduce"


def _allowance(verb: verbs.Allowance, stage: Stage) -> str:
    spenders = verbs.SPENDERS[verb.asset] if verb.spender is None else (verb.spender,)
    amount = verb.amount if verb.asset == "collateral" or not verb.amount else contracts.UNLIMITED
    for spender in spenders:
        stage.exchange.approvals.cut(_TOKENS[verb.asset], _SPENDERS[spender], amount)
    return f"{verb.asset}: {', '.join(spenders)}"


def _pause_market(verb: verbs.PauseMarket, stage: Stage) -> str:
    exchange, market = stage.exchange, stage.market
    was_paused = exchange.phase(market) == "paused"
    _undo_later(verb, stage, was_paused, lambda paused: exchange.pause_market(market, bool(paused)))
    exchange.pause_market(market, True)
    return "paused"


def _undo_later(verb: verbs.Lasting, stage: Stage, before: int, undo: Callable[[int], None]) -> None:
    """Have a change of a market undone when the last of the faults that made it ends."""
    if verb.for_s is None:
        return
    key = (type(verb), stage.market)
    changed = stage.changed.setdefault(key, Changed(before))
    changed.faults += 1

    def end(now_ms: int) -> None:
        changed.faults -= 1
        if not changed.faults:
            del stage.changed[key]
            undo(changed.before)

    stage.exchange.schedule(stage.exchange.now_ms + _ms(verb.for_s), end)


def _close_market(verb: verbs.CloseMarket, stage: Stage) -> str:
    stage.exchange.close_market(stage.market)
    return "closed"


def _resolve(verb: verbs.Resolve, stage: Stage) -> str:
    stage.exchange.resolve(stage.market, verb.result, announce=not verb.silent)
    return f"pays {verb.result}"


def _auto_redeem(verb: verbs.AutoRedeem, stage: Stage) -> str:
    return f"{stage.exchange.auto_redeem(stage.market)} accounts"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


_ACTS: Final[dict[type[Verb], Callable[[Any, Stage], str]]] = {
    verbs.HalfOpen: _sockets,
    verbs.Reset: _sockets,
    verbs.Disconnect: _sockets,
    verbs.Say: _say,
    verbs.Restart: _restart,
    verbs.Mode: _mode,
    verbs.Throttle: _throttle,
    verbs.Settle: _settle,
    verbs.ForeignOrder: _foreign_order,
    verbs.StrangerTrade: _stranger_trade,
    verbs.DuplicateFill: _duplicate_fill,
    verbs.HeartbeatFork: _heartbeat_fork,
    verbs.TickChange: _tick_change,
    verbs.TakerDelay: _taker_delay,
    verbs.ClosedOnly: _closed_only,
    verbs.Allowance: _allowance,
    verbs.PauseMarket: _pause_market,
    verbs.CloseMarket: _close_market,
    verbs.Resolve: _resolve,
    verbs.AutoRedeem: _auto_redeem,
}
INSTANT: Final = frozenset(_ACTS)
"""Verbs that happen; the others go on."""
