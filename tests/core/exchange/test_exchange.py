"""The exchange without sockets: frames and their order, settlement, expiry, heartbeat, replayability."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.frames import Frame, MarketFrame, UserFrame
from core.exchange.orders import NewOrder, OrderType, Report
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, micro_text

START = 1_790_000_000_000
OWNER = "11111111-1111-4111-8111-111111111111"
ADDRESS = "0xAbCd000000000000000000000000000000000001"


class Desk:
    """One outside account on a quiet exchange."""

    def __init__(self, markets: int = 2) -> None:
        self.exchange = Exchange(seed=5, markets=markets, now_ms=START)
        self.market = next(iter(self.exchange.listings))
        self.exchange.admit(ADDRESS)
        self.sent = 0

    def send(
        self,
        side: OrderSide,
        price: int,
        size: int,
        *,
        outcome: Outcome = "YES",
        at: int = START,
        order_type: OrderType = "GTC",
        expiration: int = 0,
    ) -> Report:
        self.sent += 1
        new = NewOrder(
            order_id=f"0x{self.sent:064x}",
            account=ADDRESS.lower(),
            owner=OWNER,
            market=self.market,
            outcome=outcome,
            side=side,
            price=Ticks(price),
            size=Shares(size * MICRO),
            order_type=order_type,
            expiration=expiration,
        )
        return self.exchange.submit(new, at)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(frame.text) for frame in self.exchange.drain()]


def book_hash(book: dict[str, Any], last: str, *, neg_risk: bool = False, tick: str = "0.01") -> str:
    """The documented recipe applied to a socket book and what it leaves out."""
    whole = {key: book[key] for key in ("market", "asset_id", "timestamp")} | {"hash": ""}
    whole |= {"bids": book["bids"], "asks": book["asks"], "min_order_size": "5", "tick_size": tick}
    whole |= {"neg_risk": neg_risk, "last_trade_price": last}
    return hashlib.sha1(json.dumps(whole, separators=(",", ":")).encode()).hexdigest()


def test_a_placement_shows_as_two_complementary_entries_the_acting_token_first() -> None:
    desk = Desk()
    desk.send("BUY", 30, 100, outcome="NO")
    changes = [e for e in desk.events() if e["event_type"] == "price_change"]
    assert len(changes) == 1
    no, yes = changes[0]["price_changes"]
    instrument = desk.exchange.engine.instrument(desk.market)
    assert (no["asset_id"], no["side"], no["price"], no["size"]) == (instrument.no_token, "BUY", "0.3", "100")
    assert (yes["asset_id"], yes["side"], yes["price"], yes["size"]) == (instrument.yes_token, "SELL", "0.7", "100")
    assert (no["best_bid"], no["best_ask"], yes["best_bid"], yes["best_ask"]) == ("0.3", "1", "0", "0.7")


def test_a_trade_is_told_as_change_then_books_then_tape() -> None:
    """Same stamp and hash on change and book, hash with the new last trade price, tape 70 to 230 ms later."""
    desk = Desk()
    desk.send("BUY", 43, 100)
    desk.send("BUY", 42, 100)
    desk.exchange.drain()
    desk.exchange.force_trade(desk.market, "YES", "SELL", Shares(130 * MICRO), START + 1_000)
    public = [json.loads(f.text) for f in desk.exchange.drain() if isinstance(f, MarketFrame)]
    told = [event["event_type"] for event in public if event["event_type"] != "best_bid_ask"]
    assert told == ["price_change", "price_change", "book", "book"]
    last_change = [e for e in public if e["event_type"] == "price_change"][-1]
    for book in (e for e in public if e["event_type"] == "book"):
        assert book["timestamp"] == last_change["timestamp"] == str(START + 1_000)
        entry = next(e for e in last_change["price_changes"] if e["asset_id"] == book["asset_id"])
        assert entry["hash"] == book["hash"] == book_hash(book, "0.420")
    desk.exchange.step(START + 1_069)
    assert desk.exchange.drain() == []
    desk.exchange.step(START + 1_230)
    tape = json.loads(desk.exchange.drain()[0].text)
    assert (tape["event_type"], tape["price"], tape["size"], tape["side"]) == (
        "last_trade_price",
        "0.42",
        "130",
        "SELL",
    )
    assert 70 <= int(tape["timestamp"]) - START - 1_000 <= 230


def test_a_fill_is_told_to_its_owner_as_matched_mined_confirmed() -> None:
    desk = Desk()
    order_id = desk.send("BUY", 43, 100).order.new.order_id  # type: ignore[union-attr]
    desk.exchange.force_trade(desk.market, "NO", "BUY", Shares(40 * MICRO), START + 10)
    desk.exchange.step(START + 20_000)
    mine = [json.loads(f.text) for f in desk.exchange.drain() if isinstance(f, UserFrame)]
    orders = [(e["type"], e["status"], e["size_matched"]) for e in mine if e["event_type"] == "order"]
    assert orders == [("PLACEMENT", "LIVE", "0"), ("UPDATE", "LIVE", "40")]
    trades = [e for e in mine if e["event_type"] == "trade"]
    assert [e["status"] for e in trades] == ["MATCHED", "MINED", "CONFIRMED"]
    first = trades[0]
    assert (first["trader_side"], first["outcome"], first["side"], first["price"]) == ("MAKER", "No", "BUY", "0.57")
    (entry,) = first["maker_orders"]
    assert (entry["order_id"], entry["owner"], entry["maker_address"]) == (order_id, OWNER, ADDRESS)
    assert (entry["outcome"], entry["side"], entry["price"], entry["matched_amount"]) == ("Yes", "BUY", "0.43", "40")
    assert first["transaction_hash"] == "" and trades[1]["transaction_hash"].startswith("0x")


def test_strangers_in_a_sweep_are_listed_with_a_key_of_their_own() -> None:
    desk = Desk()
    Population(desk.exchange, paused=True)
    bid = desk.exchange.engine.books[desk.market].touch("bid")
    assert bid is not None
    desk.send("BUY", bid, 100)
    desk.exchange.drain()
    desk.exchange.force_trade(desk.market, "YES", "SELL", Shares(100_000 * MICRO), START)
    trade = next(e for e in desk.events() if e["event_type"] == "trade")
    owners = {entry["owner"] for entry in trade["maker_orders"]}
    assert OWNER in owners and len(owners) > 1 and all(len(owner) == 36 for owner in owners)


def test_off_tick_cash_shows_as_a_long_price() -> None:
    """A fill of odd size rounds to a micro-dollar; the venue then prints the quotient."""
    desk = Desk()
    desk.send("BUY", 43, 100)
    desk.exchange.drain()
    desk.exchange.force_trade(desk.market, "NO", "BUY", Shares(8_771_927), START)
    trade = next(e for e in desk.events() if e["event_type"] == "trade")
    price = trade["maker_orders"][0]["price"]
    assert price != "0.43" and abs(float(price) - 0.43) < 1e-6


def test_a_good_till_date_order_goes_a_minute_before_its_expiration() -> None:
    desk = Desk()
    desk.send("BUY", 40, 10, order_type="GTD", expiration=START // 1000 + 200)
    desk.exchange.step(START + 139_999)
    assert len(desk.exchange.open_orders(OWNER)) == 1
    desk.exchange.drain()
    desk.exchange.step(START + 140_000)
    assert desk.exchange.open_orders(OWNER) == []
    last = desk.events()[-1]
    assert (last["type"], last["status"]) == ("CANCELLATION", "CANCELED_EXPIRED_ORDER")


def test_silence_after_a_heartbeat_cancels_everything_of_the_key() -> None:
    desk = Desk()
    desk.send("BUY", 40, 10)
    desk.exchange.step(START + 60_000)
    assert len(desk.exchange.open_orders(OWNER)) == 1, "nothing happens before the first beat"
    now = desk.exchange.now_ms
    accepted, expected = desk.exchange.deadman.beat(OWNER, "", now)
    assert accepted
    assert desk.exchange.deadman.beat(OWNER, "wrong", now + 1_000) == (False, expected)
    desk.exchange.step(now + 10_000)
    assert len(desk.exchange.open_orders(OWNER)) == 1
    desk.exchange.step(now + 15_000)
    assert desk.exchange.open_orders(OWNER) == [], "a refused beat does not count"


def test_beats_in_time_keep_orders_alive() -> None:
    desk = Desk()
    desk.send("BUY", 40, 10)
    expected = ""
    for beat in range(10):
        now = START + beat * 9_000
        desk.exchange.step(now)
        accepted, expected = desk.exchange.deadman.beat(OWNER, expected, now)
        assert accepted
    assert len(desk.exchange.open_orders(OWNER)) == 1


def test_cancel_touches_own_orders_only_and_names_the_rest() -> None:
    desk = Desk()
    desk.send("BUY", 40, 10)
    order_id = f"0x{1:064x}"
    done, failed = desk.exchange.cancel("somebody else", [order_id], START)
    assert done == [] and list(failed) == [order_id]
    done, failed = desk.exchange.cancel(OWNER, [order_id, order_id, "0xnone"], START)
    assert done == [order_id] and list(failed) == ["0xnone"]


RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the real recordings are not here")
def test_messages_have_the_keys_of_recorded_ones() -> None:
    """Every kind of event has exactly the keys that the venue's own messages had."""
    real: dict[str, set[str]] = {}
    for name in ("ws-market-lol-esports-2026-09-07", "ws-market-btc-sampled-2026-03-13", "ws-user-2026-03-13"):
        for line in gzip.decompress((RECORDINGS / f"{name}.jsonl.gz").read_bytes()).splitlines():
            frame = json.loads(line)["raw"]
            if isinstance(frame, dict):
                real[frame["event_type"]] = set(frame)
    desk = Desk()
    desk.send("BUY", 43, 100)
    desk.exchange.force_trade(desk.market, "YES", "SELL", Shares(10 * MICRO), START)
    desk.exchange.step(START + 300)
    ours: dict[str, set[str]] = {}
    for event in desk.events():
        ours[event["event_type"]] = set(event)
    ours["book"].discard("last_trade_price")
    real["book"] -= {"last_trade_price", "tick_size"}
    assert ours == real


