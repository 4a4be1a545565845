"""What becomes of orders when the exchange answers wrongly, late or not at all, in every state of an order.

A real session makes a market on a quiet exchange of the same process; a fault meets its orders in a state; time passes.
Then every intent has had one order or none, and the session's books equal the ledger, or say what is not known.
"""

from typing import Final

import pytest

from core.events import OrderAnswered
from core.exchange.orders import Order
from core.units import MICRO
from tests.loopback.dealings import Dealings, deal

POST: Final = 'on = "request:POST /orders"'
CANCEL: Final = 'on = "request:DELETE /orders"'
HEALED_SEC: Final = 45.0
"""In which everything that can be known is known again, from the end of the fault on."""
MOST_CANCELS: Final = 5
"""Of one order; anew after an outage of the venue."""
HTML: Final = "<html><body>Attention Required! | Cloudflare</body></html>"
REQUEST_FAULTS: Final = {
    "425": 'do = "http"\nstatus = 425',
    "500": 'do = "http"\nstatus = 500',
    "502 in HTML": 'do = "http"\nstatus = 502\nbody = "html"',
    "503": 'do = "http"\nstatus = 503',
    "403 in HTML": 'do = "http"\nstatus = 403\nbody = "html"',
    "429 without headers": 'do = "http"\nstatus = 429',
    "429 with headers": (
        'do = "http"\nstatus = 429\nheaders = { Retry-After = "2", Poly-RateLimit-Remaining = "0",'
        ' Poly-RateLimit-Reset = "1", Poly-RateLimit-Tier = "Standard", Poly-RateLimit-Warning = "true" }'
    ),
    "200 in HTML": f'do = "http"\nstatus = 200\ntext = "{HTML}"',
    "200 with an object": 'do = "http"\nstatus = 200\ntext = "{\\"a\\": 1}"',
    "200 with an empty list": 'do = "http"\nstatus = 200\ntext = "[]"',
    "200 without a body": 'do = "http"\nstatus = 200\nbody = "empty"',
    "400 in unknown words": 'do = "http"\nstatus = 400\ntext = "{\\"error\\": \\"something is odd\\"}"',
    "redirected": 'do = "redirect"\nto = "http://127.0.0.1:9/"',
    "lost before": 'do = "blackhole"\nmoment = "before"',
    "lost after": 'do = "blackhole"\nmoment = "after"',
    "reset before": 'do = "blackhole"\nmoment = "before"\nthen = "cut"',
    "reset after": 'do = "blackhole"\nmoment = "after"\nthen = "cut"',
    "carried out too late": 'do = "slow"\nms = 15000\nmoment = "before"',
    "answered too late": 'do = "slow"\nms = 15000\nmoment = "after"',
}
_LEG: Final = '{\\"success\\": true, \\"errorMsg\\": \\"\\", \\"orderID\\": \\"%s\\", \\"status\\": \\"%s\\"}'


def _legs(*legs: str) -> str:
    return f'do = "http"\nstatus = 200\ntext = "[{", ".join(legs)}]"'


BATCH_FAULTS: Final = {
    "legs without ids": _legs(_LEG % ("", "live"), _LEG % ("", "")),
    "legs of strangers": _legs(_LEG % ("0x12", "live"), _LEG % ("0x34", "matched")),
    "legs in unknown states": _legs(_LEG % ("0x12", "dreaming"), _LEG % ("", "dreaming")),
    "legs that are null": _legs("null", "null"),
    "400 as duplicates": 'do = "http"\nstatus = 400\ntext = "{\\"error\\": \\"order 0x12 is invalid. Duplicated.\\"}"',
    "a leg is missing": 'do = "batch_short"',
    "the last leg is missing": 'do = "batch_short"\nleg = 1',
    "legs are turned": 'do = "batch_shuffle"',
}
CANCEL_FAULTS: Final = {
    "filled just before": 'do = "cancel_race"\noutcome = "filled"\ncount = 1',
    "cancelled just before": 'do = "cancel_race"\noutcome = "canceled"\ncount = 1',
}
FOR_GOOD: Final = (
    'do = "restart"\nseconds = 20.0\nkeep_orders = false',
    'do = "expire_credentials"\nfor = 20',
    'do = "expire_credentials"\npaths = "orders"\nfor = 20',
    'do = "closed_only"\nfor = 20',
)
"""Refusals of the account and of the configuration: nothing more is placed until somebody has looked into it. After a
restart without orders the book is empty, because the crowd that was in it stands still."""


