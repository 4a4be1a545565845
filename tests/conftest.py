"""Every property test draws the same examples on every run; what was collected is no garbage."""

import gc

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.load_profile("fixed")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Modules and thousands of tests live until the end: spare the garbage collector going through them every time."""
    gc.collect()
    gc.freeze()
