"""Blocking calls that nobody has to wait for: one at a time, in a thread that ends with the process at the latest."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, Generic, TypeVar

import msgspec

from core.errors import ListError

_T = TypeVar("_T")
_R = TypeVar("_R")
AGAIN: Final = "it is tried again at the next refresh"


class _Failed(msgspec.Struct, frozen=True):
    """Why a call came to nothing, in words; never the exception, whose traceback holds what it worked with."""

    text: str


class Aside(Executor, Generic[_T]):
    """Carries out one blocking call at a time.

    A call that hangs keeps its thread, and the next one waits for it within its own deadline: there is never a second
    thread. The thread is a daemon, so that the end of the process waits for nothing.
    """

    def __init__(self, what: str) -> None:
        """``what`` it is that is called, for messages."""
        self._what = what
        self._turn = asyncio.Lock()
        self._under_way: Future[Any] | None = None
        """The call that has the thread, waited for or not."""

    async def call(self, work: Callable[[threading.Event], _T], deadline_s: float) -> _T:
        """Have ``work`` done, which is handed an event that is set once nobody waits for it any more.

        Raises:
            ListError: it failed or was not done in time; its text is all that is left of what was raised.
        """
        given_up = threading.Event()
        is_waiting = True
        try:
            async with asyncio.timeout(deadline_s), self._turn:
                if self._under_way is not None:
                    await _end_of(asyncio.wrap_future(self._under_way))
                is_waiting = False
                try:
                    call = asyncio.get_running_loop().run_in_executor(self, _outcome, work, given_up, self._what)
                except RuntimeError:
                    raise ListError(f"{self._what}: the machine has no thread for it; {AGAIN}") from None
                outcome = await _end_of(call)
        except TimeoutError:
            if is_waiting:
                raise ListError(f"{self._what}: the reading before this one still hangs; {AGAIN}") from None
            raise ListError(f"{self._what}: nothing came within {deadline_s:g} s; {AGAIN}") from None
        finally:
            given_up.set()
        if isinstance(outcome, _Failed):
            raise ListError(outcome.text)
        return outcome

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a thread of its own for a call; what an event loop asks of an executor."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
                future.set_exception(error)

        future.set_running_or_notify_cancel()
        threading.Thread(target=run, name="market list", daemon=True).start()
        self._under_way = future
        return future


async def _end_of(call: "asyncio.Future[_R]") -> _R:
    """What came of a call. Who gives up waiting lets go of it, so that nothing is told to a loop that has ended."""
    try:
        await asyncio.wait([call])
        return call.result()
    finally:
        call.cancel()


def _outcome(work: Callable[[threading.Event], _T], given_up: threading.Event, what: str) -> _T | _Failed:
    try:
        return work(given_up)
    except ListError as error:
        return _Failed(str(error))
    except BaseException as error:  # noqa: BLE001 - told by its kind alone; its traceback may hold a key
        return _Failed(f"{what}: reading it failed ({type(error).__name__}); please report this")
