"""What the venue's answer to a write proves: pure functions of status, headers and body (reliability.md 4.3).

An order is *refused* only when the venue says so in words of its own that we know, with a status that goes with them.
Whatever else comes, and whatever does not come, leaves the outcome *unknown*, and reads have to tell.
"""

import math
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, Literal

import msgspec

from core.errors import MalformedMessage
from core.events import CancelAnswered, OrderAnswered, Refusal
from core.units import Shares
from core.venue.gateway import HeartbeatAnswer, ModeSign, RateSign
from core.venue.lenient import micro_of, text_of
from core.venue.wire import UNREADABLE
from core.views import VenueMode

_REFUSING: Final = frozenset({400, 401, 403, 404})
"""Statuses that refuse when the body is the venue's own; everything else leaves the outcome open."""
_TAKEN_ALREADY: Final = "duplicated"
"""The same signed order came before: evidence that the venue has it, whatever the status says."""
_WORDS: Final[tuple[tuple[str, Refusal], ...]] = (
    ("crosses book", "crossed"),
    ("no orders found to match with fak order", "missed"),
    ("not enough balance / allowance", "balance"),
    ("breaks minimum tick size rule", "grid"),
    ("lower than the minimum", "grid"),
    ("max accuracy", "grid"),
    ("invalid amount for a marketable", "grid"),
    ("market not found", "market"),
    ("no orderbook exists", "market"),
    ("invalid token id", "market"),
    ("invalid signature", "market"),  # mostly the wrong exchange for this market (polymarket-api.md 10.4)
    ("closed only mode", "closed_only"),
    ("address banned", "account"),
    ("maker address not allowed", "configuration"),
    ("invalid order payload", "configuration"),
    ("has to be the owner of the api key", "configuration"),
    ("has to be the address of the api key", "configuration"),
    ("invalid order version", "configuration"),
    ("order_version_mismatch", "configuration"),
    ("unauthorized/invalid api key", "configuration"),
    ("invalid l1 request headers", "configuration"),
    ("not yet ready to process new orders", "not_ready"),
    ("order match delayed due to market conditions", "not_ready"),
    ("post-only mode", "not_ready"),
    ("invalid post-only order", "other"),
    ("invalid expiration", "other"),
    ("canceled in the ctf exchange contract", "other"),
    ("too many orders in payload", "other"),
)
"""Parts of the venue's refusals, lower case, and what they are about (polymarket-api.md 2.4, 10.4)."""
_GONE: Final = re.compile(r"\b(already cancell?ed|matched|filled|not found|can't be found|expired)\b", re.IGNORECASE)
"""Why an order could not be cancelled: words that say it is no longer open (polymarket-api.md 4.2)."""
_LEG_STATUSES: Final[dict[str, Literal["live", "matched", "delayed"]]] = {
    "live": "live",
    "unmatched": "live",
    "matched": "matched",
    "delayed": "delayed",
}
"""``unmatched`` rests: its taker delay ended without a match (polymarket-api.md 4.2)."""
_ORDER_ID: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_REMAINING: Final = "poly-ratelimit-remaining"
_RESET: Final = "poly-ratelimit-reset"
_TIER: Final = "poly-ratelimit-tier"
_WARNING: Final = "poly-ratelimit-warning"
_RETRY: Final = "retry-after"
HEADERS: Final = frozenset({_REMAINING, _RESET, _TIER, _WARNING, _RETRY})
"""Headers that are read, lower case (polymarket-api.md 10.2)."""
_MOST_RETRY_S: Final = 3_600.0
"""Longer waits are not believed."""
_MOST_NUMBER: Final = 1e12
"""Larger numbers in headers are none."""
_MOST_DETAIL: Final = 200
"""Characters of foreign text kept: a reason fits, a page of HTML does not."""
_RESTARTING: Final = 425
_TOO_FAST: Final = 429

Bucket = Literal["orders", "cancels"]


