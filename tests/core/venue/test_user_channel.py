"""The user channel's words about our orders and fills."""

import gzip
import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MalformedMessage
from core.events import FillSeen, OrderSeen, Taken
from core.units import Usd
from core.venue.user_channel import decode_user_frame, order_seen, own_fills
from tests.builders import laws, recorded, shares, usd

OWNER = "key-1"
WALLET = "0xA3D82Ed56F4c68d2328Fb8c29e568Ba2cAF7d7c8"


def told(*messages: Any, owner: str = OWNER, wallet: str = WALLET) -> list[Any]:
    frame = messages[0] if len(messages) == 1 else list(messages)
    return list(decode_user_frame(json.dumps(frame), owner, wallet))


def told_and_amiss(*messages: Any) -> tuple[list[Any], str]:
    """What is told, and what is said to be unreadable afterwards."""
    events: list[Any] = []
    try:
        for event in decode_user_frame(json.dumps(list(messages)), OWNER, WALLET):
            events.append(event)  # noqa: PERF402 - what came before the error counts
    except MalformedMessage as error:
        return events, str(error)
    return events, ""


def an_order(**over: Any) -> dict[str, Any]:
    return {"event_type": "order", "type": "UPDATE", "id": "0xa", "status": "LIVE", "size_matched": "0"} | over


def maker(**over: Any) -> dict[str, Any]:
    plain = {"order_id": "0xa", "owner": OWNER, "maker_address": WALLET, "matched_amount": "12.5", "asset_id": "1"}
    return plain | {"price": "0.4300000444600143", "side": "BUY"} | over


def stranger(**over: Any) -> dict[str, Any]:
    return maker(**({"order_id": "0xb", "owner": "somebody", "maker_address": "0xffff"} | over))


def a_trade(*makers: Any, **over: Any) -> dict[str, Any]:
    plain = {"event_type": "trade", "type": "TRADE", "id": "t1", "status": "MATCHED", "trader_side": "MAKER"}
    plain |= {
        "owner": "stranger",
        "trade_owner": "stranger",
        "maker_address": "0xeeee",
        "asset_id": "1",
        "side": "SELL",
    }
    plain |= {"size": "99", "taker_order_id": "0xtaker", "match_time": "1790000000", "timestamp": "1790000001254"}
    plain |= {"market": "0xab", "transaction_hash": "0xfeed", "price": "0.57"}
    return plain | {"maker_orders": list(makers)} | over


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


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
        ("CANCELLATION", None, "cancelled"),
        ("UPDATE", "ORDER_STATUS_CANCELED_MARKET_RESOLVED", "cancelled"),
        ("UPDATE", "order_status_matched", "matched"),
        (None, "A_WORD_OF_TOMORROW", "live"),
        (7, 7, "live"),
    ],
)
def test_status_words_are_open_ended_and_an_unknown_one_ends_no_order(kind: Any, status: Any, seen: str) -> None:
    (event,) = told(an_order(type=kind, status=status))
    assert event.status == seen
    assert told(an_order(status="A_WORD_OF_TOMORROW"))[0].detail == "A_WORD_OF_TOMORROW"


@pytest.mark.parametrize(
    ("size", "matched"), [("", None), (None, None), ("0", 0), ("7.555554", 7_555_554), (7.5, 7_500_000), (3, 3_000_000)]
)
def test_matched_size_may_be_empty_or_a_number(size: Any, matched: int | None) -> None:
    assert told(an_order(size_matched=size))[0].matched == matched
    assert told(without(an_order(), "size_matched"))[0].matched is None
    assert order_seen("0xa", "LIVE", size).matched == matched


def test_reason_of_a_venue_cancel_is_kept_and_cut() -> None:
    assert told(an_order(status="CANCELED_EXPIRED_ORDER"))[0].detail == "CANCELED_EXPIRED_ORDER"
    assert len(told(an_order(status="CANCELED_" + "x" * 10_000))[0].detail) == 100


def test_only_our_entries_of_a_trade_are_fills() -> None:
    """The top level speaks of the taker, and the list holds every maker of the sweep; both orders of ours count."""
    events = told(a_trade(maker(), stranger(), maker(order_id="0xc", matched_amount="3")))
    assert [(event.order_id, event.size) for event in events] == [("0xa", shares(12.5)), ("0xc", shares(3))]
    assert {event.trade_id for event in events} == {"t1"} and all(event.owned for event in events)


