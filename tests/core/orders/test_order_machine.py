"""Orders beside a venue that fills, loses, repeats and restarts: what may never happen (reliability.md 4.2, 4.3).

The machine draws any course of events. After every step: only legal transitions, every fill that was told applied
once, nothing that may still come under-counted, no order ended for want of an answer while the venue has it.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.actions import Cancel, ReadOrder
from core.events import (
    CancelAnswered,
    FillSeen,
    KnownFill,
    KnownOrder,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    Recovered,
    TradesRead,
)
from core.orders.doubts import MOST_CANCELS, STUBBORN_SEC
from core.orders.fills import Key
from core.orders.manager import CANCEL_HOLD_SEC, OrderManager
from core.orders.order import TERMINAL, Order
from core.units import MICRO, SIZE_QUANTUM, Shares, Ticks
from tests.builders import MARKET, NOON, a_market, laws
from tests.core.orders.model_venue import TRANSIT_SEC, ModelVenue, Placed

LEGAL = {
    "INTENT": "SENDING DENIED",
    "SENDING": "LIVE PARTIAL MATCHED DELAYED REJECTED UNKNOWN DENIED CANCELLED",
    "DELAYED": "LIVE PARTIAL MATCHED CANCEL_SENT CANCELLED",
    "UNKNOWN": "LIVE PARTIAL MATCHED CANCEL_SENT CANCELLED NOT_PLACED REJECTED DENIED",
    "LIVE": "PARTIAL MATCHED CANCEL_SENT CANCELLED",
    "PARTIAL": "MATCHED CANCEL_SENT CANCELLED",
    "CANCEL_SENT": "MATCHED CANCELLED",
    "MATCHED": "DONE",
    "DONE": "",
    "CANCELLED": "",
    "REJECTED": "",
    "DENIED": "",
    "NOT_PLACED": "LIVE",
}
"""The table of reliability.md 4.2, spelled out once more. A late answer settles UNKNOWN as it would have SENDING.

