"""Whether a silent book is quiet or dead: the usual gap is learned, beyond it an audit over REST decides.

A connected socket with a living PONG proves nothing about a token (peers.md T1): *live* was heard within its usual gap,
*quiet* is silent and REST shows the same, *frozen* is silent and REST shows another book, *unproven* is what nobody can
vouch for (design.md 4).
"""

import math
from typing import Final, NamedTuple

from core.market.audit import Finding
from core.market.continuity import TrackedBook
from core.views import Freshness

LEAST_SEC: Final = 1.5
"""Shortest silence that is worth an audit."""
GAPS: Final = 2.0
"""Silence of so many usual gaps is not usual."""
GAP_WEIGHT: Final = 0.05
"""Weight of a new gap in the mean: twenty gaps are remembered."""
GRACE_SEC: Final = 0.6
"""A change that REST shows already may still be on its way on the channel (0.2 to 0.7 s were seen, real-data.md)."""
RECHECK_SEC: Final = 0.5
"""Time until an audit that said too little is repeated."""
SUBSCRIPTIONS: Final = 3
"""New subscriptions that bring nothing before there is a new socket."""
SLOWEST_SEC: Final = 60.0
"""Longest pause between them."""
PROBATION_SEC: Final = 1.0
"""After a freeze an audit counts as a sign of life only so long after the fresh book."""


class _Ahead(NamedTuple):
    """REST showed a book that we do not have yet."""

    timestamp_ms: int
    asked_s: float
    until_s: float
    words: str


