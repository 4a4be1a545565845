"""The user channel's words about our orders and fills."""

import gzip
import json
from typing import Any

import pytest

from core.errors import MalformedMessage
from core.events import FillSeen, OrderSeen
from core.venue.user_channel import decode_user_frame, fills_of_trades, order_seen
from tests.builders import recorded, shares

OWNER = "key-1"


def told(*messages: dict[str, Any], owner: str = OWNER) -> list[Any]:
    frame = messages[0] if len(messages) == 1 else list(messages)
    return list(decode_user_frame(json.dumps(frame), owner))


def an_order(**over: Any) -> dict[str, Any]:
    return {"event_type": "order", "type": "UPDATE", "id": "0xa", "status": "LIVE", "size_matched": "0"} | over


def maker(**over: Any) -> dict[str, Any]:
    return {"order_id": "0xa", "owner": OWNER, "matched_amount": "12.5", "price": "0.4300000444600143"} | over


def a_trade(*makers: dict[str, Any], **over: Any) -> dict[str, Any]:
    plain = {"event_type": "trade", "id": "t1", "status": "MATCHED", "trader_side": "MAKER", "owner": "stranger"}
    plain |= {"size": "99", "taker_order_id": "0xtaker", "match_time": "1790000000", "timestamp": "1790000001254"}
    return plain | {"maker_orders": list(makers)} | over


@pytest.mark.parametrize(
    ("kind", "status", "seen"),
    [
        ("PLACEMENT", "LIVE", "live"),
        ("UPDATE", "DELAYED", "live"),
        ("UPDATE", "UNMATCHED", "live"),
        ("UPDATE", "MATCHED", "matched"),
        ("CANCELLATION", "CANCELED", "cancelled"),
        ("CANCELLATION", "INVALID", "cancelled"),
        ("UPDATE", "CANCELED_NOT_ENOUGH_BALANCE", "cancelled"),
        ("UPDATE", "CANCELED_for reasons of its own", "cancelled"),
        ("CANCELLATION", "", "cancelled"),
        ("UPDATE", "ORDER_STATUS_CANCELED_MARKET_RESOLVED", "cancelled"),
    ],
)
def test_status_words_are_open_ended(kind: str, status: str, seen: str) -> None:
    (event,) = told(an_order(type=kind, status=status))
    assert event.status == seen


@pytest.mark.parametrize(("text", "matched"), [("", None), (None, None), ("0", 0), ("7.555554", 7_555_554)])
def test_matched_size_may_be_empty(text: str | None, matched: int | None) -> None:
    assert told(an_order(size_matched=text))[0].matched == matched
    assert order_seen("0xa", "LIVE", text).matched == matched


def test_reason_of_a_venue_cancel_is_kept() -> None:
    assert told(an_order(status="CANCELED_EXPIRED_ORDER"))[0].detail == "CANCELED_EXPIRED_ORDER"


def test_only_our_entries_of_a_trade_are_fills() -> None:
    """The top level speaks of the taker, and the list holds every maker of the sweep."""
    events = told(a_trade(maker(), maker(order_id="0xb", owner="somebody"), maker(order_id="0xc", matched_amount="3")))
    assert [(event.order_id, event.size) for event in events] == [("0xa", shares(12.5)), ("0xc", shares(3))]
    assert {event.trade_id for event in events} == {"t1"}


def test_entry_on_the_other_token_or_without_a_side_is_a_fill_like_any_other() -> None:
    other = maker(asset_id="2", outcome="No", outcome_index=1, side="BUY")
    assert told(a_trade(other)) == told(a_trade(maker())) == told(a_trade(maker(asset_id="1", side="")))


def test_entry_without_an_owner_may_be_ours() -> None:
    nameless = maker()
    del nameless["owner"]
    assert [event.order_id for event in told(a_trade(nameless))] == ["0xa"]


def test_own_taker_trade_is_a_fill_of_the_taking_order() -> None:
    (event,) = told(a_trade(maker(owner="somebody"), trader_side="TAKER", owner=OWNER, size="8.771927"))
    assert (event.order_id, event.size) == ("0xtaker", 8_771_927)
    assert told(a_trade(maker(owner="somebody"), trader_side="TAKER")) == []


