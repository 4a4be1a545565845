"""What is said of the list and of the sources of its markets."""

import pytest

from core.errors import ListError
from core.preflight import markets
from core.preflight.reach import Reached
from core.selection.enrich import Sourced
from core.selection.listed import ListRow, MarketList, RejectedRow

M = "0x" + "ab" * 32


def a_list(*rows: ListRow, **more: object) -> MarketList:
    return MarketList(source="/m.csv", kind="file", rows=rows, **more)  # type: ignore[arg-type]


def row(number: int, *, enabled: bool = True) -> ListRow:
    return ListRow(row=number, market="0x" + f"{number:064x}", enabled=enabled)


def sourced(number: int, *, refusal: str = "", lag: str = "", enabled: bool = True) -> Sourced:
    told = ((refusal,) if refusal else (), (lag,) if lag else ())
    return Sourced(row(number, enabled=enabled), None, None, None, *told, ())


def test_a_list_that_is_fine_says_how_many_rows() -> None:
    check = markets.listed(a_list(row(1), row(2, enabled=False)), 0)
    assert (check.level, check.cause) == ("ok", "/m.csv: 2 rows, 1 of them not enabled")


def test_rejected_rows_are_told_one_by_one() -> None:
    """Row, column, value and reason: nobody has to look for them."""
    bad = RejectedRow(row=7, column="yes_token_id", value="1.2E+76", reason="the spreadsheet made a number of it")
    check = markets.listed(a_list(row(1), rejected=(bad,), notes=("a column nobody knows",)), 0)
    assert check.level == "warn" and "1 rejected" in check.cause
    assert check.details == (
        "row 7, yes_token_id, '1.2E+76': the spreadsheet made a number of it", "a column nobody knows",
    )  # fmt: skip


@pytest.mark.parametrize(("kept", "level"), [(0, "fail"), (2, "warn")])
def test_a_list_of_which_nothing_is_enabled_refuses_unless_there_is_a_last_good_one(kept: int, level: str) -> None:
    """A start looks after the markets of that, until their removal is approved."""
    check = markets.listed(a_list(row(1, enabled=False)), kept)
    assert check.level == level and check.next_step
    assert ("the 2 markets of the last good list" in check.cause) == bool(kept)


@pytest.mark.parametrize(("kept", "level"), [(0, "fail"), (3, "warn")])
def test_an_unreadable_list_refuses_unless_there_is_a_last_good_one(kept: int, level: str) -> None:
    """A start goes on with that, so a look says the same."""
    check = markets.unread(ListError("the sheet: 403; share it with bot@example"), kept, 600.0, 1_200.0)
    assert check.level == level and "the sheet: 403" in check.cause and check.next_step == "share it with bot@example"
    assert ("3 markets, read 10 minutes ago" in check.cause) == bool(kept)


@pytest.mark.parametrize(
    ("found", "kept", "level", "words"),
    [
        ([sourced(1), sourced(2)], 0, "ok", "2 of 2 markets agree"),
        ([sourced(1), sourced(2, refusal="tokens swapped")], 0, "warn", "1 contradict"),
        ([sourced(1), sourced(2, lag="tick")], 0, "warn", "1 are not settled yet"),
        ([sourced(2, refusal="tokens swapped")], 0, "fail", "tokens swapped"),
        ([sourced(2, refusal="tokens swapped")], 2, "warn", "2 markets of the last session"),
        ([sourced(1), sourced(2, refusal="tokens swapped", enabled=False)], 0, "ok", "1 of 1 market agree"),
        ([], 0, "fail", "0 of 0"),
        ([sourced(1, enabled=False)], 2, "ok", "the 2 markets of the last session"),
    ],
)
def test_markets_that_disagree_are_named_and_cost_only_themselves(
    found: list[Sourced], kept: int, level: str, words: str
) -> None:
    check = markets.sources({one.row.market: one for one in found}, kept)
    assert check.level == level and words in check.cause, check
    if level == "warn":
        assert any("tokens swapped" in line or "tick" in line for line in check.details)


def test_a_channel_without_books_is_dumb() -> None:
    silent = Reached(kind="timeout", place="ws.example:443", seconds=5.0)
    assert "said nothing" in markets.market_channel(silent, 2).cause
    assert "did not answer" in markets.market_channel(silent, 0).cause
    good = Reached(kind="answer", place="ws.example:443", status=200, body=b"{}", seconds=0.1)
    assert "sends books" in markets.market_channel(good, 2).cause