def cases(*tables: dict[str, str]) -> pytest.MarkDecorator:
    """Every fault by its name."""
    return pytest.mark.parametrize("fault", [pytest.param(f, id=n) for table in tables for n, f in table.items()])


async def healed(dealings: Dealings, *, quotes: bool = True, most_cancels: int = MOST_CANCELS) -> None:
    """What must hold some time after a fault is over, and that nobody had to do anything."""
    await dealings.pass_time(HEALED_SEC)
    assert dealings.doubled() == []
    assert dealings.differences() == []
    assert max(dealings.gateway.cancels.values(), default=0) <= most_cancels
    if quotes:
        await dealings.until_resting()
    await quiet(dealings)


async def quiet(dealings: Dealings) -> None:
    """Nothing is asked for ever: once all is known, only the routine reads go on."""
    before = dealings.gateway.calls.copy()
    await dealings.pass_time(20.0)
    asked = dealings.gateway.calls - before
    assert asked["read_order"] == 0, asked
    assert asked["open_orders"] <= 4 and asked["trades_since"] <= 4, asked
    assert asked["cancel"] <= 5, asked


@cases(REQUEST_FAULTS, BATCH_FAULTS)
def test_sending(fault: str) -> None:
    """SENDING: the first batch of placements meets the fault."""

    async def play(dealings: Dealings) -> None:
        dealings.arm(f"{fault}\n{POST}")
        await dealings.until(lambda: dealings.host.director.log)
        await healed(dealings)

    deal(play)


@cases(REQUEST_FAULTS, CANCEL_FAULTS)
def test_cancelling(fault: str) -> None:
    """CANCEL_SENT: the first cancels, of a LIVE order and of a PARTIAL one, meet the fault, and a stranger goes on.

    The market is paused, so that nothing new hides what is left.
    """

    async def play(dealings: Dealings) -> None:
        order = (await dealings.until_resting())[0]
        dealings.take(order, 3)
        dealings.arm(f"{fault}\n{CANCEL}" if "cancel_race" not in fault else fault)
        dealings.command("pause", market=dealings.market)
        await dealings.pass_time(1.0)
        dealings.take(order, 2)
        await healed(dealings, quotes=False)
        assert dealings.resting() == []

    deal(play)