class Answer(msgspec.Struct, frozen=True):
    """One answer of the venue as it came, before anybody's parser; or that none came."""

    status: int
    """0 when none came."""
    body: bytes = b""
    headers: Mapping[str, str] = {}
    """Those of :data:`HEADERS` that came, names in lower case."""
    lost: str = ""
    """Why none came: a name of ours, never foreign text, because errors of HTTP clients may quote headers."""
    unsent: bool = False
    """None came because we held the request back: it was not carried out for certain."""


def placements(answer: Answer, order_ids: Mapping[int, str], crossing: Set[int] = frozenset()) -> list[OrderAnswered]:
    """What became of each order of one POST /orders.

    Args:
        answer: as it came.
        order_ids: by intent, in the order sent; lower case, as computed before sending.
        crossing: intents of those that cross and never rest (FAK), all of them sales.

    Returns:
        One answer for each, in the same order.
    """
    legs = _json(answer)
    if answer.status == 200 and isinstance(legs, list):
        told = _legs_by_order(legs, list(order_ids.values()))
        return [
            _placement(intent, told.get(order_id), crosses=intent in crossing) for intent, order_id in order_ids.items()
        ]
    retry_s = _retry_s(answer) or 0.0
    refusal = _refusal_of_all(answer)
    outcome: Literal["refused", "unknown", "denied"] = (
        "denied" if answer.unsent else "refused" if refusal else "unknown"
    )
    detail = answer.lost if answer.unsent else in_words(answer)
    return [
        OrderAnswered(intent=intent, outcome=outcome, detail=detail, refusal=refusal, retry_s=retry_s)
        for intent in order_ids
    ]


def cancellations(answer: Answer, asked: Sequence[str]) -> list[CancelAnswered]:
    """What became of each order that was to be cancelled by its id."""
    told = told_cancels(answer)
    if told is None:
        outcome: Literal["refused", "unknown"] = "refused" if _refusal_of_all(answer) else "unknown"
        return [CancelAnswered(order_id=order, outcome=outcome, detail=in_words(answer)) for order in asked]
    by_id = {each.order_id.lower(): each for each in told}
    missing = "the answer does not name it"
    return [
        msgspec.structs.replace(by_id[order.lower()], order_id=order)
        if order.lower() in by_id
        else CancelAnswered(order_id=order, outcome="unknown", detail=missing)
        for order in asked
    ]


def told_cancels(answer: Answer) -> list[CancelAnswered] | None:
    """Every order that an answer to a cancel names; None when it is no such answer."""
    body = _json(answer)
    if answer.status != 200 or not isinstance(body, dict):
        return None
    done, failed = body.get("canceled"), body.get("not_canceled") or {}
    if not isinstance(done, list) or not isinstance(failed, dict):
        return None
    if not all(isinstance(order, str) for order in done):
        return None
    both = {order.lower() for order in done} & {order.lower() for order in failed}
    told = [CancelAnswered(order_id=order, outcome="cancelled") for order in done if order.lower() not in both]
    for order, reason in failed.items():
        text = in_a_line(str(reason))
        if order.lower() in both:
            told.append(CancelAnswered(order_id=order, outcome="unknown", detail=f"cancelled and not: {text}"))
        else:
            told.append(
                CancelAnswered(order_id=order, outcome="gone" if _GONE.search(text) else "refused", detail=text)
            )
    return told


def is_refused(answer: Answer) -> bool:
    """The venue definitively did not carry the request out."""
    return _refusal_of_all(answer) != ""


def heartbeat(answer: Answer) -> HeartbeatAnswer:
    """What an answer to POST /v1/heartbeats says (polymarket-api.md 4.3)."""
    body = _json(answer)
    if isinstance(body, dict) and isinstance(body.get("heartbeat_id"), str):
        beat = body["heartbeat_id"]
        if answer.status == 200 and beat:
            return HeartbeatAnswer(status="ok", heartbeat_id=beat)
        if answer.status == 400 and "invalid heartbeat id" in _reason(body).lower():
            return HeartbeatAnswer(status="mismatch", heartbeat_id=beat, detail=in_words(answer))
    return HeartbeatAnswer(status="failed", detail=in_words(answer))


