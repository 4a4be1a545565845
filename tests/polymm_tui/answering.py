"""A session's control socket for tests of commands: served in a thread of its own, by whatever answers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.runtime.control_socket import Answers, ControlSocket
from core.runtime.places import Places


@contextmanager
def answering(places: Places, answers: Answers) -> Iterator[None]:
    """Requests to the session of these places are answered while this lasts."""
    up, over = threading.Event(), threading.Event()
    places.directory.mkdir(parents=True, exist_ok=True)

    async def serve() -> None:
        control = ControlSocket(places.control, answers, lambda text: text)
        await control.open()
        up.set()
        await asyncio.to_thread(over.wait)
        await control.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(10)
        yield
    finally:
        over.set()
        thread.join()