@cases(
    {
        "reads fail": 'do = "http"\nstatus = 500\nrequest = "GET /data/*"\nfor = 20',
        "reads hang": 'do = "blackhole"\nrequest = "GET /data/*"\nfor = 20',
        "reads are garbage": 'do = "http"\nstatus = 200\ntext = "[]"\nrequest = "GET /data/*"\nfor = 20',
        "the list has a hole": 'do = "omit_page"\nlist = "orders"\nfor = 20',
        "trades have a hole": 'do = "omit_page"\nlist = "trades"\nfor = 20',
        "cancels fail": 'do = "http"\nstatus = 500\nrequest = "DELETE *"\nfor = 20',
        "restart": 'do = "restart"\nseconds = 20.0',
        "restart without orders": 'do = "restart"\nseconds = 20.0\nkeep_orders = false',
        "the key expires": 'do = "expire_credentials"\nfor = 20',
        "the channel is mute": 'do = "mute_user"\nfor = 20',
        "the channel is closed": 'do = "disconnect"\nchannel = "user"\nfor = 20',
    }
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_unknown(fault: str, moment: str) -> None:
    """UNKNOWN: the placement's answer is lost, and what would find out meets a fault for twenty seconds too."""

    async def play(dealings: Dealings) -> None:
        dealings.arm(f'do = "blackhole"\nmoment = "{moment}"\nthen = "cut"\n{POST}')
        await dealings.until(lambda: dealings.happened("blackhole"))
        dealings.arm(fault)
        await dealings.pass_time(20.0)
        assert dealings.doubled() == []
        await dealings.pass_time(60.0)
        await healed(dealings, quotes="keep_orders" not in fault, most_cancels=2 * MOST_CANCELS)

    deal(play)


def test_unknown_for_long() -> None:
    """As long as nothing is proven, it is shown as unknown, with its age and evidence; nothing new is placed."""

    async def play(dealings: Dealings) -> None:
        dealings.arm(f'do = "blackhole"\nmoment = "before"\nthen = "cut"\n{POST}')
        await dealings.until(lambda: dealings.happened("blackhole"))
        dealings.arm('do = "http"\nstatus = 500\nrequest = "GET /data/*"\nfor = 100')
        await dealings.pass_time(95.0)
        assert dealings.gateway.calls["post"] == 1
        view = dealings.session.view
        assert view is not None and view.unknown_orders == 2
        for order in view.markets[0].orders:
            assert order.state in ("UNKNOWN", "CANCEL_SENT") and order.unknown_s is not None
            assert 90.0 < order.unknown_s < 100.0 and "list wanted" in order.evidence
        assert view.markets[0].blocked_by
        await healed(dealings)

    deal(play)


@pytest.mark.parametrize("lands", [True, False])
def test_delayed(lands: bool) -> None:
    """DELAYED: the venue says that it will place the orders later, and has done so, or never does."""

    async def play(dealings: Dealings) -> None:
        await dealings.until(lambda: hasattr(dealings, "gateway"))

        def delayed(answers: list[OrderAnswered]) -> list[OrderAnswered]:
            del dealings.gateway.edits["post"]
            return [OrderAnswered(intent=answer.intent, outcome="delayed") for answer in answers]

        dealings.gateway.edits["post"] = delayed
        if not lands:
            dealings.arm(f'do = "http"\nstatus = 500\n{POST}')
        await dealings.until(lambda: dealings.gateway.calls["post"])
        await healed(dealings)

    deal(play)


@cases(
    {
        "restart": 'do = "restart"\nseconds = 20.0',
        "restart without orders": 'do = "restart"\nseconds = 20.0\nkeep_orders = false',
        "post-only": 'do = "mode"\nmode = "post_only"\nfor = 20',
        "cancel-only": 'do = "mode"\nmode = "cancel_only"\nfor = 20',
        "disabled": 'do = "mode"\nmode = "disabled"\nfor = 20',
        "the order bucket is empty": 'do = "throttle"\nbucket = "order"',
        "the cancel bucket owes": 'do = "throttle"\nbucket = "cancel"\nto = -80',
        "the key expires": 'do = "expire_credentials"\nfor = 20',
        "the key expires for orders": 'do = "expire_credentials"\npaths = "orders"\nfor = 20',
        "the account may only reduce": 'do = "closed_only"\nfor = 20',
        "the market pauses": 'do = "pause_market"\nmarket = 0\nfor = 20',
        "the list of orders is empty": 'do = "omit_page"\nlist = "orders"\nfor = 20',
        "the list of trades is empty": 'do = "omit_page"\nlist = "trades"\nfor = 20',
        "the balance shows nothing": 'do = "stale_balance"\nshows = "zero"\nfor = 20',
        "the balance is behind": 'do = "stale_balance"\nfor = 20',
        "positions show nothing": 'do = "stale_positions"\nshows = "empty"\nfor = 20',
        "the channel is mute": 'do = "mute_user"\nfor = 20',
        "the channel tells all twice": 'do = "duplicate"\nchannel = "user"\nfor = 20',
        "the channel tells late": 'do = "delay"\nchannel = "user"\nms = 4000\nfor = 20',
        "the channel tells in another order": 'do = "reorder"\nchannel = "user"\nblock = 3\nfor = 20',
        "the channel is closed": 'do = "disconnect"\nchannel = "user"\nfor = 20',
        "the channel is reset": 'do = "reset"\nchannel = "user"',
        "the channel is half open": 'do = "half_open"\nchannel = "user"',
        "a stranger's order appears": 'do = "foreign_order"\nmarket = 0',
        "reads fail": 'do = "http"\nstatus = 500\nrequest = "GET /data/*"\nfor = 20',
        "all private requests hang": 'do = "blackhole"\nrequest = "* /data/*"\nfor = 20',
    }
)
@pytest.mark.parametrize("trades", ["before", "meanwhile"])
def test_resting(fault: str, trades: str) -> None:
    """LIVE and PARTIAL: resting orders meet the fault, with settled shares, or while strangers take them."""

    async def play(dealings: Dealings) -> None:
        first, second, *_ = await dealings.until_resting()
        if trades == "before":
            dealings.take(first, 6)
            await dealings.pass_time(30.0)
            first, second, *_ = await dealings.until_resting()
        dealings.arm(fault)
        await dealings.pass_time(1.0)
        if trades == "meanwhile":
            dealings.take(first, 3)
            await dealings.pass_time(4.0)
            dealings.take(second, 1000)
        await dealings.pass_time(20.0)
        assert dealings.doubled() == []
        await healed(dealings, quotes=fault not in FOR_GOOD, most_cancels=2 * MOST_CANCELS)

    deal(play)


def test_a_balance_that_shows_nothing_for_long() -> None:
    """A cache that is behind is no sale: shares of confirmed trades stay ours, and the bankroll is what it was."""

    async def play(dealings: Dealings) -> None:
        first, *_ = await dealings.until_resting()
        dealings.take(first, 6)
        await dealings.pass_time(30.0)
        held, bankroll = dealings.held(), dealings.session.engine.account.bankroll
        assert held == dealings.holdings() != {dealings.market: (0, 0)}
        dealings.arm('do = "stale_balance"\nshows = "zero"\nfor = 100')
        await dealings.pass_time(95.0)
        assert dealings.held() == held
        await dealings.pass_time(70.0)
        assert dealings.held() == held
        assert dealings.session.engine.account.bankroll == bankroll
        await healed(dealings)

    deal(play)


@cases(
    {
        "fails": 'do = "settle"\nhow = "fail"',
        "is tried twice more": 'do = "settle"\nhow = "retry"\nretries = 2',
        "hangs": 'do = "settle"\nhow = "hang"',
        "is told again when it is over": 'do = "duplicate_fill"\non = "user:trade:CONFIRMED"',
        "is told as mined when it is over": 'do = "duplicate_fill"\nstatus = "MINED"\non = "user:trade:CONFIRMED"',
        "is told as matched after its failure": (
            'do = "settle"\nhow = "fail"\n[[fault]]\ndo = "duplicate_fill"\non = "user:trade:FAILED"'
        ),
        "is told once only, when it is mined": 'do = "mute_user"\nkinds = ["trade"]\ncount = 1',
        "is never told": 'do = "mute_user"\nkinds = ["trade"]\nfor = 30',
        "is told backwards": 'do = "reorder"\nchannel = "user"\nkinds = ["trade"]\nblock = 3',
        "fails and nobody is told": (
            'do = "settle"\nhow = "fail"\n[[fault]]\ndo = "mute_user"\nkinds = ["trade"]\nfor = 30'
        ),
        "fails late": 'do = "settle"\nhow = "fail"\n[[fault]]\ndo = "delay"\nchannel = "user"\nms = 9000\nfor = 30',
        "fills two orders at once": 'do = "stranger_trade"\nmarket = 0\noutcome = "no"\nside = "BUY"\nsize = 20.0',
    }
)
@pytest.mark.parametrize("shares", [3.0, 1000.0], ids=["a part", "all of it"])
def test_a_trade(fault: str, shares: float) -> None:
    """The position is right every time, whatever the trade does after its match."""

    async def play(dealings: Dealings) -> None:
        order = (await dealings.until_resting())[0]
        dealings.arm(fault)
        dealings.take(order, shares)
        await dealings.pass_time(2.0)
        await dealings.until(lambda: dealings.held() == dealings.holdings(), "the position stays wrong")
        await dealings.pass_time(30.0)
        await healed(dealings)

    deal(play)


async def a_foreign_order(dealings: Dealings, price: float = 0.02) -> Order:
    """Somebody bids by hand for shares of YES on our account."""
    before = set(dealings.exchange.engine.orders)
    dealings.arm(f'do = "foreign_order"\nmarket = 0\nprice = {price:.2f}\nsize = 50')
    (order_id,) = set(dealings.exchange.engine.orders) - before
    return dealings.exchange.engine.orders[order_id]


def test_an_order_by_hand_is_never_touched() -> None:
    """Not by what is done about an order of unknown outcome in its market, not after a restart, not at the end."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        foreign = await a_foreign_order(dealings)
        dealings.arm(f'do = "blackhole"\nmoment = "before"\n{POST}')
        dealings.arm('do = "http"\nstatus = 500\nrequest = "GET /data/order/*"\nfor = 45')
        dealings.command("cancel_market", market=dealings.market)
        await dealings.pass_time(60.0)
        assert foreign.status == "LIVE"
        dealings.arm('do = "restart"\nseconds = 10.0')
        await dealings.pass_time(60.0)
        await healed(dealings, most_cancels=2 * MOST_CANCELS)
        assert foreign.status == "LIVE"
        view = dealings.session.view
        assert view is not None and [one.order_id for one in view.foreign_orders] == [foreign.new.order_id]
        assert (await dealings.end()).verified
        assert foreign.status == "LIVE"

    deal(play)


def test_what_an_order_by_hand_buys_is_not_ours() -> None:
    """Its shares are shown apart: they are neither quoted nor sold, and cash that went for them is no loss."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        bid, _ = dealings.exchange.faces[dealings.market].top("YES")
        foreign = await a_foreign_order(dealings, price=(int(bid or 0) + 1) / 100)
        dealings.take(foreign, 20)
        await dealings.pass_time(70.0)
        (desk,) = dealings.session.engine.desks.values()
        assert foreign.matched == 20 * MICRO and dealings.held() == {dealings.market: (0, 0)}
        assert dealings.session.view is not None
        assert dealings.session.view.markets[0].inventory.foreign_yes == 20 * MICRO
        assert (desk.position.settled_yes, desk.position.settled_no) == (0, 0)
        assert not dealings.session.engine.account.is_latched

    deal(play)


@cases(
    {
        "the bytes are lost": f'do = "blackhole"\nmoment = "before"\nthen = "cut"\n{POST}',
        "the answer is lost": f'do = "blackhole"\nmoment = "after"\nthen = "cut"\n{POST}',
    }
)
def test_an_end_without_evidence_is_not_verified(fault: str) -> None:
    """Nobody can be asked: the session ends in time and says that an order may be open."""

    async def play(dealings: Dealings) -> None:
        dealings.arm(fault)
        await dealings.until(lambda: dealings.happened("blackhole"))
        dealings.arm('do = "http"\nstatus = 500\nrequest = "* /data/*"\nfor = 100')
        dealings.arm('do = "http"\nstatus = 500\nrequest = "DELETE *"\nfor = 100')
        await dealings.pass_time(3.0)

    deal(play, ends=(11, False))


@cases(
    {
        "in peace": 'do = "stale_positions"\nfor = 1',
        "while cancels fail": 'do = "http"\nstatus = 500\nrequest = "DELETE *"\nfor = 8',
        "while cancels are lost": 'do = "blackhole"\nrequest = "DELETE *"\nfor = 8',
        "while the venue restarts": 'do = "restart"\nseconds = 20.0',
        "while the venue is halted": 'do = "mode"\nmode = "disabled"\nfor = 20',
        "while the cancel bucket owes": 'do = "throttle"\nbucket = "cancel"\nto = -80',
        "while reads fail": 'do = "http"\nstatus = 500\nrequest = "GET /data/*"\nfor = 20',
    }
)
def test_a_kill(fault: str) -> None:
    """Everything is cancelled as soon as the venue takes cancels, whatever is in the way, and nothing is placed."""

    async def play(dealings: Dealings) -> None:
        first, *_ = await dealings.until_resting()
        dealings.take(first, 6)
        dealings.arm(fault)
        dealings.command("kill")
        posts = dealings.gateway.calls["post"]
        await dealings.pass_time(45.0)
        assert dealings.resting() == []
        assert dealings.gateway.calls["post"] == posts
        assert dealings.differences() == []

    deal(play, ends=(10, True))
