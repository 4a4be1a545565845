"""The law of the market data: wrong and quotable never go together, whatever happens to the messages on their way.

The oracle is the venue's own history. A book that is SYNCED without a doubt must be the venue's as of the newest
message that came, or as some message of that same millisecond stated it: among those the last to arrive is the newest.
"""

import random
from typing import NamedTuple

import msgspec
import pytest

from core.events import MarketMessage, RestBook
from core.market.continuity import ProofPolicy, TrackedBook
from core.units import MICRO, Side
from tests.builders import NO, YES, VenueBook

Levels = dict[int, int]


class Moment(NamedTuple):
    """The venue's book after one change."""

    ms: int
    bids: Levels
    asks: Levels
    reads: tuple[RestBook, RestBook]
    touch: tuple[str, str]


class Script:
    """A market's life: what it told, in order, each with the number of the moment it speaks of."""

    def __init__(self, seed: int, steps: int = 40) -> None:
        self.dice = random.Random(seed)
        self.venue = VenueBook(depth=3)
        self.moments: list[Moment] = []
        self.told: list[tuple[int, MarketMessage]] = []
        self.hidden: set[int] = set()
        """Moments between two changes that were told with one hash: nobody ever saw them."""
        self.in_ms = 0
        self.remember()
        self.dump()
        for _ in range(steps):
            self.step()

    def remember(self) -> None:
        venue = self.venue
        reads = (venue.rest("YES"), venue.rest("NO"))
        self.moments.append(Moment(venue.ms, dict(venue.bids), dict(venue.asks), reads, venue.touch()))

    def say(self, message: MarketMessage) -> None:
        self.told.append((len(self.moments) - 1, message))

    def dump(self) -> None:
        for outcome in ("YES", "NO"):
            self.say(self.venue.book(outcome))

    def move(self, after_ms: int) -> MarketMessage:
        while True:
            side: Side = self.dice.choice(("bid", "ask"))
            venue, tick, size = self.venue, self.dice.randint(43, 49), self.dice.choice((0, 0, 1, 2, 3, 200))
            own, other = (venue.bids, venue.asks) if side == "bid" else (venue.asks, venue.bids)
            crosses = size and other and (tick >= min(other) if side == "bid" else tick <= max(other))
            if not crosses and own.get(tick, 0) != size:
                message = venue.set(side, tick, size, after_ms)
                self.remember()
                return message

    def pause_ms(self) -> int:
        if self.in_ms < 2 and self.dice.random() < 0.35:
            self.in_ms += 1
            return 0
        self.in_ms = 0
        return self.dice.randint(1, 9)

    def step(self) -> None:
        kind = self.dice.random()
        if kind < 0.7:
            touch = self.venue.touch()
            self.say(self.move(self.pause_ms()))
            if self.venue.touch() != touch and self.dice.random() < 0.5:
                for outcome, token in (("YES", YES), ("NO", NO)):
                    bid, ask = self.venue.touch(outcome)
                    told = {"event_type": "best_bid_ask", "asset_id": token, "timestamp": self.venue.ms}
                    self.say(MarketMessage(**told, best_bid=bid, best_ask=ask))
        elif kind < 0.8:
            self.venue.trade(f"0.{self.dice.randint(40, 60)}")
            self.say(self.move(self.pause_ms()))
            for outcome in ("YES", "NO"):
                self.say(self.venue.book(outcome, tick_size="", last_trade_price=""))
        elif kind < 0.88 and self.in_ms < 2:
            first = self.move(self.dice.randint(1, 9))
            self.hidden.add(len(self.moments) - 1)
            second = self.move(0)
            self.in_ms = 1
            assert first.price_changes and second.price_changes
            pairs = zip(first.price_changes, second.price_changes, strict=True)
            early = tuple(msgspec.structs.replace(mine, hash=its.hash) for mine, its in pairs)
            self.say(msgspec.structs.replace(first, price_changes=early))
            self.say(second)
        else:
            self.dump()


class Weather(NamedTuple):
    """What happens to messages."""

    drop: float = 0.0
    repeat: float = 0.0
    reverse: float = 0.0
    late: float = 0.0
    copies: int = 1

    def blow(self, script: Script) -> list[tuple[int, MarketMessage]]:
        dice, arriving = script.dice, []
        for one in script.told:
            if dice.random() >= self.drop:
                arriving.append(one)
                while dice.random() < self.repeat:
                    arriving.append(one)
        at = 0
        while at < len(arriving):
            if dice.random() < self.reverse:
                size = dice.randint(2, 5)
                arriving[at : at + size] = reversed(arriving[at : at + size])
                at += size
            at += 1
        for _ in range(int(len(arriving) * self.late)):
            at = dice.randrange(len(arriving))
            one = arriving.pop(at)
            arriving.insert(min(len(arriving), at + dice.randint(1, 15)), one)
        return arriving if self.copies == 1 else doubled(arriving, dice)


def doubled(arriving: list[tuple[int, MarketMessage]], dice: random.Random) -> list[tuple[int, MarketMessage]]:
    """The same stream on two sockets, the second never ahead of the first and up to a dozen messages behind."""
    merged, behind = [], list(arriving)
    for number, one in enumerate(arriving):
        merged.append(one)
        lag = dice.randint(0, 12)
        while len(arriving) - len(behind) < number - lag:
            merged.append(behind.pop(0))
    return merged + behind


