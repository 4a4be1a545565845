"""Recordings as arrays: prices only while the book is believed, trades in the YES frame."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.config import Settings
from core.events import MarketMessage
from core.lab.calibrate import Evidence, TooThin, calibrate
from core.lab.tapes import evidence_of
from core.store.recorded import Gap, encode_frame, encode_gap
from tests.builders import NOON, VenueBook, recorded


class Recorded:
    """A recording that is being made: what the venue says, and when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.venue = VenueBook()
        self._lines: list[bytes] = []
        self.say(0.0, self.venue.book("YES"), self.venue.book("NO"))

    def say(self, second: float, *messages: MarketMessage, **over: Any) -> None:
        told = [msgspec.to_builtins(one) | {"timestamp": str(one.timestamp)} | over for one in messages]
        self._lines.append(encode_frame(msgspec.json.encode(told), (NOON + second) * 1000.0))

    def gap(self, second: float, *tokens: str) -> None:
        self._lines.append(encode_gap(Gap("the socket was lost", (NOON + second) * 1000.0, tokens)))

    def read(self) -> list[Evidence]:
        self.path.write_bytes(b"".join(self._lines))
        return evidence_of(self.path, {}, Settings())[0]


@pytest.fixture
def tape(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "r.jsonl")


def at(evidence: Evidence, second: float) -> float:
    return float(evidence.course.price_at(np.array([NOON + second]))[0])


def test_the_price_is_the_microprice_of_the_book_in_force(tape: Recorded) -> None:
    """Step by step, as a session sees it; the touch stands beside it."""
    tape.say(10.0, tape.venue.set("bid", 46, 100))
    tape.say(20.0, tape.venue.set("bid", 40, 7))
    [found] = tape.read()
    assert (at(found, 5.0), at(found, 15.0)) == (pytest.approx(0.46), pytest.approx(0.46 + 0.01 / 3))
    assert found.course.t.tolist() == [NOON, NOON + 10.0]  # a change behind the touch is no news
    assert (found.course.bid[-1], found.course.ask[-1]) == (0.46, 0.47)
    assert found.course.end == NOON + 20.0 and found.tick == 0.01
    assert found.quotes is None and found.fills is None


def test_trades_of_either_token_are_in_the_yes_frame(tape: Recorded) -> None:
    """One book, one frame; equal stamps and transactions are one taker."""
    tape.say(1.0, tape.venue.trade("0.47", "10", "YES"), transaction_hash="0x1")
    tape.say(1.1, tape.venue.trade("0.52", "4", "NO"), transaction_hash="0x1")
    tape.say(2.0, tape.venue.trade("0.47", "3.5", "YES"), transaction_hash="0x2")
    [found] = tape.read()
    assert found.trades is not None
    assert found.trades.price.tolist() == pytest.approx([0.47, 0.48, 0.47])
    assert found.trades.size.tolist() == [10.0, 4.0, 3.5]
    assert [one - found.trades.taker[0] for one in found.trades.taker] == [0, 0, 2]


@pytest.mark.parametrize(
    "over", [{"price": "NaN"}, {"price": "1.5"}, {"size": "-3"}, {"asset_id": "77"}, {"price": "1"}]
)
def test_a_trade_that_makes_no_sense_is_none(tape: Recorded, over: dict[str, str]) -> None:
    """Bad input changes no estimate."""
    tape.say(1.0, tape.venue.trade("0.47"), **over)
    [found] = tape.read()
    assert found.trades is not None and len(found.trades.t) == 0


def test_a_noted_gap_blinds_until_the_next_book(tape: Recorded) -> None:
    """What the recorder missed is not taken for a still price, from the last message on that came before."""
    tape.gap(10.0)
    tape.say(30.0, tape.venue.book("YES"))
    tape.say(40.0, tape.venue.set("bid", 46, 100))
    [found] = tape.read()
    assert [math.isnan(at(found, second)) for second in (9.0, 15.0, 35.0)] == [True, True, False]
    assert found.course.seconds == pytest.approx(10.0)


def test_a_pause_of_the_recorder_is_no_silence(tape: Recorded) -> None:
    """Nobody knows what happened in it."""
    tape.say(10.0, tape.venue.set("bid", 40, 7))
    tape.say(10_000.0, tape.venue.set("bid", 40, 8))
    tape.say(10_010.0, tape.venue.set("bid", 46, 100))
    [found] = tape.read()
    assert math.isnan(at(found, 5_000.0)) and not math.isnan(at(found, 10_005.0))
    assert found.course.seconds == pytest.approx(20.0)


def test_a_wide_or_one_sided_book_has_no_price(tape: Recorded) -> None:
    """As a session has none."""
    venue = tape.venue
    for n, tick in enumerate(sorted(venue.asks)):
        tape.say(10.0 + n, venue.set("ask", tick, 0))
    [found] = tape.read()
    assert math.isnan(found.course.price[-1])


def test_a_change_of_tick_begins_anew(tape: Recorded) -> None:
    """Depths in ticks of two grids do not mix."""
    tape.say(10.0, tape.venue.retick("0.001"))
    tape.say(11.0, tape.venue.book("YES"), tape.venue.book("NO"))
    tape.say(20.0, tape.venue.set("bid", 455, 200))
    coarse, fine = tape.read()
    assert (coarse.tick, fine.tick) == (0.01, 0.001)
    assert math.isnan(at(coarse, 15.0)) and at(fine, 25.0 - 5.0) > 0


@pytest.mark.parametrize("name", ["lol-esports", "btc-updown-5m", "btc-sampled", "longshot", "resolved", "tick-size"])
def test_the_real_recordings_are_read_and_found_too_thin(name: str) -> None:
    """Minutes of a market carry no estimate, and none is made up."""
    [path] = recorded(f"ws-market-{name}*.jsonl.gz")
    evidence, inspection = evidence_of(path, {}, Settings())
    assert inspection.reading.problem_count == 0
    for one in evidence:
        found = calibrate(one, Settings())
        assert isinstance(found.arrivals, TooThin) and isinstance(found.tick_moves, TooThin)
        assert found.proposal.k_vol is None


def test_the_figures_of_a_real_recording() -> None:
    """Two trades, and a price all the time."""
    [path] = recorded("ws-market-lol-esports*.jsonl.gz")
    [found] = evidence_of(path, {}, Settings())[0]
    assert found.trades is not None and len(found.trades.t) == 2
    assert found.course.seconds == pytest.approx(153, abs=1)