def run(seed: int, step_ms: int, seconds: int = 20) -> list[Frame]:
    exchange = Exchange(seed=seed, markets=3, now_ms=START)
    Population(exchange, speed=6.0)
    out: list[Frame] = []
    for now in range(START, START + seconds * 1000 + 1, step_ms):
        exchange.step(now)
        out.extend(exchange.drain())
    exchange.ledger.check()
    return out


def test_the_same_seed_gives_the_same_frames_however_often_it_is_stepped() -> None:
    assert run(3, 20) == run(3, 20) == run(3, 1_000)
    assert run(3, 1_000, 5) != run(4, 1_000, 5)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_hash_on_the_wire_is_true_and_time_never_goes_back(seed: int) -> None:
    """A client that keeps both tokens' books from the frames alone agrees with every hash and every touch."""
    exchange = Exchange(seed=seed, markets=4, now_ms=START)
    Population(exchange, speed=6.0)
    books: dict[str, dict[str, dict[str, str]]] = {}
    for market, face in exchange.faces.items():
        for outcome in ("YES", "NO"):
            first = json.loads(face.socket_book("YES" if outcome == "YES" else "NO", initial=True))
            books[first["asset_id"]] = sides_of(first)
            assert first["market"] == market
    stamps: dict[str, int] = {}
    checked = 0
    lasts = {market: face.last_trade_price for market, face in exchange.faces.items()}
    for tick in range(1, 25_000):
        exchange.step(START + tick)
        frames = [json.loads(f.text) for f in exchange.drain() if isinstance(f, MarketFrame)]
        for event in frames:
            assert int(event["timestamp"]) >= stamps.get(event["market"], 0)
            stamps[event["market"]] = int(event["timestamp"])
            instrument = exchange.engine.instrument(event["market"])
            if event["event_type"] == "book":
                assert sides_of(event) == books[event["asset_id"]]
            for entry in event.get("price_changes", ()):
                apply(books[entry["asset_id"]], entry)
                sides = books[entry["asset_id"]]
                full = dict(event, asset_id=entry["asset_id"], **levels_of(sides))
                tick_text, neg_risk = instrument.tick_text, instrument.neg_risk
                candidates = {lasts[event["market"]], exchange.faces[event["market"]].last_trade_price}
                hashes = {book_hash(full, last, neg_risk=neg_risk, tick=tick_text) for last in candidates}
                assert entry["hash"] in hashes
                assert entry["best_bid"] == max(sides["bids"], key=float, default="0")
                assert entry["best_ask"] == min(sides["asks"], key=float, default="1")
                checked += 1
        lasts = {market: face.last_trade_price for market, face in exchange.faces.items()}
    assert checked > 500
    for market, face in exchange.faces.items():
        text, book = face.instrument.grid.text, exchange.engine.books[market]
        shown = sides_of(json.loads(face.socket_book("YES", initial=False)))
        assert shown["bids"] == {text(price): micro_text(size) for price, size in book.levels("bid")}
        assert shown["asks"] == {text(price): micro_text(size) for price, size in book.levels("ask")}