class Run:
    """One tracked book in that weather."""

    def __init__(self, script: Script, *, both: bool = False) -> None:
        self.script = script
        self.tracked = TrackedBook(script.venue.instrument, ProofPolicy(both=both))
        self.now = 100.0
        self.newest = -1
        self.seen: set[int] = set()

    def deliver(self, number: int, message: MarketMessage) -> None:
        tracked = self.tracked
        match message.event_type:
            case "book":
                tracked.apply_book(message, self.now)
            case "price_change":
                tracked.apply_changes(message, self.now)
            case _:
                tracked.compare_touch(message, self.now)
                self.check(message.event_type)
                return
        self.know(number)
        self.check(message.event_type)

    def know(self, number: int) -> None:
        self.newest = max(self.newest, number)
        self.seen.add(number)

    def read(self) -> str:
        """Offer a book of REST: the present one, an older or a newer one, confirmed or not."""
        dice, moments = self.script.dice, self.script.moments
        number = self.newest if dice.random() < 0.6 else self.newest + dice.randint(-6, 2)
        number = min(max(number, 0), len(moments) - 1)
        number += number in self.script.hidden
        moment = moments[number]
        confirmed = dice.random() < 0.7 and moment.touch == moments[self.newest].touch
        why = self.tracked.recover(dice.choice(moment.reads), confirmed, self.now)
        if not why:
            self.know(number)
        self.check("a read")
        return why

    def check(self, what: str) -> None:
        tracked = self.tracked
        if not tracked.synced or tracked.doubt_since_s is not None:
            return
        moments = self.script.moments
        same_ms = [moments[n] for n in self.seen if moments[n].ms == moments[self.newest].ms]
        ours = tracked.book.bids.sizes, tracked.book.asks.sizes
        assert any(ours == (micro(one.bids), micro(one.asks)) for one in same_ms), f"wrong and quotable after {what}"


def micro(levels: Levels) -> Levels:
    return {tick: size * MICRO for tick, size in levels.items()}


WEATHERS = {
    "lossy": Weather(drop=0.08),
    "disordered": Weather(reverse=0.1, late=0.05),
    "everything": Weather(drop=0.05, repeat=0.1, reverse=0.05, late=0.03),
    "two sockets": Weather(copies=2),
    "two sockets, lossy": Weather(drop=0.05, copies=2),
}


@pytest.mark.parametrize("name", WEATHERS)
def test_wrong_and_quotable_never_go_together(name: str) -> None:
    recovered = refused = 0
    for seed in range(60):
        script = Script(seed)
        run = Run(script, both=bool(seed % 2))
        for number, message in WEATHERS[name].blow(script):
            run.now += script.dice.choice((0.0001, 0.001, 0.01, 0.1))
            run.deliver(number, message)
            if script.dice.random() < 0.2:
                run.now += 0.3
                run.tracked.judge_doubt(run.now)
                run.check("time")
            troubled = not run.tracked.synced or run.tracked.doubt_since_s is not None
            if troubled and run.newest >= 0 and script.dice.random() < 0.4:
                why = run.read()
                recovered, refused = recovered + (not why), refused + bool(why)
    assert recovered > 20 and refused > 20, "the weather was too calm to say anything"


def test_healthy_stream_is_never_lost_and_always_proven_in_the_end() -> None:
    """Levels written twice in a millisecond, shared hashes, dumps in between: all of that is ordinary."""
    for seed in range(80):
        script = Script(seed)
        run = Run(script)
        for number, message in script.told:
            run.now += 0.01
            run.deliver(number, message)
        assert run.tracked.gaps == 0, seed
        assert run.tracked.evidence.hash_checked == (
            run.tracked.evidence.hash_agreed + run.tracked.evidence.hash_explained + run.tracked.unexplained
        )


def test_two_interleaved_copies_of_a_stream_are_one_stream() -> None:
    """The second socket lags: everything comes twice, what is late is a duplicate and no loss."""
    duplicates = 0
    for seed in range(60):
        script = Script(seed)
        run = Run(script)
        for number, message in doubled(script.told, script.dice):
            run.now += 0.001
            run.deliver(number, message)
        assert run.tracked.gaps == 0, seed
        duplicates += run.tracked.duplicates
    assert duplicates > 500


def test_read_replayed_with_any_backlog_is_the_truth_or_is_refused() -> None:
    """Recovery alone: a book that was lost, changes that came since, a read of any moment."""
    accepted: dict[bool, int] = {True: 0, False: 0}
    for seed in range(150):
        script = Script(seed, steps=25)
        run = Run(script)
        changes = [one for one in script.told if one[1].event_type == "price_change"]
        for number, message in script.told[:2]:
            run.deliver(number, message)
        run.tracked.lose("a test", run.now)
        start = script.dice.randrange(len(changes) // 2)
        for number, message in changes[start : start + script.dice.randint(0, 8)]:
            if script.dice.random() < 0.9:
                run.deliver(number, message)
        for _ in range(4):
            why = run.read()
            accepted[not why] += 1
            if not why:
                break
    assert accepted[True] > 40 and accepted[False] > 40