def mode_sign(answer: Answer) -> ModeSign | None:
    """What a refusal of service says about the venue's mode, to a write or to a read (polymarket-api.md 10.3)."""
    mode = _mode(answer)
    return mode and ModeSign(mode=mode, retry_after_s=_retry_s(answer), detail=in_words(answer))


def _mode(answer: Answer) -> VenueMode | None:
    if answer.status == _RESTARTING:
        return "RESTARTING"
    body = _json(answer) if answer.status == 503 else None
    if not isinstance(body, dict):
        return None
    if body.get("code") == "post_only_mode":
        return "POST_ONLY"
    text = _reason(body).lower()
    return "CANCEL_ONLY" if "cancel-only" in text else "DISABLED" if "disabled" in text else None


def success_sign(bucket: Bucket) -> ModeSign:
    """What a write that was carried out proves: at least so much is possible.

    Nearly all our orders are post-only, so a placement cannot tell post-only mode from none.
    """
    return ModeSign(mode="POST_ONLY" if bucket == "orders" else "CANCEL_ONLY", at_least=True)


def rate_sign(answer: Answer, bucket: Bucket) -> RateSign | None:
    """The signer's bucket by the headers of an answer to a write; None without them (polymarket-api.md 10.2)."""
    if not _has_signer_headers(answer):
        return None
    remaining = _number(answer.headers.get(_REMAINING, ""))
    reset = _number(answer.headers.get(_RESET, ""))
    if remaining is None and answer.status != _TOO_FAST:
        return None
    return RateSign(
        bucket=bucket,
        remaining=math.floor(remaining or 0),
        reset_unix=reset or 0.0,
        tier=in_a_line(answer.headers.get(_TIER, "")),
        refused=answer.status == _TOO_FAST,
        warned=answer.headers.get(_WARNING, "").lower() == "true",
        retry_after_s=_retry_s(answer),
    )


def refusal_of(text: str) -> Refusal:
    """What a refusal is about by the venue's words; "" when they are not words that refuse."""
    words = text.lower()
    if _TAKEN_ALREADY in words:
        return ""
    return next((refusal for part, refusal in _WORDS if part in words), "")


class _Leg(msgspec.Struct):
    """One leg of an answer to POST /orders, read leniently (polymarket-api.md 4.2)."""

    order_id: str = ""
    """Lower case; from ``orderID``, or named in the words of a refusal."""
    is_given: bool = False
    """The id comes from ``orderID``: the venue has the order, or contradicts itself."""
    status: str = ""
    reason: str = ""
    success: bool = True
    making: str = ""
    """What the order gave at once, as told: shares of a sale."""


def _legs_by_order(legs: list[Any], order_ids: list[str]) -> dict[str, _Leg]:
    """The leg of each order. A leg's id tells, never its place.

    A refused leg has no id. It is taken for the order at its place, but only when nothing is missing and every leg
    with an id stands where its order does.
    """
    read = [_leg(raw) for raw in legs]
    named = [(position, leg) for position, leg in enumerate(read) if leg.order_id]
    ids = [leg.order_id for _, leg in named]
    told = {leg.order_id: leg for _, leg in named if ids.count(leg.order_id) == 1}
    in_place = all(position < len(order_ids) and order_ids[position] == leg.order_id for position, leg in named)
    if in_place and len(read) == len(order_ids):
        told |= {order_ids[position]: leg for position, leg in enumerate(read) if not leg.order_id}
    return told


