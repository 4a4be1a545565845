"""A market channel as it would be heard: frames of a synthetic venue, deterministic by seed.

Shares, sizes and order are those of performance.md 2: markets active by Zipf's law, a quarter of them on a tick of
0.001, books of about 90 to 140 levels, price_changes with two mirrored entries, after each trade both tokens' books
under the hash of its change, and 70 to 230 ms later its last_trade_price. That is 94.5 % price_change, 3.7 % book and
1.8 % last_trade_price; with the dump of 100 tokens in front of 20,000 frames books are 4.1 %, as there. One book in a
hundred tells something that no change told. Keys stand in the order recorded (real-data.md 6 to 8). Every hash is the
venue's (polymarket-api.md 4.4), computed here by other code than the project's, so that a stream is also a witness.
"""

import hashlib
import heapq
import random
import re
from itertools import accumulate
from typing import Final, NamedTuple

START_MS: Final = 1_790_000_000_000
DUMP_TOKENS: Final = 200
"""Tokens of one socket, and so of one dump."""
FINE_SHARE: Final = 0.25
TRADES, BARE_BOOKS = 1.8 / 94.575, 0.025 / 94.575
"""Shares of what happens: a trade makes four frames, two books without a change two, a change one."""
REMOVED: Final = 0.12
_HASH: Final = re.compile(r'"hash":"[0-9a-f]{40}"')
NEAREST: Final = 20
"""Levels a side never falls below."""

Top = tuple[str, float, float]
"""Token, best bid and best ask in dollars, as the wire states them."""


class Frame(NamedTuple):
    """One text frame and what it says about the touch."""

    text: str
    kind: str
    tops: tuple[Top, ...]


class Stream(NamedTuple):
    """What a harness needs: the tokens, their dump and the frames after it."""

    tokens: dict[str, dict[str, str]]
    """Asset id -> ``market`` (condition id) and ``tick``; the two of a market stand together, YES first."""
    dump: list[Frame]
    frames: list[Frame]


