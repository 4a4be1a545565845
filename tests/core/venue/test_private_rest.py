"""Private reads: complete lists or lists that say they are not, absence only when it is said, and never an error."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.events import BalancesRead, FillSeen, ListedOrder, OrderSeen, ScoringSeen
from core.venue.account_rows import open_orders_read, trades_read
from core.venue.credentials import ApiCredentials, Secret
from core.venue.gateway import ModeSign, Sign
from core.venue.l2 import l2_signature
from core.venue.pages import END_CURSOR, MOST_PAGES
from core.venue.private_rest import ABREAST, PrivateRest
from tests.builders import YES, laws, shares
from tests.core.venue.test_user_channel import OWNER, WALLET, a_trade, maker, stranger, without

API = ApiCredentials(Secret(OWNER), Secret("c2VjcmV0"), Secret("phrase"))
NOW = 1790000000.0
Answer = Callable[[httpx.Request], httpx.Response]


def rest(answer: Answer, signs: list[Sign] | None = None) -> PrivateRest:
    clock = ManualClock(unix=NOW, monotonic=50.0)
    heard = [] if signs is None else signs
    made = PrivateRest("http://clob.test", "0xme", API, clock, wallet=WALLET, signature_type=2, on_sign=heard.append)
    made._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(answer))
    return made


def pages(*found: Any) -> Answer:
    """One answer after the other: bodies, or whole responses."""
    left = list(found)

    def answer(request: httpx.Request) -> httpx.Response:
        said = left.pop(0)
        return said if isinstance(said, httpx.Response) else httpx.Response(200, json=said)

    return answer


def page(*rows: Any, to: str = END_CURSOR, **over: Any) -> dict[str, Any]:
    return {"limit": len(rows), "count": len(rows), "next_cursor": to, "data": list(rows)} | over


def a_row(order_id: str = "0xa", **over: Any) -> dict[str, Any]:
    row = {"id": order_id, "status": "LIVE", "market": "0xab", "asset_id": "1", "side": "BUY", "price": "0.43"}
    return row | {"original_size": "20", "size_matched": "7.555554"} | over


LISTED = ListedOrder("0xa", "0xab", "1", "BUY", "0.43", shares(20), shares(7.555554))


async def test_request_is_signed_over_its_path_without_the_query() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"balance": "7"})

    await rest(answer).balances([YES])
    request = asked[1]
    assert request.headers["POLY_SIGNATURE"] == l2_signature("c2VjcmV0", 1790000000, "GET", "/balance-allowance")
    assert (request.headers["POLY_ADDRESS"], request.headers["POLY_TIMESTAMP"]) == ("0xme", "1790000000")
    assert dict(request.url.params) == {"asset_type": "CONDITIONAL", "signature_type": "2", "token_id": YES}


# Lists: complete, or not


async def test_all_pages_make_the_list() -> None:
    read = await rest(pages(page(a_row(), to="MQ=="), page(a_row("0xb")))).open_orders()
    assert [order.order_id for order in read.orders] == ["0xa", "0xb"]
    assert (read.orders[0], read.complete, read.problem, read.asked_s) == (LISTED, True, "", 50.0)
    read = await rest(pages(page())).open_orders()
    assert (read.orders, read.complete) == ((), True)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"error": "x"}, "page 2: not a page of rows"),
        ([], "page 2: not a page of rows"),
        ({"data": None}, "page 2: not a page of rows"),
        (httpx.Response(500, json={"error": "Internal server error"}), "status 500"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(429), "status 429"),
        (httpx.Response(401), "credentials"),
        (page(a_row("0xb"), to="MQ=="), "page 2: no cursor that leads on"),
        (page(a_row("0xb"), to=""), "page 2: no cursor that leads on"),
        ({"data": [a_row("0xb")]}, "page 2: no cursor that leads on"),
        (page(a_row("0xb"), count=2), "page 2: 1 rows, said to be 2"),
        (page(a_row("0xb"), 7), "row 2: no object"),
    ],
)
async def test_list_of_which_something_is_missing_says_so_and_tells_the_rest(second: Any, words: str) -> None:
    """An order that is not on a list with a hole may well be in the book (reliability.md X30)."""
    read = await rest(pages(page(a_row(), to="MQ=="), second)).open_orders()
    assert read.orders[0] == LISTED and not read.complete
    assert "/data/orders" in read.problem and words in read.problem


async def test_a_short_page_with_others_after_it_has_lost_rows() -> None:
    """The exchange's fault ``omit_page``: the cursor goes on as if nothing were missing."""
    read = await rest(pages(page(a_row(), to="MQ==", limit=100), page(a_row("0xb"), limit=100))).open_orders()
    assert len(read.orders) == 2 and not read.complete
    assert read.problem == "/data/orders, page 1: 1 rows of 100, and more pages follow"