@pytest.mark.parametrize(
    ("status", "settlement"),
    [
        ("MATCHED", "matched"),
        ("MATCHED_NOT_BROADCASTED", "matched"),
        ("TRADE_STATUS_MINED", "mined"),
        ("confirmed", "confirmed"),
        ("RETRYING", "retrying"),
        ("FAILED", "failed"),
    ],
)
def test_settlement_words(status: str, settlement: str) -> None:
    assert told(a_trade(maker(), status=status))[0].settlement == settlement


@pytest.mark.parametrize(
    ("stamps", "unix"),
    [
        ({"match_time": "1790000000"}, 1790000000.0),
        ({"match_time": "", "matchtime": "1790000000"}, 1790000000.0),
        ({"match_time": "", "timestamp": "1790000001254"}, 1790000001.254),
        ({"match_time": "soon"}, 0.0),
        ({"match_time": "²"}, 0.0),
        ({"match_time": "", "timestamp": ""}, 0.0),
        ({"match_time": "9" * 400}, 0.0),
    ],
)
def test_fill_counts_whatever_its_stamp_says(stamps: dict[str, str], unix: float) -> None:
    assert told(a_trade(maker(), **stamps))[0].unix == unix


def test_entry_of_no_size_is_no_fill() -> None:
    assert told(a_trade(maker(matched_amount="0"), maker(order_id="0xc"))) == told(a_trade(maker(order_id="0xc")))


@pytest.mark.parametrize(
    "bad",
    [a_trade(maker(matched_amount="many")), a_trade(maker(), status="MAYBE"), an_order(size_matched="-1"), {"id": 5}],
)
def test_message_that_cannot_be_read_does_not_cost_the_fills_beside_it(bad: dict[str, Any]) -> None:
    events = decode_user_frame(json.dumps([a_trade(maker()), bad, an_order()]), OWNER)
    seen = [next(events), next(events)]
    assert [type(event) for event in seen] == [FillSeen, OrderSeen]
    with pytest.raises(MalformedMessage):
        next(events)


@pytest.mark.parametrize("frame", [b"PONG", b"", b"[", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"7"])
def test_what_is_no_message_is_malformed_and_nothing_worse(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(decode_user_frame(frame, OWNER))


def test_trades_read_back_over_rest_are_the_same_fills() -> None:
    """What a lost channel did not tell is read again; the fills must be recognised as the same."""
    row = a_trade(maker(), maker(owner="somebody"), status="TRADE_STATUS_CONFIRMED")
    assert fills_of_trades([row], OWNER) == told(row)
    with pytest.raises(MalformedMessage):
        fills_of_trades([a_trade(maker(matched_amount="x"))], OWNER)


def test_unknown_types_tell_nothing() -> None:
    assert told({"event_type": "mystery", "id": "1"}) == []


def test_recorded_messages_of_two_years_are_read() -> None:
    """An order placed and cancelled, a taker trade matched and mined, and the shapes of 2024."""
    events: dict[str, list[Any]] = {}
    for path in recorded("ws-user-*.jsonl.gz"):
        lines = [json.loads(line)["raw"] for line in gzip.decompress(path.read_bytes()).splitlines()]
        owner = next(raw["owner"] for raw in lines if raw["event_type"] == "order")
        events[path.name] = [event for raw in lines for event in decode_user_frame(json.dumps(raw), owner)]
    recent, old = events["ws-user-2026-03-13.jsonl.gz"], events["ws-user-2024-old.jsonl.gz"]
    assert [event.status for event in recent if isinstance(event, OrderSeen)] == ["live", "cancelled"]
    fills = [event for event in recent if isinstance(event, FillSeen)]
    assert [(fill.settlement, fill.size) for fill in fills] == [("matched", 8_771_927), ("mined", 8_771_927)]
    assert [event.status for event in old if isinstance(event, OrderSeen)] == ["cancelled", "live"]