def make_stream(tokens: int, frames: int, seed: int = 1) -> Stream:
    """A stream of ``tokens`` (even) tokens."""
    dice = random.Random(f"{seed}:{tokens}")
    markets = [_Market(dice, fine=(n + 1) % round(1 / FINE_SHARE) == 0) for n in range(tokens // 2)]
    listed = {token: {"market": m.condition, "tick": m.tick} for m in markets for token in m.tokens}
    books = [m.book(token, first=True) for m in markets for token in (0, 1)]
    dump = []
    for at in range(0, len(books), DUMP_TOKENS):
        part = books[at : at + DUMP_TOKENS]
        text = "[" + ",".join(book.text for book in part) + "]"
        dump.append(Frame(text, "dump", tuple(top for book in part for top in book.tops)))
    return Stream(listed, dump, _play(dice, markets, frames))


def disguised(stream: Stream) -> Stream:
    """The same with hashes that nobody can reproduce; equal ones stay equal."""
    return stream._replace(
        dump=[_disguise(frame) for frame in stream.dump], frames=[_disguise(frame) for frame in stream.frames]
    )


def _disguise(frame: Frame) -> Frame:
    def other(found: re.Match[str]) -> str:
        return hashlib.sha1(found[0].encode(), usedforsecurity=False).hexdigest().join(('"hash":"', '"'))

    return frame._replace(text=_HASH.sub(other, frame.text))


def _play(dice: random.Random, markets: "list[_Market]", count: int) -> list[Frame]:
    """Frames in the order of their stamps."""
    ranks = [1 / rank for rank in range(1, len(markets) + 1)]
    dice.shuffle(ranks)
    weights = list(accumulate(ranks))
    late: list[tuple[int, int, Frame]] = []
    frames: list[Frame] = []
    now = START_MS
    while len(frames) < count:
        now += dice.randint(1, 3)
        while late and late[0][0] <= now:
            frames.append(heapq.heappop(late)[2])
        market = dice.choices(markets, cum_weights=weights)[0]
        what = dice.random()
        acting = dice.randint(0, 1)
        if what < TRADES:
            told = now + dice.randint(70, 230)
            change, trade = market.trade(acting, now, told)
            heapq.heappush(late, (told, len(frames), trade))
            frames += [change, market.book(acting), market.book(1 - acting)]
        elif what < TRADES + BARE_BOOKS:
            market.move(now)
            frames += [market.book(acting), market.book(1 - acting)]
        else:
            frames.append(market.change(acting, market.move(now)))
    return frames[:count]


class _Market:
    """One market at the venue: sizes by YES tick in cents of a share, bids up to ``bid``, asks from ``ask`` on."""

    def __init__(self, dice: random.Random, *, fine: bool) -> None:
        self.dice = dice
        self.tick, self.k = ("0.001", 1000) if fine else ("0.01", 100)
        self.condition = "0x" + dice.randbytes(32).hex()
        self.tokens = (str(dice.randint(10**76, 10**77 - 1)), str(dice.randint(10**76, 10**77 - 1)))
        centre = dice.randint(200, 800) if fine else dice.randint(30, 70)
        self.low, self.high = (centre - 69, centre + 70) if fine else (1, 99)
        self.bid, self.ask = centre, centre + 1
        self.texts = [_price(n, self.k) for n in range(self.k + 1)]
        self.sizes = [0] * (self.k + 1)
        self.fragments = ([""] * (self.k + 1), [""] * (self.k + 1))
        """Hash texts of the levels in the frames of YES and NO, by YES tick; "" where there is none."""
        self.stamp = START_MS - dice.randint(1, 60_000)
        self.last_trade = f"{centre / self.k:.3f}"
        for tick in range(self.low, self.high + 1):
            self.set(tick, self.draw_size())
        self.levels: tuple[str, str] | None = None

    def draw_size(self) -> int:
        """Hundredths of a share; few odd lots, many round ones."""
        return self.dice.randint(5, 400) * 500 if self.dice.random() < 0.4 else self.dice.randint(500, 300_000)

    def set(self, tick: int, size: int) -> None:
        self.sizes[tick] = size
        for fragments, price in zip(self.fragments, (tick, self.k - tick), strict=True):
            fragments[tick] = f'{{"price":"{self.texts[price]}","size":"{_size(size)}"}}' if size else ""
        self.levels = None

    def move(self, now: int) -> tuple[bool, int]:
        """Change one level, near the touch more often than far from it; returns its side and its tick."""
        self.stamp = now
        is_bid = self.dice.random() < 0.5
        depth = int(self.dice.expovariate(1 / 8))
        tick = max(self.bid + 1 - depth, self.low) if is_bid else min(self.ask - 1 + depth, self.high)
        if is_bid and tick >= self.ask:
            tick = self.bid
        elif not is_bid and tick <= self.bid:
            tick = self.ask
        spare = self.bid - self.low > NEAREST if is_bid else self.high - self.ask > NEAREST
        removes = self.sizes[tick] and spare and self.dice.random() < REMOVED
        self.set(tick, 0 if removes else self.draw_size())
        self.find_touch(is_bid, tick)
        return is_bid, tick

    def find_touch(self, is_bid: bool, tick: int) -> None:
        if is_bid:
            self.bid = max(self.bid, tick)
            while not self.sizes[self.bid]:
                self.bid -= 1
        else:
            self.ask = min(self.ask, tick)
            while not self.sizes[self.ask]:
                self.ask += 1

    def trade(self, acting: int, now: int, told: int) -> tuple[Frame, Frame]:
        """A taker takes from the best level: the change it makes, and the tape's message, which comes late."""
        self.stamp = now
        takes_bid = self.bid - self.low > NEAREST and (self.dice.random() < 0.5 or self.high - self.ask <= NEAREST)
        tick = self.bid if takes_bid else self.ask
        taken = self.sizes[tick] if self.dice.random() < 0.2 else self.dice.randint(1, self.sizes[tick])
        self.set(tick, self.sizes[tick] - taken)
        self.find_touch(takes_bid, tick)
        price = tick if acting == 0 else self.k - tick
        self.last_trade = f"{price / self.k:.3f}"
        side = "SELL" if takes_bid == (acting == 0) else "BUY"
        text = (
            f'{{"market":"{self.condition}","asset_id":"{self.tokens[acting]}","price":"{self.texts[price]}",'
            f'"size":"{_size(taken)}","fee_rate_bps":"0","side":"{side}","timestamp":"{told}",'
            f'"event_type":"last_trade_price","transaction_hash":"0x{self.dice.randbytes(32).hex()}"}}'
        )
        return self.change(acting, (takes_bid, tick)), Frame(text, "last_trade_price", ())

    def change(self, acting: int, level: tuple[bool, int]) -> Frame:
        """A ``price_change`` with the acting token's entry and its mirror."""
        is_bid, tick = level
        size, tops = _size(self.sizes[tick]), (self.top(acting), self.top(1 - acting))
        entries = []
        for token, (_, bid, ask) in zip((acting, 1 - acting), tops, strict=True):
            price = self.texts[tick if token == 0 else self.k - tick]
            side = "BUY" if is_bid == (token == 0) else "SELL"
            entries.append(
                f'{{"asset_id":"{self.tokens[token]}","price":"{price}","size":"{size}","side":"{side}",'
                f'"hash":"{self.hash(token)}","best_bid":"{bid:g}","best_ask":"{ask:g}"}}'
            )
        text = (
            f'{{"market":"{self.condition}","price_changes":[{",".join(entries)}],"timestamp":"{self.stamp}",'
            '"event_type":"price_change"}'
        )
        return Frame(text, "price_change", tops)

    def book(self, token: int, *, first: bool = False) -> Frame:
        """A full book as after a trade, or as in a dump."""
        head = f'{{"market":"{self.condition}","asset_id":"{self.tokens[token]}",'
        levels, stamp = self.levels_of(token), f'"hash":"{self.hash(token)}"'
        if first:
            text = (
                f'{head}"timestamp":"{self.stamp}",{stamp},{levels},"tick_size":"{self.tick}","event_type":"book",'
                f'"last_trade_price":"{self.last_trade}"}}'
            )
        else:
            text = f'{head}{levels},{stamp},"timestamp":"{self.stamp}","event_type":"book"}}'
        return Frame(text, "book", (self.top(token),))

    def top(self, token: int) -> Top:
        bid, ask = (self.bid, self.ask) if token == 0 else (self.k - self.ask, self.k - self.bid)
        return self.tokens[token], bid / self.k, ask / self.k

    def levels_of(self, token: int) -> str:
        """Bids rising, asks falling, in the token's frame."""
        if self.levels is None:
            yes, no = self.fragments
            rows = [
                (yes[self.low : self.bid + 1], yes[self.high : self.ask - 1 : -1]),
                (no[self.high : self.ask - 1 : -1], no[self.low : self.bid + 1]),
            ]
            bodies = [f'"bids":[{",".join(filter(None, b))}],"asks":[{",".join(filter(None, a))}]' for b, a in rows]
            self.levels = (bodies[0], bodies[1])
        return self.levels[token]

    def hash(self, token: int) -> str:
        text = (
            f'{{"market":"{self.condition}","asset_id":"{self.tokens[token]}","timestamp":"{self.stamp}","hash":"",'
            f'{self.levels_of(token)},"min_order_size":"5","tick_size":"{self.tick}","neg_risk":false,'
            f'"last_trade_price":"{self.last_trade}"}}'
        )
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _price(tick: int, k: int) -> str:
    return f"{tick / k:g}"


def _size(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
