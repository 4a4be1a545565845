"""What a program ends with: each exit code has one meaning, and none claims more than was seen."""

from typing import Any

import pytest

from core import errors
from core.runtime.ending import verdict

CALM: dict[str, Any] = {"killed": False, "verified": True, "open_orders": 0, "started": True}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, 0, "stopped (quit): zero open orders verified"),
        ({"verified": False, "open_orders": 3}, 11, "NOT verified, 3 orders may be open"),
        ({"verified": False}, 11, "NOT verified: the venue lists none"),
        ({"killed": True}, 10, "stopped (killed): zero open orders verified"),
        ({"killed": True, "verified": False, "open_orders": 1}, 11, "NOT verified, 1 orders"),
        ({"trouble": "YES is 5 short"}, 12, "our own books do not add up: YES is 5 short"),
        ({"trouble": "YES is 5 short", "verified": False}, 11, "NOT verified"),
        ({"trouble": "YES is 5 short", "killed": True}, 10, "killed"),
        ({"started": False}, 0, "not started: quit"),
        ({"started": False, "killed": True}, 11, "not started: killed"),
    ],
)
def test_how_it_ended_is_in_code_and_sentence(changes: dict[str, Any], code: int, words: str) -> None:
    """What was not verified is never called zero, whatever else happened."""
    told, _, sentence = verdict(None, "quit", **{**CALM, **changes})
    assert told == code and words in sentence


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.PreflightError, 3),
        (errors.InstanceError, 4),
        (errors.StoreError, 5),
        (errors.CredentialError, 13),
        (errors.VenueUnavailable, 3),
        (errors.InvariantBroken, 15),
        (errors.PolymmError, 15),
    ],
)
def test_an_error_ends_with_its_own_code(kind: type[errors.PolymmError], code: int) -> None:
    """Scripts and supervisors tell them apart; a failure of which nothing is known is internal."""
    told, reason, sentence = verdict(kind("detail"), "failure", **CALM)
    assert told == code == kind.exit_code and "detail" in reason and "zero open orders verified" in sentence
    assert verdict(kind("detail"), "failure", **{**CALM, "started": False})[0] == code
    assert verdict(ValueError("detail"), "failure", **CALM)[0] == 15
