"""Many small requests without a burst: some at once, then a pause."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

PAUSE_S: Final = 0.2
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


async def paced(
    items: Sequence[_Item], ask: Callable[[_Item], Awaitable[_Answer]], at_once: int
) -> AsyncIterator[list[tuple[_Item, _Answer]]]:
    """Ask about items in groups of ``at_once``, at most five groups a second; whoever has enough stops iterating.

    Yields:
        Each group's items with their answers, in order.
    """
    for start in range(0, len(items), at_once):
        if start:
            await asyncio.sleep(PAUSE_S)
        group = items[start : start + at_once]
        yield list(zip(group, await asyncio.gather(*map(ask, group)), strict=True))
