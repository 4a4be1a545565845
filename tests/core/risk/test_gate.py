"""The gate, check by check: each stops an order by itself, at its limit and not before, and says so with numbers."""

import ast
from pathlib import Path
from typing import Any, Final

import pytest

import core
from core.actions import Place, SignedPlace
from core.config import Settings
from core.market.instrument import Instrument
from core.orders.order import Order, State
from core.risk.control import Control
from core.risk.exposure import Worst
from core.risk.gate import DENIALS, Candidate, Cleared, Denial, GateFacts, GateRules, OrderGate, gate_rules_of
from core.risk.permission import Clause
from core.units import MICRO, Shares, Side, Ticks, Usd, grid_of
from tests.builders import a_market, shares, usd

GRID: Final = grid_of("0.01")
BANKROLL: Final = usd(10_000)
PICO: Final = MICRO * MICRO
NOW: Final = 100.0
CALM: Final = Worst(0, 0, 0)
FACTS: Final = GateFacts(
    clause=None,
    control=Control(),
    trouble="",
    touch=(Ticks(46), Ticks(50)),
    fair=usd(0.48),
    net=Shares(0),
    unsure=Shares(0),
    orders=(),
    open_orders=0,
    bankroll=BANKROLL,
    cash=usd(1_000),
    sellable=shares(0),
    before=CALM,
    after=CALM,
)
BID: Final = Candidate("YES", "BUY", Ticks(45), shares(100), "bid", GRID)
ASK: Final = Candidate("NO", "BUY", Ticks(48), shares(100), "ask", GRID)
"""At 52 cents of YES."""
SALE: Final = Candidate("YES", "SELL", Ticks(52), shares(100), "ask", GRID)

REDUCES: Final = Control("REDUCE_ONLY", "why", "loss")


def rules(market: Instrument | None = None, **settings: Any) -> GateRules:
    made = Settings(**settings)
    return gate_rules_of(made, market or a_market(), made)


def an_order(side: Side, tick: int, size: float = 10, state: State = State.LIVE, intent: int = 1) -> Order:
    """A buy of YES, or of NO, at so many YES ticks."""
    price = Ticks(tick if side == "bid" else 100 - tick)
    order = Order(
        intent=intent, market="m", token="1", outcome="YES" if side == "bid" else "NO", order_side="BUY", grid=GRID,
        price=price, yes_price=Ticks(tick), size=shares(size), side=side, layer=0, reason="", now=0.0,
    )  # fmt: skip
    order.state = state
    return order


def judged(candidate: Candidate = BID, facts: GateFacts = FACTS, settings: dict[str, Any] | None = None) -> str:
    """The code of what stops an order; "" when nothing does."""
    denial = OrderGate().judge("m", candidate, facts, rules(**(settings or {})), NOW)
    if denial is None:
        return ""
    assert denial.code in DENIALS and denial.text
    return denial.code


def test_sound_orders_pass() -> None:
    assert judged(BID) == judged(ASK) == judged(SALE, FACTS._replace(sellable=shares(100))) == ""


@pytest.mark.parametrize("code", ["stopping", "data", "recovering", "watchdog"])
def test_whatever_forbids_the_market_forbids_the_order_by_the_same_name(code: str) -> None:
    facts = FACTS._replace(clause=Clause(code, "why it is so"))
    assert OrderGate().judge("m", BID, facts, rules(), NOW) == Denial(code, "why it is so")


@pytest.mark.parametrize("changes", [{"bankroll": None}, {"touch": (None, Ticks(50))}, {"touch": (Ticks(46), None)}])
def test_unknown_inputs_block(changes: dict[str, Any]) -> None:
    assert judged(BID, FACTS._replace(**changes)) == "unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"grid": grid_of("0.001"), "price": Ticks(450)}, "grid"),
        ({"price": Ticks(0)}, "bounds"),
        ({"price": Ticks(100)}, "bounds"),
        ({"price": Ticks(-3)}, "bounds"),
        ({"size": Shares(5 * MICRO)}, ""),
        ({"size": Shares(4_990_000)}, "lot"),
        ({"size": Shares(5 * MICRO + 1)}, "lot"),
        ({"size": Shares(0)}, "lot"),
        ({"size": Shares(-10 * MICRO)}, "lot"),
    ],
)
def test_price_and_size_are_the_markets(change: dict[str, Any], code: str) -> None:
    assert judged(BID._replace(**change)) == code


