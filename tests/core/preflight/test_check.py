"""What a look says, and what a round of them comes to."""

import pytest

from core.errors import (
    ConfigError,
    CredentialError,
    InstanceError,
    ListError,
    PolymmError,
    PreflightError,
    VenueUnavailable,
)
from core.preflight.check import (
    MOST_DETAILS,
    MOST_TEXT,
    Check,
    Health,
    fail,
    failed_with,
    first_of,
    ok,
    skipped,
    tidied,
    warn,
)


def health(*checks: Check) -> Health:
    return Health("live", checks, 0.0, 1.0)


def test_warnings_and_what_was_not_checked_are_no_failure() -> None:
    """A program may go on after 0, so only a failure is another code."""
    assert health(ok("a", ""), warn("b", "", ""), skipped("c", "d")).exit_code == 0


def test_the_first_failure_gives_the_exit_code() -> None:
    """The one that is shown first is the one to be mended first."""
    key, other = fail("key", "", "", 13), fail("clob", "", "")
    assert health(ok("a", ""), key, other).exit_code == 13
    assert health(ok("a", ""), other, key).exit_code == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("bad; mend it"), 2),
        (InstanceError("bad; mend it"), 4),
        (CredentialError("bad; mend it"), 13),
        (PreflightError("bad; mend it"), 3),
        (ListError("bad; mend it"), 3),
        (VenueUnavailable("bad; mend it"), 3),
    ],
)
def test_an_error_of_ours_is_a_cause_and_a_step(error: PolymmError, code: int) -> None:
    """Their texts end with the remedy; and the exit codes are those of the error tree."""
    check = failed_with("a", error)
    assert (check.level, check.cause, check.next_step, check.exit_code) == ("fail", "bad", "mend it", code)


def test_the_last_semicolon_parts_cause_and_step() -> None:
    check = failed_with("a", PreflightError("one; two; mend it"))
    assert (check.cause, check.next_step) == ("one; two", "mend it")
    check = failed_with("a", PreflightError("one; /k.json is open: chmod 600 it"))
    assert (check.cause, check.next_step) == ("one; /k.json is open", "chmod 600 it")


def test_of_several_lines_the_first_says_how_many_more_there_are() -> None:
    assert first_of(["a"]) == "a"
    assert first_of(["a", "b", "c"]) == "a (and 2 more)"


def test_a_text_that_holds_its_remedy_elsewhere_has_a_step_too() -> None:
    """Nothing that fails is left without a word of what to do."""
    check = failed_with("a", PreflightError("bad"))
    assert check.cause == "bad" and check.next_step
    assert "environment" in failed_with("a", CredentialError("PK is no key")).next_step


def test_the_remedy_of_a_file_that_others_can_read_is_the_step() -> None:
    """Texts about modes end with the command, behind a colon."""
    check = failed_with("list", ListError("/k.json is open to other users (mode 640): chmod 600 it"))
    assert (check.cause, check.next_step) == ("/k.json is open to other users (mode 640)", "chmod 600 it")


def test_what_is_said_is_bounded_and_without_secrets() -> None:
    """A stranger's megabyte and a key in an error stay where they are."""
    long = "x" * 5_000 + "hunter2"
    check = tidied(fail("a", "hunter2" + long, long, details=[long] * 90), lambda t: t.replace("hunter2", "***"), 0.5)
    assert check.cause.startswith("***") and "hunter2" not in repr(check)
    assert max(map(len, (check.cause, check.next_step, *check.details))) <= MOST_TEXT
    assert len(check.details) == MOST_DETAILS + 1 and check.details[-1] == "and 50 more"
    assert check.seconds == 0.5
