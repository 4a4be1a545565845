"""What the venue's mode lets through, and how its refusals look on the wire (polymarket-api.md 10.3)."""

from starlette.responses import Response

from core.exchange import refusals
from core.exchange.api.host import answer, refused
from core.exchange.exchange import Exchange
from core.exchange.lifecycle import MODE_REFUSALS


def halted(exchange: Exchange, *, cancelling: bool) -> Response | None:
    """Why the present mode takes no order at all, or with ``cancelling`` no cancel; None when it does."""
    mode = exchange.mode
    passes = mode.cancels if cancelling else not mode.refusal(post_only=True)
    return None if passes else refused(MODE_REFUSALS[mode.state])


def post_only_refusal(exchange: Exchange) -> Response:
    """The answer to an order that is not post-only in the first minutes after a restart."""
    wait_s = exchange.mode.retry_after_s(exchange.now_ms)
    body = {"error": refusals.POST_ONLY_MODE, "code": "post_only_mode", "retry_after_seconds": wait_s}
    response = answer(body, refusals.status_of(refusals.POST_ONLY_MODE))
    response.headers["Retry-After"] = str(wait_s)
    return response
