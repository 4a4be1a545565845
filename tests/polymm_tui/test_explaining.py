"""What people read of an explanation: all of it adds up, in eighty columns, and no stranger's control characters."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.config import Effective, load
from core.errors import PreflightError, UsageError
from core.explaining import Explained, explained
from core.market.naming import Named
from core.quoting.explain import (
    NANO,
    HeldBack,
    LayerExplanation,
    MarketExplanation,
    OrderExplanation,
    Term,
)
from core.units import Shares, Ticks, grid_of
from polymm_tui.explaining import NOT_MEANT, explain_recording, explain_session, explanation_lines
from polymm_tui.explaining import _shown as shown
from polymm_tui.naming import candidate_lines
from tests.builders import MARKET, NOON, Driver, VenueBook, a_market, laws, recorded, shares
from tests.core.lab.test_tapes import Recorded

HOSTILE = "\x1b[2J[red]\u202egnp\u0000\x9b31m"


def effective() -> Effective:
    return load(None, {}, {})


def lines_of(engine: Driver, asked: str = "0xab") -> list[str]:
    told = explained(engine.engine, asked, engine.now, engine.unix)
    assert told.explanation is not None
    return explanation_lines(told.explanation, told.unix)


def numbers(line: str) -> list[float]:
    return [float(one.replace(",", "").replace("−", "-")) for one in re.findall(r"[−\d][\d,]*\.\d+", line)]


# The text


def test_every_layer_adds_up_to_its_price_and_size() -> None:
    """What is printed, in ticks, in cents and in shares, sums to what is printed under it and above it."""
    lines = lines_of(Driver(VenueBook()).quoting(yes=200.0))
    heads = [line for line in lines if re.match(r"(bid|ask) layer \d: \d", line)]
    assert len(heads) == 6
    for head in heads:
        rows = lines[lines.index(head) + 2 :]
        rows = rows[: next(n for n, row in enumerate(rows) if not row.startswith("  ") or "last word" in row)]
        price = [numbers(row[:41]) for row in rows if numbers(row[:41])]
        size = [numbers(row[41:])[0] for row in rows if numbers(row[41:])]
        *parts, total = [row[0] for row in price]
        assert sum(parts) == pytest.approx(total) and f": {total:.0f}c," in head
        *parts, total = [row[1] for row in price]
        assert sum(parts) == pytest.approx(total)
        *parts, total = size
        assert sum(parts) == pytest.approx(total) and f" {total:,.2f}".rstrip("0").rstrip(".") + " sh" in head


def test_orders_stand_below_with_their_verdicts() -> None:
    """Bids first, innermost first; those on the other token say so."""
    lines = [line for line in lines_of(Driver(VenueBook()).quoting()) if line.startswith("order: ")]
    assert [line.split(",")[0] for line in lines] == [
        f"order: {s} layer {n}" for s in ("bid", "ask") for n in (1, 2, 3)
    ]
    assert all("LIVE" in line for line in lines) and "(buys NO)" in lines[-1]


def test_a_market_that_is_not_quoted_says_why() -> None:
    """The first rule that forbids it, before anything else."""
    driver = Driver(VenueBook())
    driver.account()
    driver.feeds()
    driver.pass_time(1.0)
    lines = lines_of(driver)
    assert any(line.startswith("not quoted: ") for line in lines) and lines[-1] == "no orders"


def an_explanation(**over: object) -> MarketExplanation:
    told = {
        "market": MARKET,
        "title": "Will it?",
        "tick": "0.001",
        "blocked": "",
        "fair": 0.4631,
        "sigma_source": "tape",
    }
    return MarketExplanation(**(told | over))  # type: ignore[arg-type]


def test_sides_and_layers_without_a_quote_are_told_once() -> None:
    """One rule, one line; and what fell out between is named by its number."""
    layers = (
        *[LayerExplanation("bid", n, None, Shares(0), forbidden="hard_cap") for n in range(3)],
        LayerExplanation(
            "ask", 0, Ticks(470), shares(10), (Term("fair", 470 * NANO),), (Term("base", shares(10)),), "model; base"
        ),
        *[LayerExplanation("ask", n, None, Shares(0), forbidden="range") for n in (1, 2)],
    )
    lines = explanation_lines(an_explanation(layers=layers), NOON)
    assert "no bid: the position is at its hard cap" in lines
    assert "no ask layer 2 to 3: its price would be outside PRICE_MIN to PRICE_MAX" in lines
    assert "ask layer 1: 47.0c, 10 sh" in lines or "ask layer 1: 47c, 10 sh" in lines


def test_a_layer_with_a_price_and_no_order_keeps_its_terms() -> None:
    """How far the size came before it was too small."""
    layer = LayerExplanation(
        "bid", 1, Ticks(45), Shares(0), (Term("fair", 45 * NANO),),
        (Term("base", shares(4)), Term("least size", -shares(4))), forbidden="below_min",
    )  # fmt: skip
    lines = explanation_lines(an_explanation(tick="0.01", layers=(layer,)), NOON)
    assert lines[lines.index("") + 1 :][0].startswith("no bid layer 2 at 45c: what is left is less")
    assert any("least size" in line and "−4.00" in line for line in lines)


def test_what_was_held_back_is_told() -> None:
    """An order that a decision wanted and did not place."""
    held = (HeldBack("ask", 2, "waits for a cancel"),)
    assert "held back: ask layer 3: waits for a cancel" in explanation_lines(an_explanation(held_back=held), NOON)


foreign = st.text(max_size=120) | st.just(HOSTILE)
terms = st.lists(st.builds(Term, foreign, st.integers(-(10**15), 10**15)), max_size=4).map(tuple)
sizes = st.integers(0, 10**15).map(Shares)
layer = st.builds(
    LayerExplanation, st.sampled_from(["bid", "ask"]), st.integers(0, 9), st.none() | st.integers(1, 999).map(Ticks),
    sizes, terms, terms, foreign, foreign,
)  # fmt: skip
order = st.builds(
    OrderExplanation, st.sampled_from(["bid", "ask"]), st.integers(0, 9), st.integers(1, 999).map(Ticks),
    st.sampled_from(["YES", "NO"]), st.sampled_from(["BUY", "SELL"]), sizes, foreign, foreign,
)  # fmt: skip


@laws(150)
@given(
    foreign, foreign, st.none() | st.floats(0, 1), st.lists(layer, max_size=6), st.lists(order, max_size=4), st.floats()
)
def test_any_explanation_can_be_drawn(
    title: str,
    blocked: str,
    fair: float | None,
    layers: list[LayerExplanation],
    orders: list[OrderExplanation],
    unix: float,
) -> None:
    """Eighty columns, nothing but printable characters, whatever is in it."""
    told = an_explanation(title=title, blocked=blocked, fair=fair, layers=tuple(layers), orders=tuple(orders))
    lines = explanation_lines(told, unix)
    assert max(map(cell_len, lines)) <= 80
    assert all(char.isprintable() for line in lines for char in line)


@laws(200)
@given(st.lists(st.integers(-(10**13), 10**13), max_size=12), st.sampled_from([1_000_000, 10_000, 7]))
def test_rounded_terms_add_up_and_are_near(amounts: Sequence[int], quantum: int) -> None:
    """No term is off by a whole quantum, and the sum is that of the parts and nearest to the truth."""
    *parts, (_, total) = shown([Term("x", amount) for amount in amounts], quantum)
    assert sum(part for _, part in parts) == total
    assert abs(total * quantum - sum(amounts)) <= quantum
    assert all(abs(part * quantum - amount) < 2 * quantum for (_, part), amount in zip(parts, amounts, strict=True))


def test_grids_show_all_their_decimals() -> None:
    """A thousandth of a tick is a different number of cents on every grid."""
    for tick, cents in (("0.1", "470.000"), ("0.01", "47.000"), ("0.001", "4.7000"), ("0.0001", "0.47000")):
        told = LayerExplanation("ask", 0, Ticks(47 if tick != "0.1" else 5), shares(1), (Term("fair", 47 * NANO),))
        lines = explanation_lines(an_explanation(tick=tick, layers=(told,)), NOON)
        assert any(line.split()[:3] == ["fair", "47.000", cents] for line in lines), (tick, lines)
        assert grid_of(tick)


# A recording at a time


@pytest.fixture
def tape(tmp_path: Path) -> Recorded:
    made = Recorded(tmp_path / "r.jsonl")
    for second in range(1, 40):
        made.say(float(second), made.venue.set("bid", 40, 7 + second))
    made.read()
    return made


def test_a_recording_is_explained_at_a_time(tape: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """As the replay stands at that moment; the last line of JSON is one object with exact integers."""
    assert explain_recording("0xab", tape.path, effective(), at="20", gamma=None, as_json=True) == 0
    told = msgspec.json.decode(capsys.readouterr().out, type=Explained)
    assert told.explanation is not None and told.unix == NOON + 20.0
    placed = [one for one in told.explanation.layers if one.size]
    assert placed and all(sum(term.amount for term in one.price_terms) == (one.ticks or 0) * NANO for one in placed)
    assert all(sum(term.amount for term in one.size_terms) == one.size for one in placed)
    assert explain_recording("0xab", tape.path, effective(), at=None, gamma=None, as_json=False) == 0
    assert "bid layer 1" in capsys.readouterr().out


def test_a_time_outside_the_recording_is_refused(tape: Recorded) -> None:
    """With the time at which it ends."""
    with pytest.raises(UsageError, match=r"ends 39\.000 s after its start"):
        explain_recording("0xab", tape.path, effective(), at="4000", gamma=None, as_json=False)


def test_a_market_that_is_not_there_is_refused_with_those_that_are(
    tape: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people by a message, for programs by JSON; both end with 2."""
    with pytest.raises(UsageError, match="no market is called '0x99'; there are:\n  0xabab") as caught:
        explain_recording("0x99", tape.path, effective(), at=None, gamma=None, as_json=False)
    assert caught.value.exit_code == NOT_MEANT
    assert explain_recording("0x99", tape.path, effective(), at=None, gamma=None, as_json=True) == NOT_MEANT
    told = json.loads(capsys.readouterr().out)
    assert told["explanation"] is None and [one["market"] for one in told["candidates"]] == [MARKET]


