"""Every seed of the fuzz targets keeps the targets' promises; so do inputs that once broke one."""

import pytest

from tests.fuzz.targets import TARGETS, dictionary

BROKE: dict[str, tuple[bytes, ...]] = {"lists": (b'market_id,yes_token_id,\t\t\t\t"a"e',)}
"""By target, as short as they could be made."""


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_keep_what_is_promised(name: str) -> None:
    """The fuzzers start where nothing is wrong."""
    seeds = list(TARGETS[name].seeds())
    assert len(seeds) > 5
    for seed in (*seeds, *BROKE.get(name, ())):
        TARGETS[name].take(seed)
        TARGETS[name].take(seed[: len(seed) // 2])


def test_the_dictionary_holds_words() -> None:
    """libFuzzer refuses an empty word."""
    assert all(dictionary())