def test_a_fill_tells_what_the_entry_and_the_header_say() -> None:
    """Token, side and price are the entry's; market and transaction the trade's (polymarket-api.md 6.3)."""
    [fill] = told(a_trade(maker(asset_id="2", side="BUY", price="0.43")))
    assert fill == FillSeen(
        trade_id="t1", order_id="0xa", size=shares(12.5), settlement="matched", unix=1790000000.0, market="0xab",
        token="2", order_side="BUY", price="0.43", transaction="0xfeed",
    )  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        maker(maker_address="0xelse"),
        maker(owner="another key"),
        maker(owner="another key", maker_address=WALLET.lower()),
    ],
)
def test_an_entry_is_ours_by_key_or_by_wallet_however_it_is_spelled(entry: dict[str, Any]) -> None:
    """An order placed with a key that was renewed since still moves our money."""
    [fill] = told(a_trade(entry))
    assert fill.owned


@pytest.mark.parametrize("nobody", ["", None])
def test_entry_without_an_owner_may_be_ours_and_says_so(nobody: str | None) -> None:
    """Whoever knows our orders decides; a stranger's must never become ours by default."""
    for entry in (maker(owner=nobody, maker_address=nobody), without(maker(), "owner", "maker_address")):
        [fill] = told(a_trade(entry))
        assert (fill.order_id, fill.owned) == ("0xa", False)
    assert told(a_trade(stranger(owner="x", maker_address=nobody))) == []
    assert told(a_trade(maker(owner=nobody)))[0].owned, "the wallet says enough"
    assert told(a_trade(stranger(), owner=""), owner="", wallet="") == [], "an empty key of ours matches nobody's"


@pytest.mark.parametrize(
    ("entry", "side"),
    [
        (maker(side="BUY"), "BUY"),
        (maker(side="sell"), "SELL"),
        (maker(side="", asset_id="1"), "BUY"),
        (maker(side=None, asset_id="2"), "SELL"),
        (without(maker(asset_id="2"), "side"), "SELL"),
        (without(maker(), "side", "asset_id"), ""),
    ],
)
def test_side_of_a_maker_is_its_own_or_follows_from_the_takers(entry: dict[str, Any], side: str) -> None:
    """Against a SELL of token 1: the same token bought, the other sold (polymarket-api.md 6.3, nautilus #3126)."""
    [fill] = told(a_trade(entry))
    assert (fill.order_side, fill.size) == (side, shares(12.5))
    [fill] = told(without(a_trade(without(maker(), "side")), "side"))
    assert fill.order_side == ""


def test_own_taker_trade_is_a_fill_of_the_taking_order() -> None:
    ours = {"trader_side": "TAKER", "size": "8.771927", "side": "BUY"}
    (event,) = told(a_trade(stranger(), owner=OWNER, **ours))
    assert (event.order_id, event.size, event.order_side, event.owned) == ("0xtaker", 8_771_927, "BUY", True)
    assert [fill.order_id for fill in told(a_trade(stranger(), maker_address=WALLET, **ours))] == ["0xtaker"]
    assert [fill.owned for fill in told(a_trade(stranger(), owner="", trade_owner=OWNER, **ours))] == [True]
    assert told(a_trade(stranger(), **ours)) == [] == told(a_trade(stranger(), owner="", **ours))


def test_the_key_in_the_header_of_a_makers_message_makes_nobody_a_taker() -> None:
    """There ``owner`` is whoever gets the message; booked twice, a fill would be our order's and a stranger's."""
    message = a_trade(maker(), owner=OWNER, trade_owner=OWNER, maker_address=WALLET)
    assert [fill.order_id for fill in told(message)] == ["0xa"]
    fills = told(without(message, "trader_side"))
    assert [fill.order_id for fill in fills if fill.owned] == ["0xa"]
    spoiled, amiss = told_and_amiss(without(a_trade(maker(matched_amount="x"), owner=OWNER), "trader_side"))
    assert not [fill for fill in spoiled if fill.owned] and "maker 0" in amiss, "nor because ours cannot be read"
    alone = without(a_trade(stranger(), owner=OWNER), "trader_side")
    assert [(fill.order_id, fill.owned) for fill in told(alone)] == [("0xtaker", True)]


def test_trade_with_ourselves_is_a_fill_of_both_orders() -> None:
    fills = told(a_trade(maker(), owner=OWNER, trader_side="TAKER", size="12.5"))
    assert [fill.order_id for fill in fills] == ["0xa", "0xtaker"]


@pytest.mark.parametrize(
    ("status", "settlement"),
    [
        ("MATCHED", "matched"),
        ("MATCHED_NOT_BROADCASTED", "matched"),
        ("TRADE_STATUS_MINED", "mined"),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", "matched"),
        ("confirmed", "confirmed"),
        ("RETRYING", "retrying"),
        ("FAILED", "failed"),
    ],
)
def test_settlement_words(status: str, settlement: str) -> None:
    assert told(a_trade(maker(), status=status))[0].settlement == settlement