def test_order_that_was_signed_for_another_grid_is_not_sent() -> None:
    """A change of tick rounds what an order is thought to cost; what was signed stays."""
    place = Place(
        intent=1, market="m", token="1", order_side="BUY", price=Ticks(45), price_text="0.451", size=shares(100),
        side="bid", layer=0, reason="",
    )  # fmt: skip
    signed = SignedPlace(place, "0x1", None)
    told = OrderGate().clear(signed, "m", BID._replace(is_new=False), FACTS, rules(), NOW)
    assert isinstance(told, Denial) and told.code == "grid"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("operator", "control"), ("venue", "control"), ("flatten", "control"), ("loss", "loss"),
        ("drawdown", "drawdown"), ("repeat", "repeat"),
        ("markout", "markout"), ("streak", "streak"), ("rejects", "rejects"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("state", ["REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED"])
def test_control_state_stops_orders_under_the_name_of_its_source(source: Any, code: str, state: Any) -> None:
    facts = FACTS._replace(control=Control(state, "why", source))
    assert judged(BID, facts) == code
    long = facts._replace(net=shares(100), sellable=shares(100))
    assert judged(SALE, long) == ("" if state == "REDUCE_ONLY" else code), "what reduces goes on in reduce-only"
    assert judged(SALE._replace(size=shares(101)), long._replace(sellable=shares(200))) == code
    waiting = long._replace(orders=[an_order("ask", 53, 1)])
    assert judged(SALE, waiting) == code, "another ask takes a share of the position already"


def test_books_that_do_not_add_up_let_nothing_add() -> None:
    facts = FACTS._replace(trouble="they do not add up")
    assert judged(BID, facts) == "books"
    assert judged(SALE, facts._replace(net=shares(100), sellable=shares(100))) == ""


def test_collar_is_the_tighter_of_ticks_and_share_of_the_price() -> None:
    """In a book of 20 to 60 the middle is 40: five ticks, or three per cent of 40 and of 60 cents."""
    facts = FACTS._replace(touch=(Ticks(20), Ticks(60)), fair=usd(0.4))

    def furthest(side: Side, **settings: Any) -> int:
        candidates = [(tick, BID._replace(price=Ticks(tick))) for tick in range(59, 21, -1)]
        if side == "ask":
            candidates = [(tick, ASK._replace(price=Ticks(100 - tick))) for tick in range(21, 60)]
        return next(tick for tick, candidate in candidates if judged(candidate, facts, settings) != "collar")

    assert (furthest("bid"), furthest("ask")) == (41, 39)
    assert (furthest("bid", collar_frac=1.0), furthest("ask", collar_frac=1.0)) == (45, 35)
    assert (furthest("bid", collar_frac=0.1), furthest("ask", collar_frac=0.05)) == (44, 37)
    assert furthest("bid", collar_ticks=0) == furthest("ask", collar_ticks=0) == 40
    assert furthest("bid", collar_ticks=2, collar_frac=1.0) == 42


@pytest.mark.parametrize(("candidate", "last"), [(BID, 49), (ASK, 47)])
def test_order_that_would_meet_others_is_no_maker(candidate: Candidate, last: int) -> None:
    step = 1 if candidate is BID else -1
    yes = candidate.yes_ticks
    wide: dict[str, Any] = {"collar_frac": 1.0}
    fits = candidate._replace(
        price=Ticks(candidate.price + step * (last - yes) * (1 if candidate is BID else -1) * step)
    )
    assert fits.yes_ticks == last and judged(fits, settings=wide) == ""
    meets = fits._replace(price=Ticks(fits.price + 1))
    assert judged(meets, settings=wide) == "post_only"


def test_same_order_again_within_a_second_is_a_mistake() -> None:
    gate, made = OrderGate(), rules()
    assert gate.judge("m", BID, FACTS, made, NOW) is None
    gate.placed("m", BID, NOW)
    told = gate.judge("m", BID, FACTS, made, NOW + 0.99)
    assert told is not None and told.code == "duplicate"
    for other in (BID._replace(size=shares(101)), BID._replace(price=Ticks(44)), ASK):
        assert gate.judge("m", other, FACTS, made, NOW) is None
    assert gate.judge("another", BID, FACTS, made, NOW) is None
    assert gate.judge("m", BID._replace(is_new=False), FACTS, made, NOW) is None, "it is the order itself, to be sent"
    assert gate.judge("m", BID, FACTS, made, NOW + 1.0) is None
    gate.placed("m", BID, NOW + 1.0)
    gate.forget("m", BID)
    assert gate.judge("m", BID, FACTS, made, NOW + 1.0) is None, "the first one never left"


@pytest.mark.parametrize("state", [State.INTENT, State.SENDING, State.LIVE, State.UNKNOWN, State.CANCEL_SENT])
def test_own_orders_never_meet(state: State) -> None:
    """YES at 45 would meet NO at 55, whatever state that is in as long as it may rest."""
    assert judged(BID, FACTS._replace(orders=[an_order("ask", 45, state=state)])) == "self_match"
    assert judged(BID, FACTS._replace(orders=[an_order("ask", 46, state=state)])) == ""
    assert judged(ASK, FACTS._replace(orders=[an_order("bid", 52, state=state)])) == "self_match"
    assert judged(ASK, FACTS._replace(orders=[an_order("bid", 51, state=state)])) == ""


def test_order_that_ended_can_not_be_met() -> None:
    ended = an_order("ask", 45, state=State.CANCELLED)
    ended.held = shares(10)
    assert judged(BID, FACTS._replace(orders=[ended])) == ""


def test_number_of_open_orders_is_limited() -> None:
    assert judged(BID, FACTS._replace(open_orders=99)) == ""
    assert judged(BID, FACTS._replace(open_orders=100)) == "open_orders"
    assert judged(BID, FACTS._replace(open_orders=5), {"max_open_orders": 5}) == "open_orders"


def test_number_of_orders_a_side_is_limited() -> None:
    """Two legs and what tops up each for every layer; the other side does not count."""
    bids = [an_order("bid", 44, 1, intent=n) for n in range(12)]
    assert judged(BID, FACTS._replace(orders=bids[:11])) == ""
    assert judged(BID, FACTS._replace(orders=bids)) == "layers"
    assert judged(BID, FACTS._replace(orders=bids[:4]), {"order_layers": 1}) == "layers"
    assert judged(ASK, FACTS._replace(orders=bids)) == ""


def test_value_of_an_order_is_limited() -> None:
    """45 dollars; unset, the limit is what a side may be worth, or three per cent of the bankroll."""
    assert judged(settings={"max_order_usd": 45.0}) == "" and judged(settings={"max_order_usd": 44.99}) == "order_value"
    assert judged(settings={"max_size_usd": 44.99}) == "order_value"
    assert judged(BID, FACTS._replace(bankroll=usd(1_500))) == "token_cap", "three per cent are 45 dollars"
    assert judged(BID, FACTS._replace(bankroll=usd(1_499))) == "order_value"
    long = FACTS._replace(net=shares(100), sellable=shares(100))
    assert judged(SALE, long, {"max_order_usd": 1.0}) == "", "what reduces may be worth anything"


def test_cap_of_a_token_counts_all_orders_of_its_side() -> None:
    """Three per cent of 10,000 dollars at 48 cents a YES share are 625 shares."""
    assert judged(BID, FACTS._replace(net=shares(525))) == ""
    assert judged(BID, FACTS._replace(net=Shares(shares(525) + 10_000))) == "token_cap"
    assert judged(BID, FACTS._replace(net=shares(515), orders=[an_order("bid", 44, 10)])) == ""
    assert judged(BID, FACTS._replace(net=shares(516), orders=[an_order("bid", 44, 10)])) == "token_cap"
    assert judged(BID, FACTS._replace(net=shares(526), orders=[an_order("ask", 55, 10)])) == "token_cap", "may not fill"
    assert judged(ASK, FACTS._replace(net=shares(-470))) == "", "at 52 cents a NO share 576"
    assert judged(ASK, FACTS._replace(net=shares(-480))) == "token_cap"
    assert judged(BID, FACTS, {"hard_cap_delta_pct": 0.0047, "soft_cap_delta_pct": 0.001}) == "token_cap"
    assert judged(BID, FACTS._replace(fair=None), {"hard_cap_delta_pct": 0.0099}) == "token_cap", "a dollar a share"


@pytest.mark.parametrize(
    ("scope", "code", "setting", "cap"),
    [("market", "market_cap", "market_cap", 600), ("group", "group_cap", "group_cap", 1_000),
     ("account", "account_cap", "gross_cap", 3_000)],
)  # fmt: skip
def test_caps_at_cost_stop_what_exceeds_them_and_adds(scope: str, code: str, setting: str, cap: int) -> None:
    def told(before: float, after: float, settings: dict[str, Any] | None = None) -> str:
        worst = [CALM._replace(**{scope: round(dollars * PICO)}) for dollars in (before, after)]
        return judged(BID, FACTS._replace(before=worst[0], after=worst[1]), settings)

    assert told(0, cap) == ""
    assert told(0, cap + 1e-9) == code
    assert told(cap + 50, cap + 51) == code, "what is over the cap grows no further"
    assert told(cap + 50, cap + 50) == told(cap + 50, cap + 40) == "", "and may always be reduced"
    assert told(0, 99, {setting: 0.01}) == "" and told(0, 101, {setting: 0.01}) == code


def test_flattening_passes_the_caps_at_cost_and_a_quote_that_lifts_them_does_not() -> None:
    """A leg of a hedged event is closed when an operator asks for it; a quote that would close it is stopped."""
    long = FACTS._replace(
        net=shares(100), sellable=shares(100), before=Worst(0, 0, 0), after=Worst(0, 2_000 * PICO, 9_000 * PICO)
    )
    assert judged(SALE, long) == "group_cap"
    assert judged(SALE._replace(flattens=True), long) == ""
    assert judged(SALE, long._replace(after=Worst(0, 0, 9_000 * PICO))) == "account_cap"


def test_fill_that_may_still_fail_is_not_there_to_be_reduced() -> None:
    """100 are held, 40 of them by a fill that is not final: if it fails, a sale of more than 60 turns the position."""
    held = FACTS._replace(net=shares(100), unsure=shares(40), sellable=shares(100), control=REDUCES)
    assert judged(SALE._replace(size=shares(60)), held) == ""
    assert judged(SALE._replace(size=Shares(shares(60) + 10_000)), held) == "loss"
    short = FACTS._replace(net=shares(-100), unsure=shares(40), control=REDUCES)
    assert judged(BID._replace(size=shares(60)), short) == "" and judged(BID, short) == "loss"
    assert judged(SALE._replace(flattens=True), held) == "not_reducing"


def test_cash_and_shares_are_there() -> None:
    assert judged(BID, FACTS._replace(cash=usd(45))) == ""
    assert judged(BID, FACTS._replace(cash=Usd(usd(45) - 1))) == "cash"
    assert judged(BID, FACTS._replace(cash=usd(-5))) == "cash"
    assert judged(SALE, FACTS._replace(sellable=Shares(shares(100) - 10_000))) == "sellable"
    assert judged(SALE, FACTS._replace(sellable=shares(-1))) == "sellable"


FLATTENS: Final = SALE._replace(flattens=True)
CROSSES: Final = FLATTENS._replace(crosses=True, price=Ticks(30), size=Shares(990_000))


def test_flattening_has_limits_of_its_own() -> None:
    """Its cost cap replaces collar, value, throttle and states; it only ever reduces."""
    long = FACTS._replace(net=shares(100), sellable=shares(100), bankroll=usd(10), open_orders=1_000)
    assert judged(FLATTENS, long) == judged(CROSSES, long) == ""
    held = long._replace(control=Control("PAUSED", "why", "repeat"))
    assert judged(FLATTENS, held) == judged(CROSSES, held) == ""
    assert judged(FLATTENS._replace(price=Ticks(47)), long) == "", "no collar"
    assert judged(FLATTENS._replace(price=Ticks(46)), long) == "post_only"
    assert judged(FLATTENS, long._replace(touch=(None, Ticks(50)))) == ""
    assert judged(FLATTENS._replace(size=shares(101)), long._replace(sellable=shares(500))) == "not_reducing"
    assert judged(BID._replace(flattens=True), long) == "not_reducing"
    assert judged(CROSSES._replace(size=Shares(990_001)), long) == "lot"
    assert judged(CROSSES, long._replace(orders=[an_order("bid", 40)])) == "self_match"
    assert judged(CROSSES, long._replace(sellable=Shares(0))) == "sellable"
    assert judged(CROSSES, long._replace(clause=Clause("data", "why"))) == "data", "never on an unproven book"


def test_only_what_the_gate_lets_through_is_cleared() -> None:
    place = Place(
        intent=1, market="m", token="1", order_side="BUY", price=Ticks(45), price_text="0.45", size=shares(100),
        side="bid", layer=0, reason="",
    )  # fmt: skip
    signed, own = SignedPlace(place, "0x1", None), BID._replace(is_new=False)
    assert OrderGate().clear(signed, "m", own, FACTS, rules(), NOW) == Cleared(signed)
    told = OrderGate().clear(signed, "m", own, FACTS._replace(cash=usd(1)), rules(), NOW)
    assert isinstance(told, Denial) and told.code == "cash"


def test_nobody_but_the_gate_makes_what_a_gateway_posts() -> None:
    """Over the whole program: no call of ``Cleared`` outside of the gate, and no gateway that posts anything else."""
    root = Path(core.__file__).parent.parent
    makers, posts = [], []
    for path in sorted((*root.glob("core/**/*.py"), *root.glob("polymm_tui/**/*.py"), *root.glob("widgets/**/*.py"))):
        name = str(path.relative_to(root))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and "Cleared" in ast.unparse(node.func).split("."):
                makers.append(name)
            is_post = isinstance(node, ast.AsyncFunctionDef) and node.name == "post" and "gateway" in name
            if is_post:
                posts.append(ast.unparse(node.args.args[1]))  # type: ignore[attr-defined]
    assert makers == ["core/risk/gate.py"]
    assert posts and set(posts) == {"batch: Sequence[Cleared]"}
