"""Everything that can leave the engine. Actions are wishes; what became of them comes back as events."""

from typing import Any, Literal

import msgspec

from core.events import JobSeen
from core.jobs.job import Job
from core.portfolio.entries import Booking, EquityMark
from core.quoting.adjust import KeptAdjustments
from core.quoting.explain import LayerExplanation
from core.units import OrderSide, Shares, Side, Ticks


class Place(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Sign, journal and send one order: post-only, unless it ``crosses``."""

    intent: int
    """Our number for the order until it is signed; unique in a session."""
    market: str
    token: str
    order_side: OrderSide
    price: Ticks
    """In the frame of ``token``."""
    price_text: str
    size: Shares
    side: Side
    """Side of the YES book."""
    layer: int
    reason: str
    explanation: LayerExplanation | None = None
    """Of the layer it is placed for; None where nobody made one."""
    crosses: bool = False
    """It takes what rests up to its price and drops the rest (a FAK limit order): the last step of a flattening."""
    flattens: bool = False
    """A flattening placed it, within its own cost cap; it only reduces."""


class SignedPlace(msgspec.Struct, frozen=True):
    """A wish with its order id: ready for the journal, then for the gate, then for the wire."""

    place: Place
    order_id: str
    payload: Any
    """What the gateway posts; opaque to everybody else."""


class Cancel(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Cancel one order by id."""

    order_id: str
    market: str
    reason: str


class CancelAll(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Cancel everything the account has open."""

    reason: str


class ReadOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask the venue what became of one order."""

    order_id: str


AccountSection = Literal["orders", "trades", "balances", "positions", "index", "activity", "chain"]


class ReadAccount(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Read parts of the account; each answers with its own event, ``OpenOrdersRead`` for instance."""

    sections: tuple[AccountSection, ...]
    reason: str
    after_unix: int = 0
    """Of ``trades``, ``index`` and ``activity``: only those from then on."""


class ReadPayouts(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask whether these markets are resolved for good, and what they pay; answers are ``PayoutSeen``."""

    markets: tuple[str, ...]


class SendJob(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Journal and carry out an inventory operation, or follow one up; answers are ``JobSeen``."""

    job: Job


class CancelMarket(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Cancel everything the account has open in one market: what an order of unknown outcome may have left there."""

    market: str
    reason: str


class Finding(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Our books and the venue's disagree, or the venue contradicts itself: a row in the journal, and a line to read."""

    code: str
    """Stable name, for instance ``ghost_fill``."""
    severity: Literal["info", "warning", "alarm"]
    effect: Literal["none", "hold", "quarantine", "halt"]
    """``hold``: nothing new in the market for a while; ``quarantine``: nothing new there until resolved or released;
    ``halt``: nothing new anywhere."""
    market: str
    subject: str
    """Order id, trade id or token."""
    text: str
    """What, where, and what was done or is to do."""
    ours: str = ""
    venue: str = ""
    """What each side says, where that is a number or a state."""


class Book(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A line was written into the account's book that no fill made: a row in the journal. Fills have rows anyway."""

    booking: Booking


class KeepAdjustments(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An operator changed what is asked of a market's quotes, which goes to the journal."""

    kept: KeptAdjustments


class Marked(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The account was valued: a row in the journal, at each fill and every minute."""

    mark: EquityMark


class ReadScoring(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask the venue which of these orders count for liquidity rewards; the answer is a ``ScoringSeen``."""

    order_ids: tuple[str, ...]


class ReadBooks(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Read full books and prices of these tokens over REST; the answer is a ``BooksRead``."""

    tokens: tuple[str, ...]
    reason: str


class Resubscribe(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Unsubscribe and subscribe these tokens where they are, which sends their books anew."""

    tokens: tuple[str, ...]
    reason: str


class Unsubscribe(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Hear nothing more of these tokens: their market is over."""

    tokens: tuple[str, ...]


class Reconnect(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Move these tokens to a new socket; others on the old one must not notice."""

    tokens: tuple[str, ...]
    reason: str


class EndJob(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Look no more after a job that an operator ends by word; what is said of it comes back as this event."""

    seen: JobSeen


class Note(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A line for the event log, the log file and the journal."""

    severity: Literal["info", "fill", "warning", "alarm"]
    market: str
    text: str
    confirm: str = ""
    """Of the preview of a flattening: what to confirm it with."""
    refused: bool = False
    """An act was not carried out, and nothing has changed."""


def refusal(market: str, text: str) -> Note:
    """The answer to an act that is not carried out: why."""
    return Note("warning", market, text, refused=True)


class Kill(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Pull the kill switch before anything else is done: latch on the disk, gate closed, everything cancelled."""

    by: str
    """Which rule or who."""
    reason: str


class Rearm(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Put the kill latch on the disk back to armed and open what it closed; :class:`core.events.Armed` follows."""

    by: str
    reason: str


class Retire(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A market that is off the list has nothing of ours left: it is not made any more, its tokens are not heard."""

    market: str
    tokens: tuple[str, ...]


class Denied(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The gate let an order not through: for the journal, the counters and the console."""

    intent: int
    """0 when none was made yet."""
    market: str
    side: Side
    code: str
    """Stable name of the check (:data:`core.risk.gate.DENIALS`)."""
    text: str
    """With the numbers of both sides."""


Action = (
    Place
    | Cancel
    | CancelAll
    | CancelMarket
    | ReadOrder
    | ReadAccount
    | Finding
    | Book
    | KeepAdjustments
    | Marked
    | ReadPayouts
    | SendJob
    | EndJob
    | ReadScoring
    | ReadBooks
    | Resubscribe
    | Unsubscribe
    | Reconnect
    | Note
    | Kill
    | Rearm
    | Denied
    | Retire
)