def _leg(raw: Any) -> _Leg:
    if not isinstance(raw, dict):
        return _Leg(success=False)
    reason = raw.get("errorMsg") or raw.get("error") or ""
    reason = in_a_line(reason) if isinstance(reason, str) else "a reason that is no text"
    given, status = raw.get("orderID"), raw.get("status")
    is_given = isinstance(given, str) and given != ""
    found = _ORDER_ID.search(reason)
    return _Leg(
        order_id=str(given).lower() if is_given else found[0].lower() if found else "",
        is_given=is_given,
        status=status.lower() if isinstance(status, str) else "",
        reason=reason,
        success=raw.get("success", True) is True,
        making=text_of(raw.get("makingAmount")),
    )


def _placement(intent: int, leg: _Leg | None, *, crosses: bool = False) -> OrderAnswered:
    if leg is None:
        return OrderAnswered(intent=intent, outcome="unknown", detail="no leg of the answer names the order")
    if leg.reason:
        refusal: Refusal = "" if leg.is_given or leg.status else refusal_of(leg.reason)
        outcome: Literal["refused", "unknown"] = "refused" if refusal else "unknown"
        return OrderAnswered(intent=intent, outcome=outcome, detail=leg.reason, refusal=refusal)
    outcome_told = _LEG_STATUSES.get(leg.status)
    if leg.success and leg.is_given and outcome_told and not (crosses and outcome_told == "live"):
        matched = _shares(leg.making) if crosses and outcome_told == "matched" else None
        return OrderAnswered(intent=intent, outcome=outcome_told, matched=matched)
    detail = f"status {in_a_line(leg.status)!r}" if leg.status else "neither an id nor a reason"
    return OrderAnswered(intent=intent, outcome="unknown", detail=detail)


def _shares(text: str) -> Shares | None:
    """A size of an answer; None when it tells none."""
    try:
        return Shares(micro_of(text)) if text else None
    except MalformedMessage:
        return None


def _refusal_of_all(answer: Answer) -> Refusal:
    """What an answer refuses a whole request for; "" when it does not, or not for certain."""
    if answer.status == _TOO_FAST:
        return "rate" if _has_signer_headers(answer) else ""
    body = _json(answer)
    if not isinstance(body, dict):
        return ""
    said_no = answer.status in _REFUSING or (answer.status == 200 and body.get("success") is False)
    return refusal_of(_reason(body)) if said_no else ""


def _has_signer_headers(answer: Answer) -> bool:
    return _REMAINING in answer.headers or _RESET in answer.headers


def _json(answer: Answer) -> Any:
    """The body as JSON; None when it is something else."""
    try:
        return msgspec.json.decode(answer.body)
    except UNREADABLE:
        return None


def _reason(body: dict[str, Any]) -> str:
    """The text of an error object under any of the names the venue uses."""
    texts = (body.get(name) for name in ("error", "error_msg", "errorMsg"))
    return next((text for text in texts if isinstance(text, str) and text), "")


def in_words(answer: Answer) -> str:
    """What came, short enough for a line."""
    if answer.status == 0:
        return f"no answer: {answer.lost}"
    body = _json(answer)
    reason = _reason(body) if isinstance(body, dict) else "" if body is not None else "not JSON"
    return f"status {answer.status}: {in_a_line(reason)}" if reason else f"status {answer.status}"


def in_a_line(text: str) -> str:
    """Foreign text for a line: printable and not long."""
    return "".join(char if char.isprintable() else " " for char in text[:_MOST_DETAIL])


def _retry_s(answer: Answer) -> float | None:
    """How long the venue asks to wait: header ``Retry-After`` in seconds, or the field ``retry_after_seconds``."""
    told = _number(answer.headers.get(_RETRY, ""))
    if told is None:
        body = _json(answer)
        told = _number(str(body.get("retry_after_seconds", ""))) if isinstance(body, dict) else None
    return told if told is not None and 0 <= told <= _MOST_RETRY_S else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _MOST_NUMBER else None
