"""Has many looks done side by side: each with a deadline, each after those that it needs, all of them within a bound.

One that fails costs only those that need what it would have found: they say so, and add no cause of their own.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec

from core.clock import Clock
from core.errors import PolymmError
from core.preflight.check import Check, fail, failed_with, skipped, tidied

USUAL_SEC: Final = 10.0
"""Longest that a look may take, unless it says otherwise."""

T = TypeVar("T")


class Look(msgspec.Struct, frozen=True):
    """One thing to look at."""

    name: str
    look: Callable[[], Awaitable[Check]]
    """May raise the errors of this program, which fail it."""
    needs: tuple[str, ...] = ()
    """Looks that must not have failed, nor been skipped."""
    after: tuple[str, ...] = ()
    """Looks whose findings it uses if there are any."""
    deadline_s: float = USUAL_SEC


async def looked(looks: Sequence[Look], clock: Clock, clean: Callable[[str], str], most_s: float) -> tuple[Check, ...]:
    """Do them all; what needs nothing begins at once.

    Args:
        looks: names are unique, and each names only earlier ones.
        clock: measures.
        clean: takes secrets out of what they say.
        most_s: longest that the whole may take, seconds: what is not done then has failed.

    Returns:
        What each of them says, in their order.
    """
    end_s = clock.monotonic() + most_s
    tasks: dict[str, asyncio.Task[Check]] = {}
    for look in looks:
        work = _one(look, dict(tasks), clock, clean, end_s)
        tasks[look.name] = asyncio.create_task(work, name=f"look at {look.name}")
    try:
        return tuple(await asyncio.gather(*tasks.values()))
    finally:
        for task in tasks.values():
            task.cancel()


async def _one(
    look: Look, others: dict[str, asyncio.Task[Check]], clock: Clock, clean: Callable[[str], str], end_s: float
) -> Check:
    for name in (*look.needs, *look.after):
        found = await others[name]
        if name in look.needs and found.level == "fail":
            return skipped(look.name, name)
        if name in look.needs and found.level == "skipped":
            return msgspec.structs.replace(found, name=look.name)  # the same root, however far away
    began_s = clock.monotonic()
    within_s = max(0.0, min(look.deadline_s, end_s - began_s))
    try:
        async with asyncio.timeout(within_s):
            check = await look.look()
    except TimeoutError:
        check = fail(
            look.name, f"nothing was found out within {within_s:.0f} s", "look at what it waits for, and again"
        )
    except PolymmError as error:
        check = failed_with(look.name, error)
    except Exception as error:  # noqa: BLE001 - a look that breaks must not hide what the others find
        check = fail(look.name, f"internal error: {type(error).__name__}: {error}", "please report it", 15)
    return tidied(check, clean, clock.monotonic() - began_s)


async def in_thread(work: Callable[[], T]) -> T:
    """Do what may block in a thread that nobody waits for: one that hangs keeps no program from its end.

    Raises:
        Exception: whatever ``work`` raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - it is raised where it is waited for
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="look", daemon=True).start()
    return await done