async def test_list_without_an_end_is_given_up() -> None:
    asked: list[str] = []

    def endless(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("next_cursor", ""))
        return httpx.Response(200, json=page(a_row(), to=f"cursor {len(asked)}"))

    read = await rest(endless).open_orders()
    assert not read.complete and "more than" in read.problem and len(set(asked)) == len(asked) == MOST_PAGES


async def test_a_row_on_two_pages_is_told_once() -> None:
    """New trades push old ones onto the next page; booked twice they would be a position nobody has."""
    later = a_row(size_matched="20")
    read = await rest(pages(page(a_row(), to="MQ=="), page(later))).open_orders()
    assert [order.matched for order in read.orders] == [shares(20)]
    trade = a_trade(maker(), maker(order_id="0xc"))
    trades = await rest(pages(page(trade, to="MQ=="), page(trade, a_trade(maker(), id="t2")))).trades_since(0)
    assert [(fill.trade_id, fill.order_id) for fill in trades.fills] == [("t1", "0xa"), ("t1", "0xc"), ("t2", "0xa")]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (a_row(id=""), "no id"),
        (a_row(id=None), "no id"),
        (None, "no object"),
        ([a_row()], "no object"),
    ],
)
def test_a_row_without_an_id_is_named_and_costs_no_other(row: Any, words: str) -> None:
    """It may be any order, so the list proves no absence."""
    read = open_orders_read([a_row(), row, a_row("0xc")], 0.0)
    assert [order.order_id for order in read.orders] == ["0xa", "0xc"] and not read.complete
    assert read.problem.startswith("/data/orders, row 1: ") and words in read.problem


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (a_row("0xb", original_size="many"), "'many' is no number"),
        (a_row("0xb", size_matched="-1"), "'-1' is no number"),
        (without(a_row("0xb"), "original_size"), "no number"),
    ],
)
def test_an_order_whose_size_cannot_be_read_is_there_all_the_same(row: Any, words: str) -> None:
    """One figure of the venue must not keep every other order from being proven gone."""
    read = open_orders_read([a_row(), row, a_row("0xc")], 0.0)
    assert read.complete and [order.order_id for order in read.orders] == ["0xa", "0xb", "0xc"]
    assert (read.orders[1].market, read.orders[1].size, read.orders[1].matched) == ("0xab", 0, 0)
    assert read.problem.startswith("/data/orders, row 1: ") and words in read.problem


@pytest.mark.parametrize(
    "row",
    [
        a_row(original_size=20, size_matched=7.555554),
        a_row(side="buy", status="ORDER_STATUS_LIVE", price=0.43, new_field=[1]),
        a_row(market=None, asset_id="1"),
    ],
)
def test_numbers_and_texts_are_alike(row: dict[str, Any]) -> None:
    read = open_orders_read([row], 0.0)
    assert read.complete and (read.orders[0].size, read.orders[0].matched) == (shares(20), shares(7.555554))


@pytest.mark.parametrize("nothing", ["", None, 0])
def test_matched_size_of_a_row_may_be_empty(nothing: Any) -> None:
    assert open_orders_read([a_row(size_matched=nothing)], 0.0).orders[0].matched == 0


# Trades