class Silence:
    """What is known of one market's life."""

    __slots__ = (
        "_ahead",
        "_asked_anew_s",
        "_asked_s",
        "_in_vain",
        "_longest_s",
        "_moved",
        "_new_s",
        "_patient_until_s",
        "_recheck_s",
        "_rest_ms",
        "_stale_s",
        "_stamps_stand",
        "_thawed_s",
        "_vouched_ms",
        "_waits",
        "audits",
        "heard_s",
        "status",
        "usual_gap_s",
        "verified_s",
        "words",
    )

    def __init__(self, audit_sec: float, stale_sec: float) -> None:
        """``audit_sec``: longest silence without an audit, 0 for never; ``stale_sec``: longest time without proof."""
        self._longest_s = audit_sec
        self._stale_s = stale_sec
        self.status: Freshness = "live"
        self.words = ""
        """Why it is not live, for people."""
        self.usual_gap_s: float | None = None
        """Mean seconds between messages."""
        self.heard_s = -math.inf
        """Last message of this market, monotonic seconds."""
        self._new_s = -math.inf
        """Last message that no other had told."""
        self.verified_s = -math.inf
        """Last time REST vouched for our book."""
        self.audits = 0
        self._asked_s = -math.inf
        self._asked_anew_s = -math.inf
        self._in_vain = 0
        """Subscriptions asked for anew since the channel last spoke."""
        self._patient_until_s = -math.inf
        self._thawed_s = math.inf
        self._ahead: _Ahead | None = None
        self._moved: tuple[int, float] = (0, -math.inf)
        """Newest stamp under which a silent book was found the same, and when."""
        self._stamps_stand = False
        """REST stamps a book with its last change, not with the request: it was seen to (polymarket-api.md 4.1)."""
        self._waits = False
        """The last audit said too little: the next one is awaited before anything is quoted."""
        self._recheck_s = math.inf
        """When to audit again, whatever patience there is."""
        self._rest_ms = 0
        """Newest venue time of a book that REST showed and that was believed."""
        self._vouched_ms = 0
        """Venue time of our book when REST last showed the same."""

    @property
    def proven_s(self) -> float:
        """When somebody last vouched for the book: the channel or REST."""
        return max(self.heard_s, self.verified_s)

    @property
    def reason(self) -> str:
        """Why it is not known to live, in words; "" when there is nothing to say."""
        return self.words if self.status != "live" or self.heard_s <= self._asked_s else ""

    @property
    def quotable(self) -> bool:
        """Nothing known speaks against quoting on this book."""
        return self.status in ("live", "quiet")

    def hear(self, now: float, *, is_new: bool = True) -> None:
        """A message of this market came; what another socket told before says nothing about the usual gap."""
        if not is_new:
            self._heard_again(now)
            return
        gap, self._new_s = now - self._new_s, now
        self.heard_s = now
        usual = self.usual_gap_s
        if usual is not None:
            self.usual_gap_s = usual + (gap - usual) * GAP_WEIGHT
        elif gap < math.inf:
            self.usual_gap_s = gap
        if self.status != "live":
            self._stir(now)

    def _heard_again(self, now: float) -> None:
        self.heard_s = now
        if self.status != "live":
            self._stir(now)

    @property
    def is_dead(self) -> bool:
        """Frozen, and the channel has not said a word of this market since: only the channel can end that."""
        return self.status == "frozen" and self._thawed_s == math.inf

    def note_rest(self, finding: Finding) -> None:
        """REST showed a book that can be believed: until ours is as new nothing is quoted on it."""
        if finding.book is not None:
            self._rest_ms = max(self._rest_ms, finding.timestamp_ms)

    def is_behind(self, tracked: TrackedBook) -> bool:
        """REST has shown a newer book than ours, which the channel still has to bring."""
        return self._waits or (tracked.timestamp_ms < self._rest_ms and tracked.timestamp_ms != self._vouched_ms)

    def show_life(self, tracked: TrackedBook) -> None:
        """A change was proven: what was frozen moves again, once it has caught up."""
        if self.status == "frozen" and not self.is_behind(tracked):
            self.status, self.words = "live", ""

    def resynced(self, now: float) -> None:
        """A full book was believed anew."""
        self._ahead = None
        self.verified_s = now

    def check_s(self, provable: bool) -> float:
        """When to look again, monotonic seconds.

        Args:
            provable: changes carry hashes that prove the book; else it is audited whether silent or not.
        """
        wanted = self.audit_due_s(provable)
        if self._ahead is not None:
            wanted = min(wanted, self._ahead.until_s)
        if self._longest_s and self.quotable:
            wanted = min(wanted, self.proven_s + self._stale_s)
        return wanted

    def audit_due_s(self, provable: bool) -> float:
        """When the next audit is due; infinity while there are none."""
        if not self._longest_s:
            return math.inf
        silent_since = self.heard_s if provable else -math.inf
        since = max(silent_since, self.verified_s, self._asked_s)
        return min(since + self._patience_s, self._recheck_s)

    def wants_other_proof(self, now: float) -> bool:
        """Half of the time without proof is over, and REST does not help: the dump of a subscription would."""
        return self._longest_s > 0 and now >= self._patient_until_s and now - self.proven_s > self._stale_s / 2

    def asks_in_vain(self, now: float) -> bool:
        """The channel is asked for the book anew; True when that was done before and brought nothing."""
        tries = self._in_vain = 1 if self.heard_s > self._asked_anew_s else self._in_vain + 1
        self._asked_anew_s, self._patient_until_s = now, now + min(SLOWEST_SEC, self._longest_s * tries)
        return tries % SUBSCRIPTIONS == 0

    def asked(self, now: float) -> None:
        """An audit is on its way."""
        self._asked_s, self._recheck_s = now, math.inf
        self.audits += 1

    def take(self, tracked: TrackedBook, finding: Finding, asked_s: float, now: float) -> None:
        """Take what an audit found that was asked for at ``asked_s``."""
        silent = self.heard_s <= asked_s
        newer = silent and finding.timestamp_ms > tracked.timestamp_ms
        if finding.kind == "same" and finding.timestamp_ms == tracked.timestamp_ms:
            self._stamps_stand = True
        waited, self._waits = self._waits, False
        match finding.kind:
            case "same" if newer and self._stamps_stand and self._moves_on(finding, now):
                words = "REST's book moves on while the channel is silent"
                self._ahead = _Ahead(finding.timestamp_ms, asked_s, now, words)
            case "same":
                self._vouched_ms = tracked.timestamp_ms
                self._verified(asked_s, "", now)
            case "other" if not self._reached(tracked, finding.timestamp_ms, asked_s):
                self._vouched_ms = 0
                self._ahead = _Ahead(finding.timestamp_ms, asked_s, now + GRACE_SEC, finding.words)
            case "implausible" if newer and finding.prices_agree and not waited:
                self._waits, self._recheck_s = True, now + RECHECK_SEC  # two requests may have met two moments
            case "implausible":
                self._distrust_rest(finding.words, finding, asked_s, now)
            case "older" if silent:
                self._distrust_rest("REST is older than our book", finding, asked_s, now)
            case "missing" if silent and self.quotable:
                self.words = finding.words

    def check(self, tracked: TrackedBook, now: float) -> bool:
        """Judge what time has decided; True when the book turned out to be frozen just now."""
        ahead = self._ahead
        if ahead is not None and now >= ahead.until_s:
            self._ahead = None
            if not self._reached(tracked, ahead.timestamp_ms, ahead.asked_s):
                self.status, self.words, self._thawed_s = "frozen", ahead.words, math.inf
                return True
        if self._longest_s and self.quotable and now >= self.proven_s + self._stale_s:
            self.status = "unproven"
            self.words = f"nobody has vouched for the book for {self._stale_s:g} s or more"
        return False

    @property
    def _patience_s(self) -> float:
        usual = self._longest_s if self.usual_gap_s is None else GAPS * self.usual_gap_s
        return min(max(LEAST_SEC, usual), self._longest_s)

    def _stir(self, now: float) -> None:
        """The channel spoke of a silent market. A frozen one has to prove that it goes on speaking."""
        if self.status != "frozen":
            self.status, self.words = "live", ""
        elif self.is_dead:
            self._thawed_s = now
            self.words = "the channel speaks again; waiting for proof"

    def _reached(self, tracked: TrackedBook, timestamp_ms: int, since_s: float) -> bool:
        """The channel has brought us to that book or past it since then."""
        return tracked.synced and self.heard_s > since_s and tracked.timestamp_ms >= timestamp_ms

    def _moves_on(self, finding: Finding, now: float) -> bool:
        """The same book under a newer stamp: once may be a change of nothing, twice is a channel that is dead.

        Prices that disagree say the same at once.
        """
        if finding.prices_agree is False:
            return True
        stamp_ms, seen_s = self._moved
        if self.heard_s < seen_s and finding.timestamp_ms > stamp_ms:
            return True
        self._moved, self._recheck_s = (finding.timestamp_ms, now), now + RECHECK_SEC
        return False

    def _distrust_rest(self, words: str, finding: Finding, asked_s: float, now: float) -> None:
        """REST's book is no referee; prices that agree with ours outvote it (reliability.md D03)."""
        if finding.prices_agree:
            self._verified(asked_s, f"{words}; prices agree with ours", now)
        elif self.heard_s <= asked_s and self.status != "frozen":
            self.status, self.words = "unproven", words

    def _verified(self, asked_s: float, words: str, now: float) -> None:
        """Our book stood at the venue when it was asked; a silence that was right is a gap to learn from."""
        if self.status == "frozen" and asked_s < self._thawed_s + PROBATION_SEC:
            return
        self._ahead = None
        self.verified_s = max(self.verified_s, asked_s)
        silent_s = now - self.heard_s
        if silent_s < self._patience_s:
            self.status, self.words = "live", ""
            return
        self.status, self.words = "quiet", words
        if self.usual_gap_s is not None:
            self.usual_gap_s += max(0.0, silent_s - self.usual_gap_s) * GAP_WEIGHT
