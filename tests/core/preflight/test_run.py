"""Many looks side by side: deadlines, needs, roots of a failure, and threads that hang."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from core.errors import CredentialError, VenueUnavailable
from core.preflight.check import Check, fail, ok, warn
from core.preflight.run import Look, in_thread, looked

CLOCK = SystemClock()


async def round_of(*looks: Look, most_s: float = 10.0) -> dict[str, Check]:
    checks = await looked(looks, CLOCK, lambda text: text.replace("hunter2", "***"), most_s)
    assert [check.name for check in checks] == [look.name for look in looks]
    return {check.name: check for check in checks}


def says(check: Check) -> Look:
    async def look() -> Check:
        return check

    return Look(check.name, look)


async def never() -> Check:
    await asyncio.Event().wait()
    raise AssertionError


async def test_independent_looks_go_on_side_by_side() -> None:
    """Each waits for the other to have begun: one after the other they would never end."""
    begun = {"a": asyncio.Event(), "b": asyncio.Event()}

    def meeting(name: str, other: str) -> Look:
        async def look() -> Check:
            begun[name].set()
            await begun[other].wait()
            return ok(name, "met")

        return Look(name, look)

    told = await round_of(meeting("a", "b"), meeting("b", "a"))
    assert {check.cause for check in told.values()} == {"met"}


async def test_what_needs_a_failed_one_names_the_root() -> None:
    """However far away: one broken thing has one cause, and nobody mends its consequences."""
    b = Look("b", never, ("a",))
    c = Look("c", never, ("b",))
    told = await round_of(says(fail("a", "broken", "mend")), b, c)
    assert told["b"].cause == told["c"].cause == "not checked: a failed"
    assert told["b"].level == told["c"].level == "skipped" and told["c"].name == "c"


async def test_a_warning_holds_nobody_up_and_an_order_is_no_need() -> None:
    """What only uses a finding if there is one is looked at all the same."""

    def after(name: str, *, needs: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Look:
        return Look(name, says(ok(name, "looked at")).look, needs, after)

    told = await round_of(
        says(warn("a", "odd", "look")),
        says(fail("b", "broken", "mend")),
        after("c", needs=("a",)),
        after("d", after=("b",)),
    )
    assert told["c"].level == told["d"].level == "ok"


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, set[int], set[int]]]:
    """Looks by number: what each would say, and which earlier ones it needs or comes after."""
    made: list[tuple[str, set[int], set[int]]] = []
    for number in range(draw(st.integers(1, 12))):
        earlier = st.sets(st.integers(0, number - 1), max_size=3) if number else st.just(set[int]())
        made.append((draw(st.sampled_from(["ok", "warn", "fail", "raise"])), draw(earlier), draw(earlier)))
    return made


@given(graph=graphs())
def test_whatever_fails_every_look_says_something_true(graph: list[tuple[str, set[int], set[int]]]) -> None:
    """Nothing is lost or looked at twice; what was not looked at names one that failed, and all others were."""
    done: list[int] = []

    def look(number: int, says_: str) -> Look:
        async def act() -> Check:
            done.append(number)
            if says_ == "raise":
                raise VenueUnavailable("lost; look again")
            return {"ok": ok("x", ""), "warn": warn("x", "", ""), "fail": fail("x", "", "")}[says_]

        _, needs, after = graph[number]
        return Look(f"{number}", act, tuple(map(str, needs)), tuple(map(str, after)))

    looks = [look(number, says_) for number, (says_, _, _) in enumerate(graph)]
    checks = asyncio.run(looked(looks, CLOCK, str, 10.0))
    blocked: dict[int, bool] = {}
    for number, (says_, needs, _) in enumerate(graph):
        is_skipped = any(blocked[need] for need in needs)
        blocked[number] = is_skipped or says_ in ("fail", "raise")
        assert (checks[number].level == "skipped") == is_skipped == (number not in done)
        if is_skipped:
            root = int(checks[number].cause.removeprefix("not checked: ").removesuffix(" failed"))
            assert checks[root].level == "fail"
    assert len(done) == len(set(done))


async def test_a_look_that_hangs_fails_at_its_deadline_and_costs_no_other() -> None:
    told = await round_of(Look("a", never, deadline_s=0.01), says(ok("b", "fine")))
    assert told["a"].level == "fail" and "within 0 s" in told["a"].cause and told["a"].next_step
    assert told["b"].level == "ok"


async def test_the_whole_is_bounded() -> None:
    """Deadlines of looks that wait for each other add up; the sum has an end of its own."""
    async with asyncio.timeout(5):
        told = await round_of(Look("a", never, deadline_s=60), Look("b", never, (), ("a",), 60), most_s=0.05)
    assert {check.level for check in told.values()} == {"fail"}


async def test_our_errors_and_faults_of_ours_are_failures() -> None:
    """A look that breaks is told as what it is, without the secret in its text, and hides no other."""

    async def refused() -> Check:
        raise CredentialError("the venue refuses; check PK")

    async def broken() -> Check:
        raise ValueError("cannot use hunter2")

    async def lost() -> Check:
        raise VenueUnavailable("/time: ConnectError")

    told = await round_of(Look("a", refused), Look("b", broken), Look("c", lost))
    assert (told["a"].exit_code, told["a"].next_step) == (13, "check PK")
    assert told["b"].cause == "internal error: ValueError: cannot use ***" and told["b"].exit_code == 15
    assert told["c"].exit_code == 3


async def test_a_thread_that_hangs_is_not_waited_for() -> None:
    """A dead file system or name server keeps no program from its end."""
    release = threading.Event()

    async def look() -> Check:
        await in_thread(release.wait)
        raise AssertionError

    told = await round_of(Look("a", look, deadline_s=0.01))
    hanging = [thread for thread in threading.enumerate() if thread.name == "look"]
    release.set()
    assert told["a"].level == "fail" and hanging and all(thread.daemon for thread in hanging)


async def test_a_thread_hands_back_what_it_found_and_what_it_raised() -> None:
    assert await in_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
