"""What the venue's mode lets through, and how its refusals look on the wire (polymarket-api.md 10.3)."""

from collections.abc import Callable
from typing import ParamSpec

from starlette.responses import Response

from core.exchange import refusals
from core.exchange.api.host import answer, refused
from core.exchange.exchange import Exchange
from core.exchange.lifecycle import MODE_REFUSALS

P = ParamSpec("P")


def unless_restarting(exchange: Exchange, handler: Callable[P, Response]) -> Callable[P, Response]:
    """Wrap the handler of a trading or private route: while the venue restarts every one of them answers 425."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        if exchange.mode.state == "restarting":
            return refused(refusals.RESTARTING)
        return handler(*args, **kwargs)

    return guarded


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