def test_several_markets_are_listed() -> None:
    """Nobody is told of a market that they did not mean."""
    other = "0x" + "ac" * 32
    driver = Driver(VenueBook(), VenueBook(a_market(market=other, yes="3" * 77, no="4" * 77, title=HOSTILE)))
    told = explained(driver.engine, "0xa", driver.now, driver.unix)
    assert told.explanation is None
    assert told.candidates == (Named(MARKET, "Will it?"), Named(other, HOSTILE))
    lines = candidate_lines(HOSTILE, told.candidates)
    assert all(char.isprintable() for line in lines for char in line) and len(lines) == 3
    wide = candidate_lines("x", (Named("0x" + "ad" * 32, "\u6f22" * 90),))
    assert max(map(cell_len, wide)) <= 80
    assert "may be several markets" in candidate_lines("0xa", told.candidates)[0]


def test_a_real_recording_is_explained() -> None:
    """Real books, too."""
    [path] = recorded("ws-market-lol-esports*.jsonl.gz")
    assert explain_recording("0xd", path, effective(), at="100", gamma=None, as_json=False) == 0


# A session


async def test_without_a_session_it_says_where_it_looked(tmp_path: Path) -> None:
    """Exit code 3, and what to do."""
    with pytest.raises(PreflightError, match="no session runs in"):
        await asyncio.to_thread(
            explain_session, "x", load(None, {"POLYMM_STATE_DIR": str(tmp_path)}, {}), as_json=False
        )


def test_a_file_that_holds_no_recording_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind\n")
    for at in (None, "1"):
        with pytest.raises(UsageError, match="no frame of a channel"):
            explain_recording("x", path, load(None, {}, {}), at=at, gamma=None, as_json=False)
