"""All books of all markets: takes what the channel says, wins lost books back, and audits silent ones.

Pure like the engine it belongs to: wishes go out as actions (read books, subscribe again, new socket), what came of
them comes back as events. Whether one message may be believed is decided in :mod:`core.market.continuity`, whether
silence is peace in :mod:`core.market.silence`.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from core.actions import Action, Note, ReadBooks, Reconnect, Resubscribe, Unsubscribe
from core.desk import Desk
from core.errors import MalformedMessage
from core.events import BooksRead, FeedChanged, MarketMessage
from core.market.audit import Finding, audit
from core.market.continuity import BEHIND, Applied, ProofPolicy, TrackedBook
from core.market.proof import Evidence
from core.market.readings import Signals, TradeStats, signals_of, trade_stats_of
from core.market.recovery import Durations, Step
from core.units import UnitError, grid_of

MEASURE_EVERY: Final = 500
"""Messages after which the rate is measured, so that a burst is met within itself."""
CHECKS_PER_SEC: Final = 2_000
"""Messages a second whose hashes are all checked; beyond it a sample is."""
BOOKS_A_READ: Final = 500
"""Tokens in one POST /books (polymarket-api.md 4.1)."""
LEAST_LOOK_SEC: Final = 0.01
"""Least time between two looks at a desk: one that changes nothing must not be repeated at once, for ever."""
LOST: Final = "no book that can be proven"
AUDIT: Final = "audit"
"""Reasons of the wishes."""
TOGETHER_SEC: Final = 0.5
"""Audits that are due so soon go along with one that is due now."""

Wish = ReadBooks | Resubscribe | Reconnect
"""What is asked of the shell for the tokens of many markets at once."""
_KIND_OF: Final[dict[Step, type[Wish]]] = {"read": ReadBooks, "resubscribe": Resubscribe, "reconnect": Reconnect}


class Tally(msgspec.Struct):
    """Counts since the start."""

    messages: int = 0
    """Market messages of a known type and shape."""
    unknown_types: int = 0
    foreign: int = 0
    """Messages of markets that are not ours."""
    new_markets: int = 0
    """Markets that opened at the venue."""
    decisions: int = 0
    reconnects: int = 0
    audits_same: int = 0
    audits_other: int = 0
    """REST showed another book than ours, or an older one."""
    audits_implausible: int = 0
    audits_missing: int = 0
    """REST told nothing of the market."""
    duplicates: int = 0
    """Of the books of markets that are not made any more, as the next two."""
    stale: int = 0
    evidence: Evidence = msgspec.field(default_factory=Evidence)


class Feed(msgspec.Struct):
    """What is known of one channel."""

    connected: bool = False
    heard_s: float = -math.inf
    reconnects: int = 0
    detail: str = "not connected yet"


class MarketData:
    """The books of the desks."""

    def __init__(self, desks: dict[str, Desk], tally: Tally) -> None:
        self.desks = desks
        self.feed = Feed()
        self.proof = ProofPolicy()
        """Shared by all books: how many changes have their hash checked."""
        self.rate = 0.0
        """Market messages a second, as of the last :meth:`measure`."""
        self.recoveries = Durations()
        """From the loss of a book to its proof."""
        self._rest_trouble = ""
        """Why books cannot be read over REST; "" while they can."""
        self.check_s = math.inf
        """When :meth:`check` is wanted, monotonic seconds."""
        self.due_s = math.inf
        """When the first desk wants to decide about what came since it was last asked, monotonic seconds."""
        self._by_token: dict[str, Desk] = {}
        self._tally = tally
        self._measured = (-math.inf, 0)
        self._measure_at = MEASURE_EVERY
        self._handlers: dict[str, Callable[[Desk, MarketMessage, float], list[Action]]] = {
            "book": self._on_book,
            "best_bid_ask": lambda desk, message, now: self._applied(desk, desk.take_touch(message, now), now),
            "last_trade_price": self._on_trade,
            "tick_size_change": self._on_tick,
            "market_resolved": self._on_resolved,
        }

    def add(self, desk: Desk, now: float) -> None:
        """A market is to be followed."""
        instrument = desk.instrument
        self.desks[desk.market] = desk
        self._by_token |= {instrument.yes_token: desk, instrument.no_token: desk}
        desk.recovery.expect(now)
        self._look(desk, desk.recovery.due_s)

    def remove(self, desk: Desk) -> None:
        """A market is not to be followed any more; what was counted of it stays counted."""
        del self.desks[desk.market]
        for token in _tokens_of(desk):
            del self._by_token[token]
        tally, tracked = self._tally, desk.tracked
        tally.duplicates += tracked.duplicates
        tally.stale += tracked.stale
        tally.evidence.add(tracked.evidence)
        tally.evidence.hash_checked -= tracked.unexplained  # nobody will ever say

    def find(self, token_id: str) -> TrackedBook | None:
        """The book of a token's market; None for a stranger."""
        desk = self._by_token.get(token_id)
        return None if desk is None else desk.tracked

    # Readings

    def get_signals(self, token_id: str, now: float) -> Signals:
        """What the book says of a token.

        Raises:
            KeyError: no followed market has this token.
        """
        desk = self._by_token[token_id]
        micro, proven_s = desk.watch.micro, desk.silence.proven_s
        age_s = None if proven_s == -math.inf else now - proven_s
        return signals_of(desk.tracked, token_id, None if micro is None else micro.price, desk.data_trouble, age_s)

    def get_trade_stats(self, token_id: str, now: float) -> TradeStats:
        """What the tape says of a token.

        Raises:
            KeyError: no followed market has this token.
        """
        desk = self._by_token[token_id]
        return trade_stats_of(desk.tape, desk.instrument, token_id, now)

    # What the channel says

    def take(self, message: MarketMessage, now: float) -> list[Action]:
        """Take one message of the market channel.

        Raises:
            MalformedMessage: it cannot be used; nothing has changed.
        """
        self.feed.heard_s = now
        desk, kind, actions = self.desks.get(message.market), message.event_type, _NOTHING
        if kind == "price_change" and desk is not None:  # nearly all of them: without the detour
            applied = desk.take_changes(message, now)
            if applied is not BEHIND:
                actions = self._applied(desk, applied, now)
        elif desk is None or kind not in self._handlers:
            self._count_other(message)
            return _NOTHING
        else:
            actions = self._handlers[kind](desk, message, now)
        tally = self._tally
        count = tally.messages = tally.messages + 1
        if count >= self._measure_at and now > self._measured[0]:
            self.measure(now)
        if desk.is_due:
            self.due_s = min(self.due_s, max(now, desk.wake_at()))
        return actions

    def _count_other(self, message: MarketMessage) -> None:
        tally = self._tally
        if message.event_type == "new_market":
            tally.new_markets += 1
        elif message.event_type == "price_change" or message.event_type in self._handlers:
            tally.foreign += 1
        else:
            tally.unknown_types += 1

    def take_coverage(self, event: FeedChanged, now: float) -> list[Action]:
        """A socket of the channel came up or went down."""
        feed, wanted = self.feed, self._desks_of(event.tokens)
        changed = [desk for desk in wanted if desk.covered != event.connected]
        was, feed.detail = feed.connected, event.detail
        actions: list[Action] = []
        for desk in changed:
            desk.covered = event.connected
            desk.touch_due()
            if event.connected:
                desk.recovery.expect(now)
                self._look(desk, desk.recovery.due_s)
            else:
                desk.tracked.lose("market feed went down", now)
                if desk.tracked.state != "EMPTY":
                    desk.recovery.wait(now)
                actions += desk.pull("market feed is down", now)
        feed.connected = any(desk.covered for desk in self.desks.values()) if self.desks else event.connected
        if event.connected:
            feed.heard_s = now
            return [*actions, Note("info", "", "market feed is up")] if not was else actions
        if was:
            feed.reconnects += 1
            self._tally.reconnects += 1
            some = f" for {len(changed)} of {len(self.desks)} markets" if feed.connected else ""
            actions.insert(0, Note("warning", "", f"market feed is down{some}: {event.detail}"))
        return actions

    def _applied(self, desk: Desk, applied: Applied, now: float) -> list[Action]:
        """What follows from a message: a loss, a doubt to look at, or a book that is believed again."""
        if applied.lost:
            return self._lost(desk, applied.lost, now)
        tracked = desk.tracked
        if tracked.doubt_since_s is not None:
            self._look(desk, tracked.doubt_until_s)
        elif desk.recovery.under_way and tracked.synced:
            return self._resynced(desk, now)
        return _NOTHING

    def _lost(self, desk: Desk, reason: str, now: float) -> list[Action]:
        """Continuity is lost: pull in the same step, and ask for the truth."""
        desk.recovery.begin(now)
        return [
            *desk.pull(f"book suspect: {reason}", now),
            Note("warning", desk.market, f"book suspect: {reason}; reading a fresh one"),
            self._win_back(desk, now),
        ]

    def _on_book(self, desk: Desk, message: MarketMessage, now: float) -> list[Action]:
        """Take a full book; one on another tick tells a tick change that was missed, if all of it can be read."""
        tick_text, actions = message.tick_size, list[Action]()
        if _is_other_tick(tick_text, desk):
            if message.timestamp < desk.tracked.grid_floor_ms:
                desk.tracked.stale += 1  # of before the change: an heir's dump, or the other copy's
                return actions
            trial = TrackedBook(desk.instrument)
            trial.change_tick(tick_text, now)
            trial.apply_book(message, now)
            actions = self._change_tick(desk, tick_text, message.timestamp, now)
            desk.recovery.expect(now)
            self._look(desk, desk.recovery.due_s)
        return actions + self._applied(desk, desk.take_book(message, now), now)

    def _on_trade(self, desk: Desk, message: MarketMessage, now: float) -> list[Action]:
        desk.take_trade(message, now)
        return _NOTHING

    def _on_tick(self, desk: Desk, message: MarketMessage, now: float) -> list[Action]:
        if not message.new_tick_size:
            raise MalformedMessage("tick_size_change without new_tick_size")
        if not _is_other_tick(message.new_tick_size, desk):
            return _NOTHING
        actions = self._change_tick(desk, message.new_tick_size, message.timestamp, now)
        desk.recovery.begin(now)
        return [*actions, self._win_back(desk, now)]

    def _change_tick(self, desk: Desk, tick_text: str, timestamp_ms: int, now: float) -> list[Action]:
        desk.change_tick(tick_text, timestamp_ms, now)
        text = f"tick is {desk.instrument.tick_text} now; quotes wait for a book on the new grid"
        return [*desk.pull("tick changed", now), Note("warning", desk.market, text)]

    def _on_resolved(self, desk: Desk, message: MarketMessage, now: float) -> list[Action]:
        desk.resolve(message.winning_asset_id, now)
        desk.recovery.give_up()
        outcome = message.winning_outcome or "outcome not told"
        return [
            *desk.pull("resolved", now),
            Note("warning", desk.market, f"resolved: {outcome}"),
            Unsubscribe(tokens=_tokens_of(desk)),
        ]

    # What REST says

    def take_read(self, event: BooksRead, now: float) -> list[Action]:
        """Take what came of a :class:`ReadBooks`: fresh books for lost ones, audits for the others."""
        actions = self._note_rest(event.detail)
        for desk in self._desks_of(event.tokens):
            if not desk.is_followed:
                continue
            instrument = desk.instrument
            tokens = (instrument.yes_token, instrument.no_token)
            books = [book for book in event.books if book.asset_id in tokens and book.market == instrument.market]
            touches = [touch for touch in event.touches if touch.token in tokens]
            for book in books:
                actions += self._heed_tick(desk, book.tick_size, book.timestamp, now)
            finding = audit(desk.tracked, books, touches)
            desk.silence.note_rest(finding)
            if desk.tracked.synced:
                actions += self._audited(desk, finding, event.asked_s, now)
            else:
                actions += self._recover(desk, finding, now)
        return _together(actions)

    def _note_rest(self, detail: str) -> list[Action]:
        """Say once that books cannot be read, and once that they can again."""
        was, self._rest_trouble = self._rest_trouble, detail
        if bool(was) == bool(detail):
            return []
        text = f"books cannot be read over REST: {detail}" if detail else "books can be read over REST again"
        return [Note("warning" if detail else "info", "", text)]

    def _heed_tick(self, desk: Desk, tick_text: str, timestamp_ms: int, now: float) -> list[Action]:
        """A book newer than ours on another tick tells of a change that the channel did not."""
        try:
            if timestamp_ms < desk.tracked.grid_floor_ms or not _is_other_tick(tick_text, desk):
                return []
            actions = self._change_tick(desk, tick_text, timestamp_ms, now)
        except MalformedMessage:
            return []  # the audit that follows says what is wrong with this book
        desk.recovery.begin(now)
        self._look(desk, now)
        return actions

    def _recover(self, desk: Desk, finding: Finding, now: float) -> list[Action]:
        if finding.book is None or desk.silence.is_dead:
            return []
        tracked = desk.tracked
        if tracked.refuted_by(finding.book) and desk.recovery.is_refuted(tracked.evidence.hash_agreed, now):
            tracked.distrust_hashes(now)
        why = desk.recover(finding.book, finding.confirmed, now)
        if why:
            tracked.reason = why
            return []
        return self._resynced(desk, now)

    def _resynced(self, desk: Desk, now: float) -> list[Action]:
        """A lost book is believed again."""
        desk.silence.resynced(now)
        desk.touch_due()
        self._look(desk, desk.silence.check_s(desk.tracked.provable))
        took_s = desk.recovery.done(now)
        if took_s is None:
            return []
        self.recoveries.add(took_s)
        took = f"{took_s:.1f} s" if took_s >= 1 else f"{took_s * 1000:.0f} ms"
        if desk.silence.status == "frozen":
            return [Note("info", desk.market, f"a fresh book came after {took}; quotes wait for a sign of life")]
        return [Note("info", desk.market, f"book is proven again after {took}")]

    def _audited(self, desk: Desk, finding: Finding, asked_s: float, now: float) -> list[Action]:
        silence, tally = desk.silence, self._tally
        match finding.kind:
            case "same":
                tally.audits_same += 1
                if lost := self._learn(desk, finding, now):
                    return lost
            case "implausible":
                tally.audits_implausible += 1
            case "missing":
                tally.audits_missing += 1
            case _:
                tally.audits_other += 1
        was = silence.status
        silence.take(desk.tracked, finding, asked_s, now)
        self._look(desk, silence.check_s(desk.tracked.provable))
        if silence.status != was:
            desk.touch_due()
        if silence.status == "unproven" != was:
            return self._unproven(desk, now)
        if finding.kind == "missing" and silence.wants_other_proof(now):
            return [_ask_anew(desk, finding.words, now)]
        return []

    def _learn(self, desk: Desk, finding: Finding, now: float) -> list[Action]:
        """A book that fits its hash tells the parts of it that Gamma had wrong, without which ours prove nothing.

        Returns what follows if ours is lost over it.
        """
        read, known = finding.book, desk.instrument
        if read is None or desk.tracked.provable:
            return []
        if (read.min_order_size, read.neg_risk) == (known.min_size_text, known.neg_risk):
            return []
        desk.tracked.lose("minimum size or neg risk were wrong", now)
        why = desk.recover(read, True, now)
        return self._lost(desk, why, now) if why else []

    # Time

    def measure(self, now: float) -> None:
        """Count the messages of the last second, and check as many hashes as that allows."""
        since_s, before = self._measured
        elapsed_s = now - since_s
        self._measured = (now, self._tally.messages)
        self._measure_at = self._tally.messages + MEASURE_EVERY
        if 0 < elapsed_s < math.inf:
            self.rate = (self._tally.messages - before) / elapsed_s
            self.proof.every = max(1, math.ceil(self.rate / CHECKS_PER_SEC))

    def check(self, now: float) -> list[Action]:
        """Do what time asks for: doubts, next steps of recoveries, audits."""
        actions: list[Action] = []
        silent = False
        for desk in self.desks.values():
            if desk.check_s > now:
                continue
            desk.check_s = math.inf
            if not desk.is_followed:
                continue
            actions += self._judge(desk, now)
            if desk.tracked.synced:
                silent = silent or desk.silence.audit_due_s(desk.tracked.provable) <= now
            elif desk.recovery.due_s <= now:
                actions.append(self._win_back(desk, now))
        if silent:
            actions += self._audit_silent(now)
        self.check_s = math.inf
        for desk in self.desks.values():
            self._look(desk, max(self._wanted_s(desk), now + LEAST_LOOK_SEC))
        return _together(actions)

    def _judge(self, desk: Desk, now: float) -> list[Action]:
        """What time alone has decided of one market: a doubt that nothing explained, a freeze, the end of all proof."""
        tracked, silence = desk.tracked, desk.silence
        if tracked.doubt_since_s is not None and (applied := tracked.judge_doubt(now)).lost:
            return self._lost(desk, applied.lost, now)
        if not tracked.synced:
            return []
        was = silence.status
        if silence.check(tracked, now):
            tracked.lose(f"frozen: {silence.words}", now)
            desk.recovery.thaw(now)
            return [
                *desk.pull("book frozen", now),
                Note("alarm", desk.market, f"the channel is silent on this market: {silence.words}"),
            ]
        return self._unproven(desk, now) if silence.status == "unproven" != was else []

    def _unproven(self, desk: Desk, now: float) -> list[Action]:
        """Nobody vouches for the book: no quotes, and the channel is asked for it anew."""
        words = desk.silence.words
        desk.touch_due()
        return [
            *desk.pull("book unproven", now),
            Note("warning", desk.market, f"book unproven: {words}"),
            _ask_anew(desk, words, now),
        ]

    def _win_back(self, desk: Desk, now: float) -> Action:
        """Take the next step for a lost book; one that may be closed for good is worth no new socket."""
        step = desk.recovery.step(now)
        kind = _KIND_OF["read" if desk.drained and step == "reconnect" else step]
        desk.tracked.resyncing(now)
        self._look(desk, desk.recovery.due_s)
        return kind(tokens=_tokens_of(desk), reason=LOST)

    def _audit_silent(self, now: float) -> list[Action]:
        """Audit whose turn it is, and whose turn is near."""
        wishes: list[Action] = []
        for desk in self.desks.values():
            if not (desk.is_followed and desk.tracked.synced):
                continue
            if desk.silence.audit_due_s(desk.tracked.provable) <= now + TOGETHER_SEC:
                desk.silence.asked(now)
                wishes.append(ReadBooks(tokens=_tokens_of(desk), reason=AUDIT))
        return wishes

    def _wanted_s(self, desk: Desk) -> float:
        if not desk.is_followed:
            return math.inf
        if not desk.tracked.synced:
            return desk.recovery.due_s
        if desk.tracked.doubt_since_s is not None:
            return desk.tracked.doubt_until_s
        return desk.silence.check_s(desk.tracked.provable)

    def _look(self, desk: Desk, at_s: float) -> None:
        """Look at a desk at the latest then."""
        desk.check_s = min(desk.check_s, at_s)
        self.check_s = min(self.check_s, desk.check_s)

    def _desks_of(self, tokens: Iterable[str]) -> list[Desk]:
        """The desks of tokens; all when there are none."""
        if not tokens:
            return list(self.desks.values())
        return list({desk.market: desk for token in tokens if (desk := self._by_token.get(token))}.values())


