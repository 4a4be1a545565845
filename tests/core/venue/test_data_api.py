"""The Data API: what it lists of our account, and when that is not all."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core.clock import ManualClock
from core.events import ActivityRow, IndexedTrade
from core.venue.data_api import MOST_PAGES, PAGE, DataApi
from tests.builders import recorded, shares, usd

WALLET = "0x19254b55e7c48e88baab9e62cc218223a6544654"
Answer = Callable[[httpx.Request], httpx.Response]


def api(answer: Answer, wallet: str = WALLET) -> DataApi:
    made = DataApi("http://data.test", wallet.upper().replace("0X", "0x"), ManualClock(monotonic=50.0))
    made._client = httpx.AsyncClient(base_url="http://data.test", transport=httpx.MockTransport(answer))
    return made


def serving(rows: list[Any], most: int = PAGE, asked: list[dict[str, str]] | None = None) -> Answer:
    """A list by limit and offset, as the venue pages; it gives at most so many rows."""

    def answer(request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        if asked is not None:
            asked.append(params)
        start, limit = int(params["offset"]), min(most, int(params["limit"]))
        return httpx.Response(200, json=rows[start : start + limit])

    return answer


def a_position(token: str = "11", size: Any = 463557.7452, **over: Any) -> dict[str, Any]:
    return {"proxyWallet": WALLET, "asset": token, "size": size, "curPrice": 0.5, "title": "x"} | over


def a_trade(transaction: str = "0xfeed", **over: Any) -> dict[str, Any]:
    row = {"proxyWallet": WALLET, "side": "BUY", "asset": "11", "size": 8.771927, "price": 0.4300000444600143}
    return row | {"timestamp": 1776504298, "transactionHash": transaction} | over


async def test_positions_of_the_tokens_asked_for_are_told_in_micro_shares() -> None:
    asked: list[dict[str, str]] = []
    rows = [a_position(), a_position("22", 0.0042), a_position("33", 7), a_position("44", 12.500000000000001)]
    reader = api(serving(rows, asked=asked))
    read = await reader.positions(["11", "22", "99"])
    assert read.holdings == (("11", 463_557_745_200), ("22", 4_200)), "dust is there, and what is not listed is not 0"
    assert (read.complete, read.problem, read.asked_s) == (True, "", 50.0)
    assert asked[0]["sizeThreshold"] == "0" and asked[0]["user"].lower() == WALLET
    assert [token for token, _ in (await reader.positions(())).holdings] == ["11", "22", "33", "44"]


async def test_trades_are_of_makers_too_and_not_older_than_asked_for() -> None:
    asked: list[dict[str, str]] = []
    rows = [a_trade(), a_trade("0xolder", timestamp="1776504000", side="sell", size="5")]
    reader = api(serving(rows, asked=asked))
    read = await reader.trades_since(1776504000)
    assert asked[0]["takerOnly"] == "false", "the venue's usual list leaves makers out"
    assert read.trades == (
        IndexedTrade("0xfeed", "11", "BUY", shares(8.771927), "0.4300000444600143", 1776504298.0),
        IndexedTrade("0xolder", "11", "SELL", shares(5), "0.4300000444600143", 1776504000.0),
    )
    assert read.complete and (await reader.trades_since(1776504001)).trades == read.trades[:1]


@pytest.mark.parametrize("most", [PAGE, 100, 3, 2])
async def test_every_page_is_read_also_when_the_venue_gives_fewer_rows_than_asked_for(most: int) -> None:
    """A limit that is cut down without a word would look like the end of the list."""
    rows = [a_trade(f"0x{number}", timestamp=1776504298 - number) for number in range(most + most // 2 + 1)]
    read = await api(serving(rows, most)).trades_since(0)
    assert read.complete and [trade.transaction for trade in read.trades] == [row["transactionHash"] for row in rows]


async def test_pages_beyond_the_moment_asked_for_are_left_alone() -> None:
    asked: list[dict[str, str]] = []
    rows = [a_trade(f"0x{number}", timestamp=2000 - number) for number in range(50)]
    read = await api(serving(rows, 10, asked)).trades_since(1985)
    assert [trade.unix for trade in read.trades] == [2000 - number for number in range(16)]
    assert read.complete and len(asked) == 3
    timeless = [a_trade(f"0x{number}", timestamp="soon") for number in range(10)]
    read = await api(serving([*timeless, a_trade()], 10)).trades_since(1985)
    assert len(read.trades) == 1, "a page without times is no old one"


async def test_a_list_that_moved_between_two_pages_is_not_complete() -> None:
    """A new trade pushes one onto the next page, where it would count twice."""
    rows = [a_trade(f"0x{number}") for number in range(12)]
    served = serving(rows, 5)

    def answer(request: httpx.Request) -> httpx.Response:
        said = served(request)
        rows.insert(0, a_trade(f"0xnew{len(rows)}"))
        return said

    read = await api(answer).trades_since(0)
    assert not read.complete and read.problem == "/trades, page 2: the list moved while it was read"
    assert len(read.trades) == 5


async def test_prices_in_a_position_may_move_between_two_pages() -> None:
    price = iter(range(100))

    def answer(request: httpx.Request) -> httpx.Response:
        rows = [a_position(str(number), curPrice=next(price)) for number in range(5)]
        return serving(rows, 3)(request)

    read = await api(answer).positions(())
    assert read.complete and len(read.holdings) == 5


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (a_position(proxyWallet="0xelse"), "of another account: '0xelse'"),
        (a_position(proxyWallet=None), "of another account"),
        (a_position(asset=""), "no asset"),
        (a_position(size="x"), "'x' is no number"),
        (a_position(size=-1), "'-1' is no number"),
        (a_position(size=None), "no number"),
        (a_position("22", 5), "stands there twice"),
        (None, "no object"),
        ([], "no object"),
    ],
)
async def test_an_unreadable_position_is_named_and_costs_no_other(row: Any, words: str) -> None:
    read = await api(serving([a_position("22", 1), row, a_position("33", 2)])).positions(())
    assert read.holdings == (("22", shares(1)), ("33", shares(2))) and not read.complete
    assert read.problem.startswith("/positions, row 1: ") and words in read.problem


@pytest.mark.parametrize("gone", ["transactionHash", "asset", "side", "timestamp", "size", "proxyWallet"])
async def test_a_trade_without_what_is_compared_is_named_and_costs_no_other(gone: str) -> None:
    bad = {name: value for name, value in a_trade().items() if name != gone}
    read = await api(serving([a_trade("0x1"), bad, a_trade("0x2")])).trades_since(0)
    assert [trade.transaction for trade in read.trades] == ["0x1", "0x2"] and not read.complete
    assert read.problem.startswith("/trades, row 1: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(400, json={"error": "max historical activity offset of 1000 exceeded"}), "status 400"),
        (httpx.Response(503), "status 503"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, json={"data": []}), "not a list"),
        (httpx.Response(200, text="null"), "not a list"),
    ],
)
async def test_an_answer_of_doubt_is_an_incomplete_read(answer: httpx.Response, words: str) -> None:
    """An empty list stands for "holds nothing" only when the venue said so, and even then it proves nothing."""
    reader = api(lambda _: httpx.Response(answer.status_code, content=answer.content))
    positions, trades, activity = await reader.positions(()), await reader.trades_since(0), await reader.activity(0)
    assert not positions.complete and words in positions.problem
    assert not trades.complete and words in trades.problem
    assert not activity.complete and words in activity.problem and activity.rows == ()
    assert (await api(serving([])).positions(())).complete


async def test_lost_connections_and_lists_without_an_end_are_incomplete_reads() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert (await api(fail).positions(())).problem == "/positions: ConnectError"
    rows = [a_trade(f"0x{number}") for number in range(1000)]
    read = await api(serving(rows, 5)).trades_since(0)
    assert not read.complete and read.problem == f"/trades: more than {MOST_PAGES} pages"


def an_activity(kind: Any = "REWARD", **over: Any) -> dict[str, Any]:
    row = {"proxyWallet": WALLET, "type": kind, "timestamp": 1776504298, "transactionHash": "0xfeed", "usdcSize": 2.5}
    return row | {"size": 2.5, "conditionId": "0xc0", "asset": "", "side": "", "outcomeIndex": 999} | over


async def test_activity_is_asked_for_with_deposits_and_read_by_kind() -> None:
    """Without being asked the venue leaves deposits and withdrawals out."""
    asked: list[dict[str, str]] = []
    kinds = {
        "TRADE": "trade", "SPLIT": "split", "MERGE": "merge", "REDEEM": "redeem", "CONVERSION": "convert",
        "REWARD": "reward", "YIELD": "reward", "REFERRAL_REWARD": "reward", "MAKER_REBATE": "rebate",
        "TAKER_REBATE": "rebate", "DEPOSIT": "deposit", "WITHDRAWAL": "withdrawal", "TIP": "other", "NEW": "other",
    }  # fmt: skip
    rows = [an_activity(word, timestamp=1776504298 - number) for number, word in enumerate(kinds)]
    read = await api(serving(rows, asked=asked)).activity(1776504000)
    assert "TRADE" not in asked[0]["type"].split(","), "a busy maker's trades would fill all the pages"
    assert {"REWARD", "REDEEM", "DEPOSIT"} <= set(asked[0]["type"].split(","))
    assert read.complete and [row.kind for row in read.rows] == list(kinds.values())
    assert read.rows[5] == ActivityRow("reward", "0xfeed", 1776504293.0, "0xc0", "", shares(2.5), usd(2.5))
    assert (asked[0]["excludeDepositsWithdrawals"], asked[0]["start"]) == ("false", "1776504000")
    assert (read.asked_s, read.after_unix) == (50.0, 1776504000)
    assert len((await api(serving(rows)).activity(1776504290)).rows) == 9, "what is older is left out"


async def test_dollars_may_be_missing_where_their_way_is_not_known_anyway() -> None:
    rows = [an_activity("CONVERSION", usdcSize=None), an_activity("SOMETHING", usdcSize=None, size=None)]
    read = await api(serving(rows)).activity(0)
    assert read.complete and [(row.kind, row.size, row.usd) for row in read.rows] == [
        ("convert", shares(2.5), 0), ("other", 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        {"usdcSize": None},
        {"usdcSize": "much"},
        {"usdcSize": -1},
        {"size": []},
        {"type": None},
        {"timestamp": "soon"},
        {"proxyWallet": "0xelse"},
    ],
)
async def test_an_unreadable_activity_is_named_by_its_number_and_costs_no_other(bad: dict[str, Any]) -> None:
    read = await api(serving([an_activity(), an_activity("DEPOSIT", **bad), an_activity("MERGE")])).activity(0)
    assert [row.kind for row in read.rows] == ["reward", "merge"] and not read.complete
    assert read.problem.startswith("/activity, row 1: ")


async def test_rows_of_one_transaction_are_told_apart_where_pages_meet() -> None:
    """Rewards of many markets may be paid by one transaction."""
    rows = [an_activity(conditionId=f"0x{number}") for number in range(9)]
    read = await api(serving(rows, 4)).activity(0)
    assert read.complete and [row.market for row in read.rows] == [row["conditionId"] for row in rows]


async def test_recorded_rows_are_read() -> None:
    """Fifty positions of one account, and five hundred trades of everybody (another account's are refused)."""
    [path] = recorded("data-api-positions-50.json")
    positions = json.loads(path.read_bytes())
    read = await api(serving(positions), positions[0]["proxyWallet"]).positions(())
    assert read.complete and len(read.holdings) == 50 and read.holdings[0][1] == 463_557_745_200
    [path] = recorded("data-api-trades-500.json")
    trades = json.loads(path.read_bytes())
    everybody = await api(serving(trades), trades[0]["proxyWallet"]).trades_since(0)
    assert not everybody.complete and "of another account" in everybody.problem
    ours = [row | {"proxyWallet": WALLET} for row in trades]
    read = await api(serving(ours)).trades_since(0)
    assert read.complete and len(read.trades) == 500
    assert all(abs(one.size / 1e6 - float(row["size"])) < 5e-7 for one, row in zip(read.trades, ours, strict=True))