@pytest.mark.parametrize("status", ["MAYBE", "", None, 7, ["MATCHED"]])
def test_an_unknown_settlement_is_reported_and_not_guessed(status: Any) -> None:
    """Booked as matched, a word that means "void" would be shares we do not have."""
    assert told_and_amiss(a_trade(maker(), status=status))[0] == []
    assert "trade 't1': status" in told_and_amiss(a_trade(maker(), status=status))[1]


@pytest.mark.parametrize(
    ("stamps", "unix"),
    [
        ({"match_time": "1790000000"}, 1790000000.0),
        ({"match_time": 1790000000}, 1790000000.0),
        ({"match_time": "1790000000123"}, 1790000000.123),
        ({"match_time": "2026-09-21T14:13:20Z"}, 1790000000.0),
        ({"match_time": "2026-09-21 14:13:20"}, 1790000000.0),
        ({"match_time": "", "matchtime": "1790000000"}, 1790000000.0),
        ({"match_time": None, "matchtime": None}, 1790000001.254),
        ({"match_time": "soon", "timestamp": 1790000001254}, 1790000001.254),
        ({"match_time": "²", "timestamp": "²"}, 0.0),
        ({"match_time": "", "timestamp": ""}, 0.0),
        ({"match_time": "9" * 400, "timestamp": []}, 0.0),
        ({"match_time": "-5", "timestamp": "0001-01-01"}, 0.0),
        ({"match_time": "1790000000000000000", "timestamp": True}, 0.0),
        ({"match_time": "", "timestamp": "", "last_update": "1790000002"}, 1790000002.0),
    ],
)
def test_fill_counts_whatever_its_stamp_says(stamps: dict[str, Any], unix: float) -> None:
    assert told(a_trade(maker(), **stamps))[0].unix == unix


@pytest.mark.parametrize(
    ("amount", "micro"),
    [
        ("0.000001", 1),
        ("0.009999", 9_999),
        (1e-06, 1),
        (12.5, 12_500_000),
        (12, 12_000_000),
        ("8.7719270000000001", 8_771_927),
        (" 3 ", 3_000_000),
        (".5", 500_000),
    ],
)
def test_dust_is_an_exact_fill(amount: Any, micro: int) -> None:
    """What is left out below a hundredth of a share adds up to a position nobody can explain (reliability.md X17)."""
    assert told(a_trade(maker(matched_amount=amount)))[0].size == micro


@pytest.mark.parametrize("nothing", ["0", 0, "0.000000", 0.0])
def test_entry_of_no_size_is_no_fill(nothing: Any) -> None:
    assert told(a_trade(maker(matched_amount=nothing), maker(order_id="0xc"))) == told(a_trade(maker(order_id="0xc")))


@pytest.mark.parametrize("amount", ["many", "", None, "-1", "NaN", "Infinity", "1_0", "１", True, [], "9" * 30, "1e30"])
def test_own_entry_of_an_unreadable_size_is_named_and_costs_nothing_beside_it(amount: Any) -> None:
    """A fill that vanishes without a word is inventory that nobody knows of."""
    fills, amiss = told_and_amiss(a_trade(maker(matched_amount=amount), maker(order_id="0xc"), stranger()), an_order())
    assert [event.order_id for event in fills] == ["0xc", "0xa"] and isinstance(fills[1], OrderSeen)
    assert amiss.startswith("trade 't1': maker 0: ")
    assert told_and_amiss(a_trade(maker(), stranger(matched_amount=amount)))[1] == "", "a stranger's size is his own"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (a_trade(without(maker(), "order_id")), "trade 't1': maker 0: no order_id"),
        (a_trade(7), "trade 't1': maker 0: no object"),
        (a_trade(maker_orders={"0": maker()}), "trade 't1': its makers are no list"),
        (a_trade(), "trade 't1': no part of it is told"),
        (a_trade(maker_orders=None), "trade 't1': no part of it is told"),
        (a_trade(stranger(), trader_side="TAKER", owner=OWNER, size="x"), "trade 't1': taker: 'x' is no number"),
        (a_trade(maker(order_id="0xc"), maker(order_id="0xc", matched_amount="1")), "order '0xc' is in it twice"),
        (without(a_trade(maker()), "id"), "a trade without an id"),
        (a_trade(maker(), id="x" * 1000), "a trade without an id"),
        (without(an_order(), "id"), "an order without an id"),
        (an_order(id=True), "an order without an id"),
        (an_order(size_matched="-1"), "order '0xa': '-1' is no number"),
        ({"id": "5"}, "names no type"),
        ([], "no object"),
        (None, "no object"),
    ],
)
def test_what_cannot_be_read_is_named_after_everything_else_is_told(message: Any, words: str) -> None:
    events, amiss = told_and_amiss(a_trade(maker(order_id="0xgood"), id="t2"), message, an_order(id="0xlast"))
    assert [event.order_id for event in (events[0], events[-1])] == ["0xgood", "0xlast"]
    assert words in amiss
    assert "and 1 more" in told_and_amiss(message, message)[1], "they are counted"


