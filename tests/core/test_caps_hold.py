"""No history reaches a state whose worst case exceeds a cap: any strategy, fills, lost answers and commands.

The real engine against a venue that keeps books of its own. Beside the engine's own decisions a strategy gone mad wants
orders of any price and size. The judge knows what is truly at the venue and what truly traded, and counts the worst
case from that: everything that may still fill, as if it filled, and every trade that may still fail, both ways.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.actions import Action, Cancel, CancelAll, CancelMarket, Place, ReadAccount, ReadBooks, ReadOrder, SignedPlace
from core.events import (
    AccountSeen,
    Armed,
    CancelAnswered,
    Event,
    FeedChanged,
    FillSeen,
    ListedOrder,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    TradesRead,
)
from core.orders.order import Order
from core.portfolio.entries import Buy, Sell
from core.portfolio.ledger import posting_of
from core.portfolio.net import NetLedger
from core.risk.exposure import Leg, Loss, leg_of, loss_of, stand_of
from core.risk.gate import Candidate, Cleared, Denial
from core.units import MICRO, SIZE_QUANTUM, Outcome, Shares, Side, Ticks, Usd
from tests.builders import Driver, VenueBook, a_market, laws, shares, usd

NAMES: Final = ("a", "b", "lone")
"""The first two are of one event, of which another outcome may win."""
CASH: Final = 10_000
MARKET_CAP, GROUP_CAP, GROSS_CAP = 0.02, 0.03, 0.04
OVER: Final[dict[str, Any]] = {
    "market_cap": MARKET_CAP, "group_cap": GROUP_CAP, "gross_cap": GROSS_CAP, "hard_cap_delta_pct": 0.03,
    "collar_frac": 1.0, "collar_ticks": 1_000, "max_order_usd": 5_000.0, "quote_debounce_ms": 0,
    "daily_loss_limit_pct": 100.0, "event_cooloff_sec": 0.0, "close_sec": 0.0, "loss_kill_pct": 0.0,
    "drawdown_limit_pct": 0.0, "min_life_sec": 0.0,
}  # fmt: skip
CAPS: Final = frozenset({"token_cap", "market_cap", "group_cap", "account_cap", "order_value"})
OF_EVENTS: Final = frozenset({"group_cap", "account_cap"})
ACTS: Final = (
    "move", "move", "move", "move", "pause", "reduce", "resume", "resume", "cancel_market", "pause_all", "reduce_all",
    "resume_all", "resume_all", "cancel_all", "widen", "shift", "kill",
)  # fmt: skip
FATES: Final = ("rests", "rests", "rests", "rests", "lost", "late", "refused", "never")
"""Of an order that is sent: it rests, the answer to that is lost or late, it is refused, it never came to the venue."""
WISHES: Final = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(("bid", "ask")), st.sampled_from(("YES", "NO")), st.integers(1, 12),
    st.integers(5, 500),
)  # fmt: skip
"""(market, side, token, ticks behind the other touch, shares)."""
PICO: Final = MICRO * MICRO


class Truth:
    """One order as the venue has it."""

    def __init__(self, order: Order) -> None:
        self.order_id, self.market, self.outcome, self.side = order.order_id, order.market, order.outcome, order.side
        self.order_side, self.usd, self.size = order.order_side, order.usd, order.size
        self.left: int = order.size
        self.is_open = True
        self.untold: list[FillSeen] = []

    @property
    def yes_usd(self) -> Usd:
        return self.usd if self.outcome == "YES" else Usd(MICRO - self.usd)

    @property
    def matched(self) -> Shares:
        return Shares(self.size - self.left)


class World(Driver):
    """Engine, courier and venue; orders wait until they are sent, and everything that is asked until it is answered."""

    def __init__(self, *books: VenueBook, **over: Any) -> None:
        self.waiting: list[Place] = []
        self.venue: dict[str, Truth] = {}
        self.unanswered: list[tuple[int, str]] = []
        """(intent, outcome) of orders whose answer is under way."""
        self.asked: list[Action] = []
        self.open: list[tuple[Truth, FillSeen]] = []
        """Trades that were told and are not final."""
        self.final = {name: NetLedger() for name in NAMES}
        self.trades = 0
        super().__init__(*books, **over)

    def send(self, event: Event) -> list[Action]:
        actions = self.engine.handle(event, self.now)
        for action in actions:
            if isinstance(action, Place):
                self.waiting.append(action)
            elif isinstance(action, ReadBooks):
                self._reads.append((self.now, action))
            elif isinstance(action, Cancel | CancelAll | CancelMarket | ReadOrder | ReadAccount):
                self.asked.append(action)
        return actions

    # The courier

    def post(self) -> Cleared | Denial | None:
        """Send the first order that waits, if it still may go; returns the gate's word, None when it is not asked."""
        place = self.waiting.pop(0)
        order_id = f"id-{place.intent}"
        self.send(OrderSigned(intent=place.intent, order_id=order_id))
        if not self.engine.orders.is_wanted(place.intent):
            self.send(OrderAnswered(intent=place.intent, outcome="denied"))
            return None
        word = self.engine.gatekeeper.clear(SignedPlace(place, order_id, None), self.now)
        if isinstance(word, Denial):
            self.send(OrderAnswered(intent=place.intent, outcome="denied", detail=word.text, denial=word.code))
        return word

    def lands(self, intent: int) -> None:
        """An order is in the venue's book from now on."""
        truth = Truth(self.engine.orders.by_intent(intent))
        self.venue[truth.order_id] = truth

    # The venue

    def trade(self, truth: Truth, size: int) -> None:
        self.trades += 1
        truth.left -= size
        fill = FillSeen(
            trade_id=f"t{self.trades}", order_id=truth.order_id, size=Shares(size), settlement="matched", unix=self.unix
        )
        truth.untold.append(fill)

    def tell(self, truth: Truth) -> None:
        """Tell an order's trades that were not told."""
        for fill in truth.untold:
            self.send(fill)
            self.open.append((truth, fill))
        truth.untold = []

    def settle(self, number: int, word: Any) -> None:
        truth, fill = self.open.pop(number)
        if word == "confirmed":
            kind = Buy if truth.order_side == "BUY" else Sell
            self.final[truth.market].post(posting_of(kind(truth.outcome, fill.size, truth.usd)))
        self.send(msgspec.structs.replace(fill, settlement=word))

    def cancels(self, order_id: str) -> None:
        """The venue carries out a cancel."""
        truth = self.venue.get(order_id)
        if truth is None or not truth.is_open:
            if truth is not None:
                self.tell(truth)
            self.send(CancelAnswered(order_id=order_id, outcome="gone"))
            return
        truth.is_open = False
        self.tell(truth)
        self.send(CancelAnswered(order_id=order_id, outcome="cancelled"))

    def answer_one(self, action: Action) -> None:
        match action:
            case Cancel():
                self.cancels(action.order_id)
            case CancelAll() | CancelMarket():
                for truth in [one for one in self.venue.values() if one.is_open]:
                    if isinstance(action, CancelAll) or truth.market == action.market:
                        self.cancels(truth.order_id)
            case ReadOrder():
                self.tells_order(action.order_id)
            case ReadAccount():
                self.tells_account()

    def tells_order(self, order_id: str) -> None:
        truth = self.venue.get(order_id)
        if truth is None:
            self.send(OrderSeen(order_id=order_id, status="absent", asked_s=self.now))
            return
        self.tell(truth)
        status: Any = "live" if truth.is_open else "matched" if not truth.left else "cancelled"
        self.send(OrderSeen(order_id=order_id, status=status, matched=truth.matched, asked_s=self.now))

    def tells_account(self) -> None:
        """Complete lists; what was not told is told by them."""
        fills = tuple(fill for truth in self.venue.values() for fill in truth.untold)
        for truth in self.venue.values():
            self.open += [(truth, fill) for fill in truth.untold]
            truth.untold = []
        rows = tuple(ListedOrder(t.order_id, t.market, matched=t.matched) for t in self.venue.values() if t.is_open)
        self.send(OpenOrdersRead(asked_s=self.now, orders=rows, complete=True))
        self.send(TradesRead(self.now, 0, fills, complete=True))

    # The judge

    def truth_of(self, market: str) -> Loss:
        """What a market may truly lose at cost."""
        legs: dict[Side, list[Leg]] = {"bid": [], "ask": []}
        for truth in self.venue.values():
            if truth.market == market:
                may_fill = (truth.left if truth.is_open else 0) + sum(fill.size for fill in truth.untold)
                legs[truth.side].append(leg_of(truth.side, truth.yes_usd, Shares(may_fill)))
        for truth, fill in self.open:
            if truth.market == market:
                legs[truth.side].append(leg_of(truth.side, truth.yes_usd, fill.size))
        return loss_of(stand_of(self.final[market]), legs["bid"], legs["ask"])