async def test_trades_are_asked_for_from_the_second_before() -> None:
    """The venue leaves out the moment itself, and a fill of that very second would be lost."""
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json=page(a_trade(maker(), stranger(), status="TRADE_STATUS_CONFIRMED")))

    read = await rest(answer).trades_since(1_789_999_000)
    await rest(answer).trades_since(0)
    assert asked == [{"after": "1789998999"}, {"after": "0"}]
    assert (read.after_unix, read.asked_s, read.complete) == (1_789_999_000, 50.0, True)
    [fill] = read.fills
    assert (fill.source, fill.settlement, fill.size, fill.owned) == ("read", "confirmed", shares(12.5), True)


def test_one_unreadable_trade_costs_no_other_and_names_itself() -> None:
    """``fee_rate_bps: ""`` spoils a whole page for stricter readers (polymarket-api.md 12, row 38)."""
    fine = a_trade(maker(), id="t0", fee_rate_bps="", err_msg=None, match_time_nano="1")
    half = a_trade(maker(matched_amount="x"), maker(order_id="0xc"), id="t1")
    read = trades_read([fine, half, a_trade(maker(), status="MAYBE"), 7], OWNER, WALLET, 1.0, 5)
    assert [(fill.trade_id, fill.order_id) for fill in read.fills] == [("t0", "0xa"), ("t1", "0xc")]
    assert read.complete and read.problem == "", "the list is whole: what cannot be read is on it"
    assert [row.trade_id for row in read.unreadable] == ["t1", "t1", ""]
    assert [row.problem[:22] for row in read.unreadable] == [
        "trade 't1': maker 0: '",
        "trade 't1': status 'MA",
        "no object",
    ]


@pytest.mark.parametrize(
    ("row", "order_ids", "names_all"),
    [
        (a_trade(maker(), stranger(), status="REORGED"), ("0xa", "0xb", "0xtaker"), True),
        (a_trade(maker(matched_amount="x"), maker(order_id="0xc")), ("0xa", "0xtaker"), True),
        (a_trade(maker(), maker(matched_amount="3"), stranger()), ("0xa", "0xb", "0xtaker"), True),
        (a_trade(maker(order_id=None), stranger()), ("0xb", "0xtaker"), False),
        (a_trade(maker(), 7), ("0xtaker",), False),
        (a_trade(maker(), status="MAYBE", taker_order_id=""), ("0xa",), False),
        (a_trade(status="MAYBE", maker_orders="0xa"), ("0xtaker",), False),
        (a_trade(maker(), id=""), ("0xa", "0xtaker"), True),
        (7, (), False),
    ],
)
def test_an_unreadable_trade_names_the_orders_it_may_be_of(
    row: Any, order_ids: tuple[str, ...], names_all: bool
) -> None:
    """What it did to these nobody knows; of all others the list still proves what it lacks."""
    [told] = trades_read([row, row], OWNER, WALLET, 1.0, 5).unreadable
    assert (told.order_ids, told.names_all) == (order_ids, names_all)
    assert told.unix == (1_790_000_000.0 if isinstance(row, dict) else 0.0)


async def test_a_page_of_trades_that_is_missing_makes_the_list_incomplete_still() -> None:
    read = await rest(pages(page(a_trade(maker(), status="MAYBE"), to="MQ=="), httpx.Response(500))).trades_since(0)
    assert not read.complete and "page 2" in read.problem and len(read.unreadable) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@laws(200)
@given(
    st.lists(JSON, max_size=3),
    st.dictionaries(st.sampled_from(sorted(a_row())), JSON, max_size=3),
    st.dictionaries(st.sampled_from(sorted(a_trade())), JSON, max_size=3),
)
def test_rows_of_any_shape_raise_nothing_and_hide_no_good_row(
    rows: list[Any], order: dict[str, Any], trade: dict[str, Any]
) -> None:
    orders = open_orders_read([*rows, a_row() | order, a_row("0xgood")], 0.0)
    assert orders.orders[-1].order_id == "0xgood" and (orders.complete or orders.problem)
    assert all(each.order_id and each.size >= 0 and each.matched >= 0 for each in orders.orders)
    fills = trades_read([*rows, a_trade(maker(), stranger()) | trade, a_trade(maker(), id="tz")], OWNER, WALLET, 0.0, 0)
    assert fills.fills[-1].trade_id == "tz" and fills.complete and not fills.problem
    assert all(one.problem and all(one.order_ids) for one in fills.unreadable)
    assert all(isinstance(fill, FillSeen) and fill.size > 0 and fill.order_id for fill in fills.fills)