def test_foreign_text_in_a_complaint_is_quoted_and_cut() -> None:
    amiss = told_and_amiss(a_trade(maker(), id="\x1b[31m" + "x" * 90, status="\n" * 500))[1]
    assert "\x1b" not in amiss and "\n" not in amiss and len(amiss) < 400


def test_an_order_listed_twice_is_one_fill_or_a_contradiction() -> None:
    """Which of two sizes it is, or their sum, would be a guess."""
    assert told(a_trade(maker(), maker())) == told(a_trade(maker()))
    fills, amiss = told_and_amiss(a_trade(maker(), maker(matched_amount="1"), maker(order_id="0xc")))
    assert [fill.order_id for fill in fills] == ["0xc"] and "twice, differently" in amiss


@pytest.mark.parametrize("frame", [b"PONG", b"", b"[", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"7", b"null"])
def test_what_is_no_message_is_malformed_and_nothing_worse(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        list(decode_user_frame(frame, OWNER))


def test_trades_read_back_over_rest_are_the_same_fills() -> None:
    """What a lost channel did not tell is read again; the fills must be recognised as the same."""
    row = a_trade(maker(), stranger(), status="TRADE_STATUS_CONFIRMED")
    [live] = told(row)
    [read], amiss = own_fills(without(row, "event_type"), OWNER, WALLET, "read")
    same = ("trade_id", "order_id", "size", "settlement", "unix", "owned", "token", "order_side", "price")
    assert [getattr(read, name) for name in same] == [getattr(live, name) for name in same]
    assert (live.source, read.source, amiss) == ("channel", "read", [])


def test_unknown_types_tell_nothing() -> None:
    assert told({"event_type": "mystery", "id": "1"}) == [] == told({"type": "subscribed"})


def test_a_message_is_known_by_its_type_where_it_does_not_name_its_event() -> None:
    assert told(without(a_trade(maker()), "event_type")) == told(a_trade(maker()))
    assert told(without(an_order(), "event_type")) == told(an_order())


# Properties: whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({*a_trade(), *an_order()} - {"maker_orders"})
ENTRY_FIELDS = sorted(maker())
TAMPERED = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)
TAMPERED_ENTRY = st.dictionaries(st.sampled_from(ENTRY_FIELDS), JSON, max_size=3)


def heard(message: Any) -> list[Any]:
    return told_and_amiss(message)[0]


@laws(300)
@given(st.lists(JSON | TAMPERED, max_size=3), TAMPERED, TAMPERED_ENTRY, JSON)
def test_arbitrary_json_is_malformed_at_worst_and_books_nothing_below_one(
    messages: list[Any], header: dict[str, Any], entry: dict[str, Any], makers: Any
) -> None:
    spoiled = a_trade(maker(**entry), stranger(), **header)
    for message in (*messages, spoiled, spoiled | {"maker_orders": makers}, an_order(**header)):
        for event in heard(message):
            assert event.order_id
            if isinstance(event, FillSeen):
                assert event.trade_id and 0 < event.size < 2**63 and event.unix >= 0
            else:
                assert event.matched is None or event.matched >= 0


OPTIONAL = [
    "event_type",
    "trader_side",
    "trade_owner",
    "match_time",
    "timestamp",
    "market",
    "asset_id",
    "side",
    "price",
]
OPTIONAL += ["transaction_hash", "owner", "maker_address", "taker_order_id"]