def a_world(**over: Any) -> World:
    items = [
        a_market(market=name, yes=f"{name}1", no=f"{name}2", neg_risk=True, group="" if name == "lone" else "g")
        for name in NAMES
    ]
    world = World(*[VenueBook(item, mid) for item, mid in zip(items, (46, 30, 60), strict=True)], **(OVER | over))
    for feed in ("market", "user"):
        world.send(FeedChanged(feed=feed, connected=True))  # type: ignore[arg-type]
    world.send(AccountSeen(cash=usd(CASH), holdings=()))
    for book in world.books:
        world.send(book.book("YES"))
        world.send(book.book("NO"))
    world.pass_time(2.0)
    return world


class CapsHold(RuleBasedStateMachine):
    """Draws what happens, and looks after each step."""

    @initialize(sees=st.booleans())
    def begin(self, sees: bool) -> None:
        self.world = a_world(order_layers=5 if sees else 2)
        self.killed = False

    # Strategy

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=6))
    def wish(self, wishes: list[tuple[str, Side, Outcome, int, int]]) -> None:
        """A strategy gone mad wants orders; what the gate lets through waits to be sent."""
        for wanted in wishes:
            self.wants(*wanted)

    def wants(self, market: str, side: Side, outcome: Outcome, depth: int, size: int) -> None:
        world = self.world
        desk = world.engine.desks.get(market)
        bid, ask = (None, None) if desk is None else desk.touch_of_others
        if desk is None or bid is None or ask is None:
            return
        tick = max(1, ask - depth) if side == "bid" else min(99, bid + depth)
        price = Ticks(tick if outcome == "YES" else 100 - tick)
        buys = (side == "bid") == (outcome == "YES")
        candidate = Candidate(outcome, "BUY" if buys else "SELL", price, shares(size), side, desk.instrument.grid)
        if world.engine.gatekeeper.judge(desk, candidate, world.now) is None:
            made = world.engine.orders.place(
                desk.instrument,
                outcome=outcome,
                order_side=candidate.order_side,
                price=price,
                size=candidate.size,
                side=side,
                layer=9,
                reason="mad",
                now=world.now,
            )
            world.waiting.append(made)

    @rule(seconds=st.sampled_from((0.3, 1.0, 2.5)))
    def decide(self, seconds: float) -> None:
        """The engine's own decisions; within a second of its cancel everybody is told what an order had filled."""
        for truth in list(self.world.venue.values()):
            if not truth.is_open:
                self.world.tell(truth)
        self.world.pass_time(seconds)

    # Courier and venue

    @precondition(lambda self: self.world.waiting)
    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=8))
    def send(self, fates: list[str]) -> None:
        for fate in fates[: len(self.world.waiting)]:
            self.sends(fate)

    def sends(self, fate: str) -> None:
        world = self.world
        if not world.waiting:  # the last answer pulled them
            return
        intent = world.waiting[0].intent
        if not isinstance(world.post(), Cleared):
            return
        if fate in ("rests", "lost", "late"):
            world.lands(intent)
        if fate == "late":
            world.unanswered.append((intent, "live"))
        else:
            outcome: Any = {"rests": "live", "refused": "refused"}.get(fate, "unknown")
            world.send(OrderAnswered(intent=intent, outcome=outcome))

    @precondition(lambda self: self.world.unanswered)
    @rule(outcome=st.sampled_from(("live", "live", "unknown")))
    def answer(self, outcome: Any) -> None:
        intent, _ = self.world.unanswered.pop(0)
        self.world.send(OrderAnswered(intent=intent, outcome=outcome))

    @precondition(lambda self: any(one.is_open and one.left for one in self.world.venue.values()))
    @rule(
        draws=st.lists(st.tuples(st.integers(0, 99), st.sampled_from((1.0, 0.5, 0.123457)), st.booleans()), max_size=6)
    )
    def fill(self, draws: list[tuple[int, float, bool]]) -> None:
        """Takers come; what they took is told at once, or later."""
        for number, part, told in draws:
            resting = [one for one in self.world.venue.values() if one.is_open and one.left]
            if resting:
                truth = resting[number % len(resting)]
                self.world.trade(truth, max(1, int(truth.left * part)))
                if truth.left < SIZE_QUANTUM:
                    truth.left, truth.is_open = 0, False
                if told:
                    self.world.tell(truth)

    @precondition(lambda self: self.world.open)
    @rule(words=st.lists(st.tuples(st.integers(0, 99), st.sampled_from(("confirmed",) * 4 + ("failed",))), max_size=6))
    def settle(self, words: list[tuple[int, str]]) -> None:
        for number, word in words:
            if self.world.open:
                self.world.settle(number % len(self.world.open), word)

    @precondition(lambda self: self.world.asked)
    @rule(outcomes=st.lists(st.sampled_from(("done",) * 4 + ("answer lost", "lost")), min_size=1, max_size=12))
    def carry_out(self, outcomes: list[str]) -> None:
        """What the engine asked for comes to pass, or the answer is lost, or the request was."""
        world = self.world
        for outcome in outcomes[: len(world.asked)]:
            action = world.asked.pop(0)
            if outcome == "done":
                world.answer_one(action)
            elif isinstance(action, Cancel):
                truth = world.venue.get(action.order_id)
                if outcome == "answer lost" and truth is not None:
                    truth.is_open = False
                world.send(CancelAnswered(order_id=action.order_id, outcome="unknown"))

    # Market and operator

    @rule()
    def resume(self) -> None:
        """Whatever operators and failed trades hold back is let go."""
        for market in ("", *NAMES):
            act: Any = "resume" if market else "resume_all"
            self.world.send(OperatorCommand(who="test", act=act, market=market))

    @rule(number=st.integers(0, 2), mid=st.integers(5, 95), act=st.sampled_from(ACTS), market=st.sampled_from(NAMES),
          sides=st.sampled_from(("both", "bid", "ask")))  # fmt: skip
    def outside(self, number: int, mid: int, act: str, market: str, sides: Any) -> None:
        """The market moves, or the operator acts; a kill is re-armed by the next act."""
        world = self.world
        if self.killed:
            self.killed = False
            world.send(Armed(by="test", reason="test", unix=world.unix))
            return
        if act == "move":
            book = world.books[number]
            moved = VenueBook(book.instrument, mid)
            book.bids, book.asks, book.ms = moved.bids, moved.asks, book.ms + 9
            world.send(book.book())
            return
        self.killed = act == "kill"
        is_all = act.endswith("_all") or act == "kill"
        told: dict[str, Any] = {"act": act, "market": "" if is_all else market, "sides": sides}
        world.send(OperatorCommand(who="test", amount=1.0 if act in ("widen", "shift") else 0.0, reason="t", **told))

    # What must hold

    @invariant()
    def the_worst_case_is_within_every_cap(self) -> None:
        """Of the truth, against the bankroll of the day's start, which is never raised."""
        losses = {name: self.world.truth_of(name) for name in NAMES}
        a, b, lone = (losses[name] for name in NAMES)
        group = max(0, a.no + b.no, a.yes + b.no, a.no + b.yes)
        slack = 1_000 * len(self.world.venue) + 1_000  # Pico: average costs are rounded
        for name, loss in losses.items():
            assert loss.worst <= MARKET_CAP * CASH * PICO + slack, name
        assert group <= GROUP_CAP * CASH * PICO + slack
        assert group + lone.worst <= GROSS_CAP * CASH * PICO + slack

    @invariant()
    def the_engine_counts_at_least_what_is_true(self) -> None:
        for name in NAMES:
            counted, true = self.world.engine.gatekeeper.exposures.loss(name), self.world.truth_of(name)
            slack = 1_000 * len(self.world.venue) + 1_000
            assert counted.yes >= true.yes - slack and counted.no >= true.no - slack, (name, counted, true)

    @invariant()
    def what_only_reduces_passes_every_cap(self) -> None:
        """A sale of what is settled, where nothing else is under way that could close the position before it.

        It may open a hedge of an event: then the event's caps have their say, except of a flattening.
        """
        world = self.world
        gate = world.engine.gatekeeper._gate
        placed = dict(gate._placed)
        for name, desk in world.engine.desks.items():
            position, is_long, (bid, ask) = desk.position, desk.inventory.net > 0, desk.touch_of_others
            side: Side = "ask" if is_long else "bid"
            busy = any(order.side == side for order in world.engine.orders.at_risk(name)) or position.provisional
            settled = position.settled_yes if is_long else position.settled_no
            size = Shares(min(abs(desk.inventory.net), settled) // SIZE_QUANTUM * SIZE_QUANTUM)
            if busy or bid is None or ask is None or bid > 97 or ask < 3 or size < 5 * MICRO:
                continue
            price = Ticks(bid + 1) if is_long else Ticks(100 - (ask - 1))
            sale = Candidate("YES" if is_long else "NO", "SELL", price, size, side, desk.instrument.grid, is_new=False)
            denial = world.engine.gatekeeper.judge(desk, sale, world.now)
            assert denial is None or denial.code not in (CAPS if name == "lone" else CAPS - OF_EVENTS), denial
            denial = world.engine.gatekeeper.judge(desk, sale._replace(flattens=True), world.now)
            assert denial is None or denial.code not in CAPS, denial
        gate._placed = placed  # these were questions only


TestCapsHold = CapsHold.TestCase
TestCapsHold.settings = laws(100)


@pytest.mark.parametrize("seed", range(12))
def test_long_and_busy_histories_keep_every_cap(seed: int) -> None:
    """The same steps, drawn densely: hundreds of orders and trades, most of them final in the end."""
    dice = random.Random(seed)
    machine = CapsHold()
    machine.begin(sees=seed % 2 == 0)

    def some(*values: Any) -> list[Any]:
        return [dice.choice(values) for _ in range(dice.randint(1, 6))]

    def wish() -> None:
        machine.wish([
            (dice.choice(NAMES), dice.choice(("bid", "ask")), dice.choice(("YES", "NO")), dice.randint(1, 12),
             dice.randint(5, 400)) for _ in range(4)
        ])  # fmt: skip

    steps: tuple[tuple[Callable[[], None], int], ...] = (
        (wish, 8),
        (lambda: machine.decide(dice.choice((0.3, 1.0, 2.5))), 8),
        (lambda: machine.send(some(*FATES)), 12),
        (lambda: machine.world.unanswered and machine.answer("live"), 4),
        (lambda: machine.fill([(dice.randint(0, 99), dice.choice((1.0, 0.5, 0.1)), dice.random() < 0.8)]), 9),
        (lambda: machine.settle([(dice.randint(0, 99), word) for word in some(*["confirmed"] * 9, "failed")]), 8),
        (lambda: machine.carry_out(some("done", "done", "done", "done", "answer lost", "lost") * 9), 14),
        (machine.resume, 3),
        (lambda: machine.outside(dice.randint(0, 2), dice.randint(40, 52), dice.choice(ACTS[:-1]), dice.choice(NAMES),
                                 dice.choice(("both", "both", "bid", "ask"))), 3),
    )  # fmt: skip
    for _ in range(300):
        [step] = dice.choices([step for step, _ in steps], [weight for _, weight in steps])
        step()
        machine.the_worst_case_is_within_every_cap()
        machine.the_engine_counts_at_least_what_is_true()
        machine.what_only_reduces_passes_every_cap()
    assert machine.world.trades > 10


def test_the_judge_sees_a_cap_that_is_exceeded() -> None:
    """Without the gate the same world breaks the cap: the property is no empty one."""
    world = a_world()
    desk = world.engine.desks["lone"]
    for number in range(3):
        world.engine.orders.place(
            desk.instrument, outcome="YES", order_side="BUY", price=Ticks(55 - number), size=shares(200), side="bid",
            layer=9, reason="mad", now=world.now,
        )  # fmt: skip
        intent = world.engine.orders._next_intent - 1
        world.send(OrderSigned(intent=intent, order_id=f"id-{intent}"))
        world.lands(intent)
    assert world.truth_of("lone").worst > MARKET_CAP * CASH * PICO


@pytest.mark.parametrize(
    ("market", "over", "code"),
    [
        ("lone", {"gross_cap": 1.0}, "market_cap"),
        ("a", {"market_cap": 0.5}, "group_cap"),
        ("lone", {"market_cap": 0.5}, "account_cap"),
        ("lone", {"market_cap": 0.5, "gross_cap": 1.0}, "token_cap"),
    ],
)
def test_each_cap_is_what_stops_the_strategy_gone_mad(market: str, over: dict[str, Any], code: str) -> None:
    world = a_world(order_layers=20, **over)
    engine, desk = world.engine, world.engine.desks[market]
    stopped = []
    for number in range(40):
        wanted = Candidate("YES", "BUY", Ticks(20 + number % 5), shares(60 + number), "bid", desk.instrument.grid)
        denial = engine.gatekeeper.judge(desk, wanted, world.now)
        if denial is not None:
            stopped.append(denial.code)
            continue
        engine.orders.place(
            desk.instrument, outcome="YES", order_side="BUY", price=wanted.price, size=wanted.size, side="bid",
            layer=9, reason="mad", now=world.now,
        )  # fmt: skip
    assert code in stopped and set(stopped) <= CAPS


@pytest.mark.parametrize("lack", ["account", "book", "market feed", "user feed", "one side"])
def test_unknown_inputs_block_what_was_decided_before(lack: str) -> None:
    """An order that was let through a moment ago is not sent when what it was judged by is not known any more."""
    world = a_world()
    assert world.waiting, "there is something to send"
    desk, book = world.engine.desks["a"], world.books[0]
    world.waiting = [place for place in world.waiting if place.market == "a"]
    match lack:
        case "account":
            world.engine.account.bankroll = None
        case "book":
            desk.tracked.state = "SUSPECT"
        case "market feed":
            desk.covered = False
        case "user feed":
            world.engine.user_feed.connected = False
        case _:
            book.asks, book.ms = {}, book.ms + 9
            world.send(book.book())
    word = world.post()
    assert isinstance(word, Denial) and word.text
    assert not world.venue
