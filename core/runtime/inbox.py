"""What waits for a task that does one thing at a time."""

import asyncio
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Inbox(Generic[Key, Item]):
    """Wishes of one lane, oldest first; the same wish waits once."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Item | None:
        """What waits under a key."""
        return self._items.get(key)

    def put(self, key: Key, item: Item) -> None:
        """Add, or replace what waits under the key where it stands."""
        self._items[key] = item
        self._filled.set()

    def take(self, most: int | None = None) -> dict[Key, Item]:
        """The oldest ``most``, or all; they wait no longer."""
        taken = dict(list(self._items.items())[:most])
        for key in taken:
            del self._items[key]
        if not self._items:
            self._filled.clear()
        return taken

    async def wait(self) -> None:
        """Return when something waits."""
        await self._filled.wait()
