"""The exchange as a process: what it prints, when it ends, what it weighs."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.sync.client import connect as sync_connect

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20


@contextmanager
def started(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "core.exchange", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()
        process.stderr.close()


def test_it_prints_one_line_serves_lean_and_ends_with_its_parent() -> None:
    begun = time.monotonic()
    with started("--seed", "3", "--markets", "8", "--speed", "30") as (process, urls):
        assert time.monotonic() - begun < 5
        assert set(urls) == {
            "port", "clob_url", "gamma_url", "data_url", "ws_market_url", "ws_user_url", "relayer_url", "rpc_url",
            "sheets_url", "geoblock_url", "spreadsheet", "chain_id", "private_key", "address", "wallets", "credentials",
        }  # fmt: skip
        assert httpx.get(urls["clob_url"] + "/ok").json() == "OK"
        assert len(httpx.get(urls["gamma_url"] + "/markets").json()) == 8
        asked = {"address": urls["wallets"]["deposit"]}
        assert httpx.get(urls["relayer_url"] + "/deployed", params=asked).json() == {"deployed": True}
        chain = httpx.post(urls["rpc_url"], json={"id": 1, "method": "eth_chainId"}).json()
        assert chain == {"jsonrpc": "2.0", "id": 1, "result": "0x89"}
        if os.path.exists(f"/proc/{process.pid}/statm"):
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            assert pages * os.sysconf("SC_PAGESIZE") < 90 * 1024 * 1024
        assert process.stdin and process.stdout and process.stderr
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout.read() == "" and process.stderr.read() == ""


def test_fifty_lively_markets_fit_into_two_hundred_megabytes() -> None:
    """The whole process at its peak, with everything of it watched."""
    with started("--seed", "3", "--markets", "50", "--speed", "30") as (process, urls):
        status = Path(f"/proc/{process.pid}/status")
        if not status.exists():
            pytest.skip("this system does not tell a process's peak memory")
        markets = httpx.get(urls["gamma_url"] + "/markets", params={"limit": 50}).json()
        tokens = [token for market in markets for token in json.loads(market["clobTokenIds"])]
        assert len(tokens) == 100
        with sync_connect(urls["ws_market_url"], max_size=None) as socket:
            socket.send(json.dumps({"type": "market", "assets_ids": tokens}))
            for _ in range(3_000):
                socket.recv(PATIENCE_S)
        peak = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak) * 1024 < 200_000_000


async def test_a_raw_client_proves_every_frame_of_a_lively_process() -> None:
    """From the dump on, with both tokens' books kept by hand, every hash agrees, and in the end REST does too."""
    with started("--seed", "6", "--markets", "3", "--speed", "50") as (_, urls):
        async with httpx.AsyncClient(base_url=urls["clob_url"]) as http:
            markets = (await http.get(urls["gamma_url"] + "/markets")).json()
            facts = {m["conditionId"]: (f"{m['orderPriceMinTickSize']:g}", m["negRisk"]) for m in markets}
            tokens = [token for market in markets for token in json.loads(market["clobTokenIds"])]
            replica = Replica(facts)
            async with websockets.connect(urls["ws_market_url"]) as socket:
                await socket.send(json.dumps({"type": "market", "assets_ids": tokens}))
                async with asyncio.timeout(PATIENCE_S):
                    while replica.proven < 300 or replica.trades < 10:
                        message = json.loads(await socket.recv())
                        for event in message if isinstance(message, list) else [message]:
                            replica.take(event)
                await http.post("/_exchange/pause_participants", json={"paused": True})
                await socket.send("PING")
                while (text := await socket.recv()) != "PONG":
                    replica.take(json.loads(text))
            for book in (await http.post("/books", json=[{"token_id": t} for t in tokens])).json():
                assert {s: book[s] for s in ("bids", "asks")} == replica.levels(book["asset_id"])
            assert (await http.get("/_exchange/ledger")).status_code == 200


