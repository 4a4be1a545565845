"""Serving one HTTP request under the director's plan."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.exchange.faults.connection import Lost
from core.exchange.faults.director import Director
from core.exchange.faults.requests import Asked, Plan, Reply

OWN: Final = "/_exchange/"
"""Paths that no fault touches."""


async def serve_directed(
    director: Director,
    request: Request,
    body: bytes,
    serve: Callable[[], Response],
    catch_up: Callable[[], None],
    pause: Callable[[int], Awaitable[None]],
) -> Response:
    """Answer a request the way the director wants.

    Args:
        director: armed.
        request: as it came in.
        body: its body.
        serve: does what the request asks, in one go.
        catch_up: brings the exchange to the present and sends what became due.
        pause: waits for so many milliseconds of exchange time.
    """
    catch_up()
    asked = Asked(request.method, request.url.path, request.query_params, request.headers, body)
    plan = Plan() if asked.path.startswith(OWN) else director.request(asked)
    if plan.wait_before_ms:
        await pause(plan.wait_before_ms)
    if plan.lost == "before":
        return Lost(cut=plan.cut)
    response = _response(plan.reply) if plan.reply is not None else _served(plan, serve)
    catch_up()
    if plan.wait_after_ms:
        await pause(plan.wait_after_ms)
    return Lost(cut=plan.cut) if plan.lost == "after" else response


def _served(plan: Plan, serve: Callable[[], Response]) -> Response:
    for act in plan.first:
        act()
    with ExitStack() as stack:
        for different in plan.around:
            stack.enter_context(different)
        response = serve()
    for edit in plan.edits:
        if response.status_code != 200:
            break
        edited = edit(bytes(response.body))
        response = _response(edited) if isinstance(edited, Reply) else _with_body(response, edited)
    return response


def _response(reply: Reply) -> Response:
    return Response(reply.body, status_code=reply.status, headers=reply.headers, media_type=reply.media_type)


def _with_body(response: Response, body: bytes) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, status_code=response.status_code, headers=headers)