@laws(200)
@given(
    st.sets(st.sampled_from(OPTIONAL)),
    st.sets(st.sampled_from(["side", "price", "asset_id", "owner"])),
    st.sampled_from([None, "absent"]),
    st.integers(1, 10**12),
    st.dictionaries(st.sampled_from(["bucket_index", "err_msg", "fee_rate_bps", "new"]), JSON),
)
def test_what_is_optional_changes_neither_size_nor_order_nor_trade_of_our_fills(
    gone: set[str], gone_of_entry: set[str], how: str | None, micro: int, more: dict[str, Any]
) -> None:
    """Absent or null, and whatever else is in the message."""

    def thin(message: dict[str, Any], names: set[str]) -> dict[str, Any]:
        return message | dict.fromkeys(names) if how is None else without(message, *names)

    entry = maker(matched_amount=f"{micro // 10**6}.{micro % 10**6:06d}")
    full = a_trade(entry, stranger(), **more)
    fills = heard(thin(full | {"maker_orders": [thin(entry, gone_of_entry), stranger()]}, gone))
    owned = [(fill.trade_id, fill.order_id, fill.size) for fill in fills if fill.owned]
    assert owned == [("t1", "0xa", micro)]


def test_the_order_of_entries_does_not_matter() -> None:
    entries = [
        maker(),
        maker(order_id="0xc", asset_id="2"),
        stranger(),
        maker(order_id="0xd", owner="", maker_address=""),
    ]
    first = set(heard(a_trade(*entries)))
    assert len(first) == 3
    for order in permutations(entries):
        assert set(heard(a_trade(*order))) == first


# Recordings


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
    assert {(fill.order_side, fill.price, fill.owned) for fill in fills} == {("BUY", "0.57", True)}
    assert all(fill.token.startswith("104843") and fill.transaction.startswith("0xbf5a") for fill in fills)
    assert [event.status for event in old if isinstance(event, OrderSeen)] == ["cancelled", "live"]
    told_in_2024 = [(e.order_id[:6], e.size, e.order_side) for e in old if isinstance(e, FillSeen)]
    assert told_in_2024 == [("0xab67", shares(5), "SELL"), ("0x5b60", shares(5), "BUY")]


def test_recorded_makers_are_found_by_their_wallet_too() -> None:
    """Entries of 2024 have no side: against a BUY of the same token ours was a SELL, of the other one a BUY."""
    [path] = recorded("ws-user-2024-old.jsonl.gz")
    lines = [json.loads(line)["raw"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    trades = [raw for raw in lines if raw["event_type"] == "trade"]
    fills = [fill for raw in trades for fill in decode_user_frame(json.dumps(raw), "", WALLET.lower())]
    assert [fill.order_id[:6] for fill in fills] == ["0x3ad0", "0x3ad0", "0x67b5", "0xab67", "0x5b60"]
    assert [fill.size for fill in fills] == [shares(5)] * 5
    [cross] = decode_user_frame(json.dumps(trades[2]), "78132bc3-22af-6aa2-79ae-11929f821cae")
    assert (cross.order_side, cross.size, cross.price) == ("BUY", shares(10), "0.482")


# What a taker met


def test_a_taker_learns_what_it_paid_maker_by_maker() -> None:
    """The same token at the maker's price, the other at what makes up a dollar; off-grid prices give exact dollars."""
    makers = [
        stranger(asset_id="1", side="BUY", matched_amount="10", price="0.45"),
        stranger(order_id="0xc", asset_id="2", side="SELL", matched_amount="2.5", price="0.5600000444600143"),
    ]
    ours = {"owner": OWNER, "trader_side": "TAKER", "side": "SELL", "size": "12.5", "price": "0.448"}
    [fill] = told(a_trade(*makers, **ours))
    assert fill.taken == (
        Taken(usd(0.45), shares(10), usd(4.5)),
        Taken(usd(0.44), shares(2.5), Usd(2_500_000 - 1_400_000)),
    )


@pytest.mark.parametrize(
    "broken",
    [
        stranger(asset_id="1", matched_amount="x", price="0.45"),
        stranger(asset_id="1", matched_amount="10", price="x"),
        stranger(asset_id="1", matched_amount="10", price="1.45"),
        stranger(asset_id="1", matched_amount="9", price="0.45"),
        "no object",
    ],
)
def test_makers_that_cannot_be_read_leave_a_taker_with_the_trades_price(broken: Any) -> None:
    """Sizes that do not sum up, prices that are none: the trade's own price, which is the average, has to do."""
    ours = {"owner": OWNER, "trader_side": "TAKER", "side": "SELL", "size": "10", "price": "0.448"}
    fills, _ = told_and_amiss(a_trade(broken, **ours))
    assert [fill.taken for fill in fills] == [(Taken(usd(0.448), shares(10), usd(4.48)),)]
    fills, _ = told_and_amiss(a_trade(broken, **(ours | {"price": "?"})))
    assert [fill.taken for fill in fills] == [()]


def test_a_makers_fill_tells_nothing_of_what_a_taker_met() -> None:
    """It is filled at its order's own price, whatever the trade says."""
    [fill] = told(a_trade(maker(), stranger()))
    assert fill.taken == ()