class Replica:
    """Both tokens' books of some markets as the frames tell them; refuses a frame whose hash does not agree."""

    def __init__(self, facts: dict[str, tuple[str, bool]]) -> None:
        self.facts = facts
        self.books: dict[str, dict[str, dict[str, str]]] = {}
        self.last: dict[str, str] = {}
        self.proven = 0
        self.trades = 0

    def take(self, event: dict[str, Any]) -> None:
        kind = event["event_type"]
        if kind == "book":
            fresh = {side: {x["price"]: x["size"] for x in event[side]} for side in ("bids", "asks")}
            assert fresh == self.books.setdefault(event["asset_id"], fresh)
            self.last[event["market"]] = event.get("last_trade_price", self.last.get(event["market"], ""))
            self.prove(event, event["asset_id"], event["hash"])
        for entry in event.get("price_changes", ()):
            levels = self.books[entry["asset_id"]]["bids" if entry["side"] == "BUY" else "asks"]
            levels[entry["price"]] = entry["size"]
            if entry["size"] == "0":
                del levels[entry["price"]]
            self.prove(event, entry["asset_id"], entry["hash"])
        self.trades += kind == "last_trade_price"

    def prove(self, event: dict[str, Any], token: str, stated: str) -> None:
        """A trade may just have changed the market's last price: then the right one is found by trial."""
        market = event["market"]
        for last in (self.last[market], *(f"{n / 1000:.3f}" for n in range(1_000))):
            if self.hash(event, token, last) == stated:
                self.last[market] = last
                self.proven += 1
                return
        raise AssertionError(f"no last trade price explains {stated}")

    def levels(self, token: str) -> dict[str, list[dict[str, str]]]:
        book = self.books[token]
        bids = sorted(book["bids"].items(), key=lambda level: float(level[0]))
        asks = sorted(book["asks"].items(), key=lambda level: -float(level[0]))
        return {
            "bids": [{"price": p, "size": s} for p, s in bids],
            "asks": [{"price": p, "size": s} for p, s in asks],
        }

    def hash(self, event: dict[str, Any], token: str, last: str) -> str:
        tick, neg_risk = self.facts[event["market"]]
        whole = {"market": event["market"], "asset_id": token, "timestamp": event["timestamp"], "hash": ""}
        whole |= self.levels(token) | {"min_order_size": "5", "tick_size": tick, "neg_risk": neg_risk}
        text = json.dumps(whole | {"last_trade_price": last}, separators=(",", ":"))
        return hashlib.sha1(text.encode()).hexdigest()


def test_interrupts_are_ignored_and_termination_is_clean() -> None:
    with started("--markets", "1") as (process, urls):
        process.send_signal(signal.SIGINT)
        assert httpx.get(urls["clob_url"] + "/ok").json() == "OK"
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr and process.stderr.read() == ""


async def test_open_connections_do_not_hold_up_the_end() -> None:
    """Sockets are told that the service restarts (1012); nothing is written to stderr."""
    with started("--markets", "1") as (process, urls):
        async with websockets.connect(urls["ws_market_url"]) as socket, httpx.AsyncClient() as http:
            await socket.send(json.dumps({"type": "market", "assets_ids": []}))
            await http.get(urls["clob_url"] + "/ok")
            assert process.stdin and process.stderr
            process.stdin.close()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    await socket.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1012
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == ""


def test_two_processes_with_one_seed_list_the_same_markets() -> None:
    found = []
    for seed in ("4", "4", "5"):
        with started("--seed", seed, "--markets", "2", "--paused") as (_, urls):
            found.append([m["conditionId"] for m in httpx.get(urls["gamma_url"] + "/markets").json()])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--markets", "64"), "is not a whole number from 1 to 63"),
        (("--markets", "0"), "is not a whole number from 1 to 63"),
        (("--markets", "x"), "is not a whole number from 1 to 63"),
        (("--speed", "0"), "is not a number from 0.001 to 1,000"),
        (("--speed", "x"), "is not a number from 0.001 to 1,000"),
        (("--seed", "x"), "--seed: invalid int value"),
    ],
)
def test_bad_arguments_end_with_a_usage_error(arguments: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core.exchange", *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and words in done.stderr and done.stdout == ""