An order that nobody ever saw is looked for anew when a late word of the user channel says that it was there.
"""
UNSEEN = "not at the venue"
"""Begins the detail of an order that ended by proof of its absence."""
PICK = st.integers(0, 99)
Word = OrderSeen | OpenOrdersRead | TradesRead | CancelAnswered | OrderAnswered
"""What the venue has said and we have not heard yet."""


class OrderMachine(RuleBasedStateMachine):
    """An order manager and a venue."""

    def __init__(self) -> None:
        super().__init__()
        self.orders = OrderManager()
        self.venue = ModelVenue()
        self.instrument = a_market()
        self.now = self.began_s = 100.0
        self.is_out = False
        self.wire: list[Cancel] = []
        """Cancels that were sent and did not arrive."""
        self.words: list[Word] = []
        self.told: dict[Key, list[str]] = {}
        """Words heard of each fill."""
        self.cancels: dict[tuple[str, bool], int] = {}
        """By order, and whether it was sent because nobody knew of the order."""
        self.fresh_starts = 0
        """Outages and restarts so far."""
        self.blind: dict[str, float] = {}
        """Orders that ended without a word on sizes: until when what is untold has to be counted all the same."""
        self.paths: dict[int, str] = {}
        self.rows: dict[int, KnownOrder] = {}
        self.fill_rows: dict[Key, KnownFill] = {}
        self.told_rows: dict[Key, list[str]] = {}
        self.intents: set[int] = set()

    # Helpers

    def pick(self, number: int) -> Placed | None:
        known = list(self.venue.orders.values())
        return known[number % len(known)] if known else None

    def order(self, placed: Placed) -> Order:
        found = self.orders.find(placed.order_id)
        assert found is not None, "an order that the venue may have is never forgotten"
        return found

    def do(self, actions: list[Any]) -> None:
        """Send what is wished; reads are asked by the rules."""
        for action in actions:
            if isinstance(action, Cancel):
                self.wire.append(action)
                key = (action.order_id, action.reason == "outcome unknown")
                self.cancels[key] = self.cancels.get(key, 0) + 1

    def say(self, word: Word, is_heard: bool) -> None:
        """The venue says something, which is heard at once, or later, or never."""
        if is_heard:
            self.hear(word)
        else:
            self.words.append(word)

    def hear_fill(self, word: FillSeen) -> None:
        key = (word.trade_id, word.order_id)
        booked = self.orders.filled(word, self.now)
        before = self.told.setdefault(key, [])
        if booked is not None:
            assert (booked[1] == "booked") == (not before), "when it is first told, and never again"
        before.append(word.settlement)

    def hear(self, word: Word) -> None:
        match word:
            case OrderSeen():
                if word.status == "cancelled" and word.matched is None:
                    self.blind.setdefault(word.order_id, self.now + CANCEL_HOLD_SEC)
                self.orders.seen(word, self.now)
            case OrderAnswered():
                self.do(list(self.orders.answered(word, self.now)))
            case CancelAnswered():
                if word.outcome == "cancelled":
                    self.blind.setdefault(word.order_id, self.now + CANCEL_HOLD_SEC)
                self.do(list(self.orders.cancel_answered(word, self.now)))
            case OpenOrdersRead():
                self.hear_list(word)
            case TradesRead():
                for fill in word.fills:
                    self.hear_fill(fill)
                if word.complete:
                    self.orders.traded(word.asked_s, word.after_unix - NOON, self.now)

    def hear_list(self, word: OpenOrdersRead) -> None:
        before = {order.intent for order in self.orders.all_at_risk() if order.state not in TERMINAL}
        self.orders.listed(word, self.now)
        if not word.complete:
            ended = {o.intent for o in self.orders.all_at_risk() if o.state in TERMINAL} & before
            gone = before - {o.intent for o in self.orders.all_at_risk()}
            assert not ended | gone, "an incomplete list ends no order (I-36)"

    # What we do

    @initialize(ticks=st.lists(st.integers(1, 98), min_size=2, max_size=4), lands=st.booleans())
    def begin(self, ticks: list[int], lands: bool) -> None:
        """Some orders are under way, or rest, before anything else happens."""
        for tick in ticks:
            self.place(tick, 100.0, buys=tick % 3 > 0, yes=tick % 2 > 0)
            self.send(0, is_sent=True, lands=lands or tick % 4 > 0, delay=float(tick % 5))
        if lands:
            self.wait(TRANSIT_SEC)
            for number in range(len(ticks)):
                self.answer(number, is_unknown=False, is_heard=True)

    @precondition(lambda self: len(self.venue.orders) < 6)
    @rule(tick=st.integers(1, 98), size=st.sampled_from([5.0, 100.0, 7.77]), buys=st.booleans(), yes=st.booleans())
    def place(self, tick: int, size: float, buys: bool, yes: bool) -> None:
        wish = self.orders.place(
            self.instrument,
            outcome="YES" if yes else "NO",
            order_side="BUY" if buys else "SELL",
            price=Ticks(tick),
            size=Shares(round(size * MICRO)),
            side="bid" if buys == yes else "ask",
            layer=0,
            reason="test",
            now=self.now,
        )
        assert wish.intent not in self.intents, "no intent is used twice"
        self.intents.add(wish.intent)

    def intended(self) -> list[Order]:
        return [order for order in self.orders.all_at_risk() if order.state.value == "INTENT"]

    @precondition(lambda self: self.intended())
    @rule(number=PICK, is_sent=st.booleans(), lands=st.booleans(), delay=st.sampled_from([0.0, 1.0, TRANSIT_SEC]))
    def send(self, number: int, is_sent: bool, lands: bool, delay: float) -> None:
        """Sign, commit, send; or stop it on our side."""
        order = self.intended()[number % len(self.intended())]
        if not is_sent:
            self.orders.answered(OrderAnswered(intent=order.intent, outcome="denied"), self.now)
            return
        order_id = f"id-{order.intent}"
        self.orders.signed(OrderSigned(intent=order.intent, order_id=order_id), self.now)
        self.flush()
        lands = lands and not self.is_out
        self.venue.orders[order_id] = Placed(order_id, order.size, "transit", lands, self.now + delay)
        self.venue.pass_time(self.now)

    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        placed = self.pick(number)
        if placed is not None:
            self.do(list(self.orders.cancel(self.order(placed), "test", self.now)))

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.0, 2.0, 5.0, 8.0, 21.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.venue.pass_time(self.now)
        actions = self.orders.chase(self.now, is_out=self.is_out, is_deaf=False)
        assert not (self.is_out and actions), "nothing is asked or sent while the venue is out"
        self.do(actions)

    @rule(is_written=st.booleans())
    def journal(self, is_written: bool) -> None:
        """The journal takes what is new, or cannot."""
        if is_written:
            self.flush()
        else:
            self.orders.put_back(self.orders.take_touched())

    def flush(self) -> None:
        touched = self.orders.take_touched()
        self.watch(touched.states)
        for order in touched.orders:
            self.rows[order.intent] = self.row(order)
        for known in touched.fills:
            self.fill_rows[known.fill.key] = KnownFill(known.word, known.fill.intent)
        self.told_rows = {key: list(words) for key, words in self.told.items()}

    def row(self, order: Order) -> KnownOrder:
        return KnownOrder(
            intent=order.intent, order_id=order.order_id, market=order.market, token=order.token,
            outcome=order.outcome, order_side=order.order_side, tick_text=order.grid.tick_text, usd=order.usd,
            size=order.size, filled=order.filled, matched=order.matched, side=order.side, layer=order.layer,
            state=order.state.value, reason=order.reason, created_unix=NOON + order.created_s,
        )  # fmt: skip

    @rule()
    def crash(self) -> None:
        """Begin anew from the journal's rows; what was heard since they were written is lost."""
        self.orders, self.words = OrderManager(), []
        self.fresh_starts += 1
        self.told = {key: list(words) for key, words in self.told_rows.items()}
        self.paths = {}
        recovered = Recovered(
            orders=tuple(self.rows.values()),
            fills=tuple(self.fill_rows.values()),
            next_intent=max(self.intents, default=0) + 1,
        )
        self.orders.recover(recovered, self.now, NOON + self.now, {})
        for order_id in self.venue.orders:
            order = self.orders.find(order_id)
            assert order is not None, "an order that was sent has its row"
            if order.state in TERMINAL:
                self.blind[order_id] = self.now  # its trades are read before anything is quoted

    # What the venue does

    @rule(number=PICK, other=PICK, size=st.sampled_from(["all", "half", "dust", "but dust"]), is_whole=st.booleans())
    def match(self, number: int, other: int, size: str, is_whole: bool) -> None:
        """A trade fills one order, or two."""
        sizes: dict[str, int] = {}
        for placed in (self.pick(number), self.pick(other if is_whole else number)):
            if placed is not None and placed.status in ("open", "delayed"):
                part = {
                    "all": placed.left,
                    "half": placed.left // 2,
                    "dust": 3_000,
                    "but dust": placed.left - 5_000,
                }
                sizes[placed.order_id] = max(1, min(placed.left, part[size]))
        if sizes:
            self.venue.match(sizes)

    @precondition(lambda self: self.venue.parts)
    @rule(number=PICK, words=st.lists(st.sampled_from(["mined", "retrying", "confirmed", "failed"]), max_size=3))
    def settle(self, number: int, words: list[str]) -> None:
        """A trade goes on, or contradicts itself, and the user channel tells it."""
        part = self.venue.parts[number % len(self.venue.parts)]
        for word in words:
            part.words.append(word)
            self.hear_fill(part.word())

    @precondition(lambda self: self.venue.parts)
    @rule(number=PICK, word=PICK)
    def tell_fill(self, number: int, word: int) -> None:
        """Any word there ever was on a fill, again or for the first time."""
        self.hear_fill(self.venue.parts[number % len(self.venue.parts)].word(word))

    @precondition(lambda self: not self.is_out and len(self.venue.orders) < 10 and not self.intended())
    @rule(
        delay=st.sampled_from([0.0, TRANSIT_SEC]),
        filled_at=st.sampled_from([1, 1, 0, 2, 9]),
        guard=st.sampled_from([5.0, 0.5, 31.0]),
        early=st.sampled_from(["trades", "list"]),
        trades=st.sampled_from(["trades", "late trades"]),
    )
    def lose_and_look(self, delay: float, filled_at: int, guard: float, early: str, trades: str) -> None:
        """An answer is lost; the order is on its way, rests, or is filled before, between or after what is read."""
        self.place(tick=50, size=5.0, buys=True, yes=True)
        self.send(0, is_sent=True, lands=True, delay=delay)
        number = len(self.venue.orders) - 1
        placed = self.pick(number)
        assert placed is not None
        self.hear(OrderAnswered(intent=self.order(placed).intent, outcome="unknown"))
        for at, steps in enumerate([[early], [guard, "read"], [2.0, "read"], ["list", trades]]):
            if filled_at == at and placed.status == "open":
                self.venue.match({placed.order_id: placed.left})
            self.look_for(number, steps)

    @rule(number=PICK, is_unknown=st.booleans(), is_heard=st.booleans())
    def answer(self, number: int, is_unknown: bool, is_heard: bool) -> None:
        """The venue's answer to a placement leaves; it is heard now, later or never."""
        placed = self.pick(number)
        if placed is None:
            return
        outcome: Any = {"open": "live", "delayed": "delayed", "never": "refused", "transit": "unknown"}.get(
            placed.status
        )
        if placed.status == "ended":
            outcome = "matched" if placed.left < SIZE_QUANTUM else "live"
        intent = self.order(placed).intent
        self.say(OrderAnswered(intent=intent, outcome="unknown" if is_unknown else outcome), is_heard)

    @precondition(lambda self: self.wire)
    @rule(
        number=PICK,
        fate=st.sampled_from(["done", "done", "done unanswered", "refused", "lost", "unknown"]),
        is_heard=st.booleans(),
    )
    def cancel_arrives(self, number: int, fate: str, is_heard: bool) -> None:
        sent = self.wire.pop(number % len(self.wire))
        done = fate.startswith("done") and not self.is_out
        outcome: Any = self.venue.cancel(sent.order_id) if done else "unknown"
        if fate == "refused":
            outcome = "refused"
        if fate not in ("lost", "done unanswered"):
            self.say(CancelAnswered(order_id=sent.order_id, outcome=outcome), is_heard)

    @precondition(lambda self: not self.is_out)
    @rule(number=PICK, pause=st.sampled_from([0.1, 0.5, 1.0]), is_told=st.booleans())
    def cancel_race(self, number: int, pause: float, is_told: bool) -> None:
        """An order is filled in part just before its cancel is carried out; the answer tells no sizes."""
        placed = self.pick(number)
        if placed is None or placed.status != "open" or placed.left <= SIZE_QUANTUM:
            return
        self.cancel(number)
        self.venue.match({placed.order_id: placed.left // 2})
        self.hear(CancelAnswered(order_id=placed.order_id, outcome=self.venue.cancel(placed.order_id)))
        self.wait(pause)
        if is_told:
            self.hear_fill(self.venue.parts[-1].word())

    @precondition(lambda self: not self.is_out)
    @rule(
        number=PICK,
        steps=st.lists(
            st.one_of(
                st.sampled_from([0.1, 2.0, 2.0, 5.0, 31.0]),
                st.sampled_from(["read", "read", "list", "trades", "late trades", "part of the list"]),
            ),
            min_size=3,
            max_size=8,
        ),
    )
    def look_for(self, number: int, steps: list[Any]) -> None:
        """Somebody looks for an order, in any order of steps; every answer is true when it is given."""
        placed = self.pick(number)
        for step in steps if placed is not None else []:
            if isinstance(step, float):
                self.wait(step)
            elif step == "read" and placed is not None:
                self.hear(self.venue.read(placed.order_id, remembers=False))
            elif "list" in step:
                self.hear(self.venue.list_orders(int(step != "list")))
            else:
                self.hear(self.venue.list_trades(0, self.now - 30.0 if step != "trades" else 0.0))
            self.no_order_ends_unseen_that_the_venue_has()

    @rule(number=PICK, matched=st.sampled_from(["true", "true", "not told", "less", "more"]), is_heard=st.booleans())
    def tell_order(self, number: int, matched: str, is_heard: bool) -> None:
        """The user channel has a word on an order; what it says of a match may be wrong."""
        placed = self.pick(number)
        if placed is None or placed.status in ("transit", "never") or self.is_out:
            return
        size: int | None = placed.filled
        status: Any = "live"
        if placed.status == "ended":
            status = "matched" if placed.left < SIZE_QUANTUM else "cancelled"
        if matched == "not told":
            size = None
        elif status == "cancelled":
            status = "matched" if matched == "more" else status  # cancelled and reported as filled (X16)
        elif matched != "true":
            size = placed.filled // 2 if matched == "less" else placed.filled + 1
            status = "matched" if size else status
        if status == "matched" and placed.is_alive and (not size or placed.size - size < SIZE_QUANTUM):
            status = "live"
        told = None if size is None else Shares(size)
        self.say(OrderSeen(order_id=placed.order_id, status=status, matched=told), is_heard)

    @precondition(lambda self: not self.is_out)
    @rule(number=PICK, remembers=st.booleans(), is_heard=st.booleans())
    def read_order(self, number: int, remembers: bool, is_heard: bool) -> None:
        placed = self.pick(number)
        if placed is not None:
            self.say(self.venue.read(placed.order_id, remembers), is_heard)

    @precondition(lambda self: not self.is_out)
    @rule(left_out=st.sampled_from([0, 0, 1, 3]), is_late=st.booleans(), is_heard=st.booleans())
    def read_lists(self, left_out: int, is_late: bool, is_heard: bool) -> None:
        self.say(self.venue.list_orders(left_out), is_heard)
        self.say(self.venue.list_trades(left_out, max(0.0, self.now - 30.0) if is_late else 0.0), is_heard)

    @precondition(lambda self: self.words)
    @rule(number=PICK, is_again=st.booleans())
    def deliver(self, number: int, is_again: bool) -> None:
        """Something that was said is heard, and may be heard again."""
        place = number % len(self.words)
        word = self.words[place]
        if not is_again or isinstance(word, OrderAnswered | CancelAnswered):
            self.words.pop(place)
        self.hear(word)

    @precondition(lambda self: self.words)
    @rule()
    def deliver_newest(self) -> None:
        self.hear(self.words.pop())

    @rule(is_out=st.booleans(), drops=st.booleans())
    def outage(self, is_out: bool, drops: bool) -> None:
        """The venue restarts, or cancels everything for want of a heartbeat, and comes back."""
        if drops:
            self.venue.drop_all()
            is_out = False
        for placed in self.venue.orders.values():
            if placed.status == "transit":
                placed.lands_s = self.now
        self.venue.pass_time(self.now)
        if (self.is_out and not is_out) or drops:
            self.fresh_starts += 1
            self.orders.venue_was_out(self.now)
        self.is_out = is_out

    @rule(tick=st.sampled_from(["0.01", "0.001", "0.0025"]))
    def change_grid(self, tick: str) -> None:
        old = self.instrument.grid
        self.instrument = a_market(tick)
        self.orders.change_grid(MARKET, old, self.instrument.grid)

    # What holds

    def watch(self, states: list[Any]) -> None:
        """Every step of an order's life is one of the table."""
        for change in states:
            before = self.paths.get(change.intent)
            if before is not None and before != change.state:
                assert change.state in LEGAL[before].split(), f"{before} -> {change.state}"
            self.paths[change.intent] = change.state

    @invariant()
    def only_legal_transitions(self) -> None:
        touched = self.orders.take_touched()
        paths = dict(self.paths)
        self.watch(touched.states)
        self.paths = paths
        self.orders.put_back(touched)

    @invariant()
    def every_fill_told_counts_once(self) -> None:
        sizes = {(part.trade_id, part.order_id): part.size for part in self.venue.parts}
        for order_id in self.venue.orders:
            order = self.orders.find(order_id)
            assert order is not None
            assert order.filled == sum(sizes[key] for key in self.told if key[1] == order_id)
        for key, words in self.told.items():
            known = self.orders.book.find(key)
            assert known is not None and known.fill.size == sizes[key]
            ends = [word for word in words if word in ("confirmed", "failed")]
            assert known.is_final == bool(ends), "once the end was told"
            assert not ends or known.word.settlement == ends[0], "the first end told is the end (I-19)"

    @invariant()
    def nothing_that_may_come_is_left_out(self) -> None:
        at_risk = {order.order_id: order.remaining for order in self.orders.all_at_risk()}
        for placed in self.venue.orders.values():
            order_id = placed.order_id
            order = self.orders.find(order_id)
            assert order is not None
            untold = placed.filled - order.filled
            if order.state in TERMINAL and self.blind.get(order_id, self.now + 1) <= self.now:
                untold = 0
            may_come = untold + (placed.left if placed.is_alive else 0)
            assert at_risk.get(order_id, 0) > may_come - SIZE_QUANTUM, (
                f"{order_id} {order.state.value} {placed.status}: {at_risk.get(order_id, 0)} of {may_come} are counted"
            )

    @invariant()
    def sums_equal_a_recount(self) -> None:
        at_risk = list(self.orders.all_at_risk())
        buys = [order for order in at_risk if order.order_side == "BUY"]
        assert self.orders.reserved_cash() == sum((o.usd * o.remaining + MICRO // 2) // MICRO for o in buys)
        for outcome in ("YES", "NO"):
            sells = [o.remaining for o in at_risk if o.order_side == "SELL" and o.outcome == outcome]
            assert self.orders.reserved_shares(MARKET, outcome) == sum(sells)
        known = [self.orders.by_intent(intent) for intent in self.paths]
        assert {o.intent for o in known if o.at_risk} <= {o.intent for o in at_risk}
        assert all(order.at_risk for order in at_risk)

    @invariant()
    def no_order_ends_unseen_that_the_venue_has(self) -> None:
        for placed in self.venue.orders.values():
            order = self.orders.find(placed.order_id)
            if order is None or order.state not in TERMINAL:
                continue
            if order.state.value == "NOT_PLACED" or order.detail.startswith(UNSEEN):
                assert not placed.is_alive, f"{placed.order_id} is {placed.status} at the venue"
                assert placed.filled == order.filled, "and its fills are known"

    @invariant()
    def cancels_are_bounded(self) -> None:
        stubborn = int((self.now - self.began_s) // STUBBORN_SEC)  # of orders that the venue goes on showing
        most = MOST_CANCELS * (1 + self.fresh_starts) + stubborn
        assert all(count <= most for count in self.cancels.values()), self.cancels
        assert all(order.cancels <= MOST_CANCELS + stubborn for order in self.orders.all_at_risk())

    # How it ends

    def teardown(self) -> None:
        """With a venue that answers, everything is settled: our books are the venue's."""
        if self.is_out:
            self.outage(is_out=False, drops=False)
        self.words.clear()
        for _ in range(40):
            self.now += 3.0
            self.venue.pass_time(self.now)
            for action in self.orders.chase(self.now, is_out=False, is_deaf=False):
                if isinstance(action, ReadOrder):
                    self.hear(self.venue.read(action.order_id, remembers=False))
                else:
                    self.hear(CancelAnswered(order_id=action.order_id, outcome=self.venue.cancel(action.order_id)))
            self.hear(self.venue.list_orders())
            self.hear(self.venue.list_trades())
        for placed in self.venue.orders.values():
            order = self.order(placed)
            assert (order.state in TERMINAL) == (not placed.is_alive), f"{order.state.value}, {placed.status}"
            assert order.filled == placed.filled
            assert order.remaining == (placed.left if placed.is_alive else 0)


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = laws(150)