_NOTHING: Final[list[Action]] = []
"""What most messages ask for; nobody appends to it."""


def _is_other_tick(tick_text: str, desk: Desk) -> bool:
    """A tick size was told, and it is not the market's.

    Raises:
        MalformedMessage: it is no fraction of a dollar.
    """
    try:
        return bool(tick_text) and grid_of(tick_text).k != desk.instrument.grid.k
    except UnitError as error:
        raise MalformedMessage(str(error)) from error


def _tokens_of(desk: Desk) -> tuple[str, str]:
    return (desk.instrument.yes_token, desk.instrument.no_token)


def _ask_anew(desk: Desk, reason: str, now: float) -> Resubscribe | Reconnect:
    """Have the channel send a book: by a new subscription, and where those bring nothing by a new socket."""
    kind = Reconnect if desk.silence.asks_in_vain(now) else Resubscribe
    return kind(tokens=_tokens_of(desk), reason=reason)


def _together(actions: list[Action]) -> list[Action]:
    """The same, with one wish for all tokens in place of many of one kind and reason: each is a request or a frame."""
    others: list[Action] = []
    wishes: dict[tuple[type[Wish], str], dict[str, None]] = {}
    for action in actions:
        if isinstance(action, Wish):
            wishes.setdefault((type(action), action.reason), {}).update(dict.fromkeys(action.tokens))
        else:
            others.append(action)
    for (kind, reason), wanted in wishes.items():
        tokens, most = tuple(wanted), BOOKS_A_READ if kind is ReadBooks else len(wanted)
        others += [kind(tokens=tokens[start : start + most], reason=reason) for start in range(0, len(tokens), most)]
    return others