# One order: there, absent, or no answer


async def test_an_order_is_told_with_the_moment_of_the_question() -> None:
    told = await rest(pages(a_row("0xA", status="ORDER_STATUS_MATCHED"))).read_order("0xa")
    assert told == OrderSeen(order_id="0xa", status="matched", matched=shares(7.555554), asked_s=50.0)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"error": "Order not found"}),
        httpx.Response(200, text="null"),
        httpx.Response(200, json={}),
    ],
)
async def test_order_is_absent_only_when_the_venue_says_so(answer: httpx.Response) -> None:
    told = await rest(lambda _: answer).read_order("0xa")
    assert told == OrderSeen(order_id="0xa", status="absent", asked_s=50.0)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(404, text="<html>no such page</html>"),
        httpx.Response(200),
        httpx.Response(429),
        httpx.Response(403, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json=""),
        httpx.Response(200, json={"error": "later"}),
        httpx.Response(200, json=a_row("0xother")),
        httpx.Response(200, json=a_row(size_matched="x")),
        httpx.Response(425, json={"error": "service not ready"}),
        httpx.Response(401),
    ],
)
async def test_answer_of_doubt_is_none_and_never_an_absence(answer: httpx.Response) -> None:
    assert await rest(lambda _: answer).read_order("0xa") is None


async def test_lost_connection_is_doubt_everywhere_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    reader = rest(fail)
    with caplog.at_level("INFO"):
        assert await reader.read_order("0xa") is None and await reader.read_scoring(["0xa"]) is None
    reads = (await reader.open_orders(), await reader.trades_since(0), await reader.balances(["11"]))
    assert not any(read.complete for read in reads)
    said = caplog.text + "".join(read.problem for read in reads) + str([vars(record) for record in caplog.records])
    assert "ReadTimeout" in said and "phrase" not in said and "c2VjcmV0" not in said


async def test_a_venue_that_serves_nobody_is_told_to_whoever_keeps_its_mode() -> None:
    """A restart met by a read must hold orders back before one of them meets it too (polymarket-api.md 10.3)."""
    signs: list[Sign] = []
    busy = {"error": "post only", "code": "post_only_mode", "retry_after_seconds": 60}
    said = (httpx.Response(425, json={"error": "service not ready"}), httpx.Response(503, json=busy))
    reader = rest(pages(*said, httpx.Response(500), page()), signs)
    reads = [await reader.open_orders() for _ in range(4)]
    assert [read.complete for read in reads] == [False, False, False, True]
    assert [sign.mode for sign in signs if isinstance(sign, ModeSign)] == ["RESTARTING", "POST_ONLY"]


# Balances


async def test_cash_and_each_token_are_read_in_base_units() -> None:
    position = str(1 << 104)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["asset_type"])
        amounts = {"": "6761230", YES: "7", position: 9}
        return httpx.Response(200, json={"balance": amounts[request.url.params.get("token_id", "")]})

    assert await rest(answer).balances([YES, position]) == BalancesRead(
        asked_s=50.0, cash=6761230, holdings=((YES, 7), (position, 9)), complete=True
    )
    assert asked == ["COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2"]