def sides_of(book: dict[str, Any]) -> dict[str, dict[str, str]]:
    assert [float(x["price"]) for x in book["bids"]] == sorted(float(x["price"]) for x in book["bids"])
    assert [-float(x["price"]) for x in book["asks"]] == sorted(-float(x["price"]) for x in book["asks"])
    return {side: {x["price"]: x["size"] for x in book[side]} for side in ("bids", "asks")}


def levels_of(sides: dict[str, dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    bids = sorted(sides["bids"].items(), key=lambda level: float(level[0]))
    asks = sorted(sides["asks"].items(), key=lambda level: -float(level[0]))
    return {
        "bids": [{"price": p, "size": s} for p, s in bids],
        "asks": [{"price": p, "size": s} for p, s in asks],
    }


def apply(sides: dict[str, dict[str, str]], entry: dict[str, str]) -> None:
    levels = sides["bids" if entry["side"] == "BUY" else "asks"]
    if entry["size"] == "0":
        assert levels.pop(entry["price"], None) is not None, "a removal names an existing level"
    else:
        levels[entry["price"]] = entry["size"]


def test_the_record_of_finished_business_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of days must not eat the memory; open orders are never forgotten."""
    monkeypatch.setattr("core.exchange.matching.RECORD_LIMIT", 3)
    monkeypatch.setattr("core.exchange.exchange.RECORD_LIMIT", 3)
    desk = Desk()
    first = desk.send("BUY", 10, 10).order
    assert first is not None
    for _ in range(6):
        desk.send("BUY", 40, 10)
        desk.exchange.force_trade(desk.market, "YES", "SELL", Shares(10 * MICRO), START)
    assert len(desk.exchange.trades) == 3
    assert len(desk.exchange.received) == 3
    assert len(desk.exchange.engine.orders) == 4 and first.new.order_id in desk.exchange.engine.orders
    desk.exchange.step(START + 20_000)
    desk.exchange.ledger.check()
