"""What the venue says of its clock, its version, its borders and its modes, at the bounds."""

from typing import Any

import msgspec
import pytest

from core.preflight import venue
from core.preflight.reach import Reached

PLACE = "clob.example:443"
NOW = 1_790_000_000


def told(body: Any, status: int = 200, seconds: float = 0.0, asked_unix: float = 0.0) -> Reached:
    return Reached(
        kind="answer",
        place=PLACE,
        status=status,
        body=msgspec.json.encode(body),
        seconds=seconds,
        asked_unix=asked_unix,
    )


@pytest.mark.parametrize(
    ("ours", "level", "words"),
    [
        (NOW + 0.5, "ok", "0.0 s"),
        (NOW + 1.9, "ok", "1.4 s ahead of"),
        (NOW + 2.1, "warn", "1.6 s ahead of"),
        (NOW - 1.1, "warn", "1.6 s behind"),
        (NOW + 3.9, "warn", "3.4 s ahead of"),
        (NOW + 4.1, "fail", "3.6 s ahead of"),
        (NOW - 3.1, "fail", "3.6 s behind"),
    ],
)
def test_the_clock_is_judged_by_the_bounds_of_a_session(ours: float, level: str, words: str) -> None:
    """1 s warns and 3 s stops quoting; whole seconds leave half of one in doubt, in our favour."""
    check = venue.clock(told(NOW, asked_unix=ours), "clob_url")
    assert check.level == level and words in check.cause


def test_a_slow_answer_proves_no_clock() -> None:
    assert venue.clock(told(NOW, seconds=1.2, asked_unix=NOW + 30), "clob_url").level == "warn"


@pytest.mark.parametrize("body", ["late", 1.5, True, [], {"time": NOW}])
def test_what_is_no_time_is_told(body: Any) -> None:
    assert "tells no time" in venue.clock(told(body, asked_unix=NOW), "clob_url").cause


@pytest.mark.parametrize(
    ("body", "level"), [({"version": 2}, "ok"), ({"version": 1}, "fail"), ({"version": "2"}, "fail"), ([], "fail")]
)
def test_only_the_version_that_we_sign_is_taken(body: Any, level: str) -> None:
    assert venue.version(told(body), "clob_url", is_trading=True).level == level
    assert venue.version(told(body), "clob_url", is_trading=False).level == ("ok" if level == "ok" else "warn")


@pytest.mark.parametrize(
    ("body", "status", "live", "paper", "words"),
    [
        ({"blocked": False, "country": "CH"}, 200, "ok", "ok", "open from CH"),
        ({"blocked": True, "country": "US", "region": "NY", "ip": "192.0.2.7"}, 200, "fail", "warn", "US, NY"),
        ({"blocked": True}, 200, "fail", "warn", "here"),
        ({"blocked": "no"}, 200, "warn", "warn", "does not say"),
        ({}, 200, "warn", "warn", "does not say"),
        ([], 200, "warn", "warn", "does not say"),
        ({"blocked": False}, 500, "warn", "warn", "status 500"),
    ],
)
def test_a_block_refuses_and_doubt_warns(body: Any, status: int, live: str, paper: str, words: str) -> None:
    """reliability.md 5, 37: respected, and no way around it is offered."""
    for is_trading, level in ((True, live), (False, paper)):
        check = venue.geoblock(told(body, status), is_trading=is_trading)
        assert check.level == level and words in check.cause and "192.0.2.7" not in check.cause
    assert "proxy" not in venue.geoblock(told({"blocked": True}), is_trading=True).next_step


@pytest.mark.parametrize(
    ("body", "status", "level"),
    [
        ({"closed_only": False}, 200, "ok"),
        ({"closed_only": True}, 200, "fail"),
        ({"closed_only": "yes"}, 200, "warn"),
        ({}, 200, "warn"),
        ({}, 500, "fail"),
    ],
)
def test_an_account_that_may_only_close_is_refused(body: Any, status: int, level: str) -> None:
    assert venue.closed_only(told(body, status)).level == level


ORDER = "0x" + "00" * 32


@pytest.mark.parametrize(
    ("body", "status", "level"),
    [
        ({"canceled": [], "not_canceled": {ORDER: "order can't be found"}}, 200, "ok"),
        ({"error": "Order not found"}, 404, "ok"),
        ({"error": "order can't be found - already canceled or matched"}, 400, "ok"),
        ({"error": "Invalid order payload"}, 400, "warn"),
        ({"error": "Not Found"}, 404, "warn"),
        ({}, 404, "fail"),
        ({"canceled": [], "not_canceled": {}}, 200, "fail"),
        ({"error": "Trading is currently disabled"}, 503, "fail"),
        ({"error": "service not ready"}, 425, "fail"),
        ({"error": "Too Many Requests"}, 429, "fail"),
        ("x", 500, "fail"),
    ],
)
def test_a_cancel_has_to_come_through(body: Any, status: int, level: str) -> None:
    """The dry call of the kill path: an answer of the venue's own that concerns this order, and nothing less."""
    check = venue.cancels(told(body, status), ORDER)
    assert check.level == level and (level == "ok" or check.next_step)


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ({"result": "0x89"}, "ok"),
        ({"result": "0x1"}, "fail"),
        ({"error": {"code": -32000, "message": "key SECRET"}}, "warn"),
        ({"result": "x"}, "warn"),
        ([], "warn"),
    ],
)
def test_a_node_of_another_chain_is_refused(body: Any, level: str) -> None:
    check = venue.node(told(body), 137)
    assert check.level == level and "SECRET" not in check.cause + check.next_step


@pytest.mark.parametrize(
    ("body", "flag"), [({"deployed": True}, True), ({"deployed": False}, False), ({}, None), (1, None)]
)
def test_a_wallet_is_there_or_not_or_nobody_says(body: Any, flag: bool | None) -> None:
    assert venue.deployed(told(body)) is flag
    assert venue.deployed(told(body, 500)) is None
