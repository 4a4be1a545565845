"""Which loop the tests of a file run on."""

import asyncio
from collections.abc import Callable, Mapping

import pytest


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """``LOOP_FACTORY`` of the test's module, where it has one, makes its loops."""
    module = item.getparent(pytest.Module)
    assert module is not None
    return {"loop": getattr(module.obj, "LOOP_FACTORY", asyncio.new_event_loop)}