async def test_a_hundred_markets_are_read_a_few_at_a_time_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one 200 requests at 130 ms took 27 s; all at once they would be refused (polymarket-api.md 10.1)."""
    clock = ManualClock(unix=NOW, monotonic=50.0)
    reader, sent = rest(lambda _: httpx.Response(200, json={"balance": "7"})), list[float]()
    under_way = most = 0

    async def pause(seconds: float) -> None:
        """Time goes on by itself: everybody who waits sleeps to his own moment."""
        wakes_s = clock.monotonic() + seconds
        while clock.monotonic() < wakes_s:
            await real_sleep(0)
        await real_sleep(0)

    async def balance(token: str) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        sent.append(clock.monotonic())
        await pause(0.13)
        under_way -= 1
        return 7

    async def tick() -> None:
        while True:
            await real_sleep(0)
            clock.advance_to(clock.monotonic() + 0.005)

    real_sleep = asyncio.sleep
    reader._clock = clock
    monkeypatch.setattr(reader, "_balance", balance)
    monkeypatch.setattr(asyncio, "sleep", pause)
    ticking = asyncio.create_task(tick())
    tokens = [str(number) for number in range(200)]
    read = await reader.balances(tokens)
    ticking.cancel()
    assert read.complete and [token for token, _ in read.holdings] == tokens and len(sent) == 201
    assert most == ABREAST and clock.monotonic() - 50.0 < 12.0
    assert all(sum(1 for at in sent if start <= at < start + 10.0) <= 190 for start in sent)


@pytest.mark.parametrize("bad", [{}, {"balance": "x"}, {"balance": None}, {"balance": "-1"}, {"balance": "7.5"}, []])
async def test_balance_that_cannot_be_read_is_no_zero_and_costs_no_other(bad: Any) -> None:
    read = await rest(pages(bad, {"balance": "7"}, bad)).balances(["11", "22"])
    assert (read.cash, read.holdings, read.complete) == (None, (("11", 7),), False)
    assert "cash" in read.problem and "and 1 more" in read.problem


@pytest.mark.parametrize("status", [401, 425, 429, 500, 503])
async def test_a_venue_that_does_not_answer_is_not_asked_for_the_rest(status: int) -> None:
    """A hundred tokens times five seconds of silence would hold up the next round; what is under way is waited for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(token := request.url.params.get("token_id", ""))
        return httpx.Response(status) if token == "22" else httpx.Response(200, json={"balance": "7"})

    tokens = [str(number) for number in range(20, 20 + 3 * ABREAST)]
    read = await rest(answer).balances(tokens)
    assert (read.cash, read.complete) == (7, False) and len(asked) <= 1 + 2 * ABREAST
    assert read.holdings == tuple((token, 7) for token in tokens if token in asked and token != "22")
    asked.clear()
    await rest(lambda request: asked.append("") or httpx.Response(status)).balances(tokens)  # type: ignore[func-returns-value]
    assert asked == [""], "cash is asked for first, and alone"
    read = await rest(pages({"balance": "5"}, httpx.Response(400), {"balance": "7"})).balances(["11", "22"])
    assert (read.holdings, read.complete) == ((("22", 7),), False), "one that is refused is only that one"


# Scoring


async def test_flags_are_asked_for_in_one_signed_body() -> None:
    """The signature of a POST is over its exact bytes too (polymarket-api.md 3.3)."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"0xa": True, "0xz": True})

    assert await rest(answer).read_scoring(["0xa", "0xb"]) == ScoringSeen(scoring=(("0xa", True),))
    (request,) = asked
    assert (request.method, request.url.path, request.content) == ("POST", "/orders-scoring", b'["0xa","0xb"]')
    signed = l2_signature("c2VjcmV0", 1790000000, "POST", "/orders-scoring", '["0xa","0xb"]')
    assert request.headers["POLY_SIGNATURE"] == signed
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", [[], None, {"0xa": "true"}, {"0xa": 1}, {"0xa": None}, {"error": "x"}])
async def test_flags_of_another_shape_are_no_flags(body: Any) -> None:
    """A text "false" would be true."""
    assert await rest(pages(body)).read_scoring(["0xa"]) is None


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_flags_are_not_known_when_the_venue_says_no(status: int) -> None:
    assert await rest(lambda _: httpx.Response(status)).read_scoring(["0xa"]) is None
