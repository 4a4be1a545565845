"""What the doctor says in a terminal and to programs: 80 cells, no foreign character that steers, one line of JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.config import Effective, load
from core.errors import ConfigError, CredentialError, InstanceError, PolymmError, PreflightError, StoreError
from core.preflight.check import Check, Health, fail, ok, skipped, warn
from core.preflight.rounds import Round
from polymm_tui import doctoring
from polymm_tui.cli import main
from polymm_tui.doctoring import WIDTH, health_json, health_lines, look_before_live, run_doctor

HOSTILE = 'Will \x1b]0;owned\x07 [red]it[/] \u202eti\u202c\r\n=HYPERLINK("x") 你好 ' + "0x" + "ab" * 60


def health(*checks: Check) -> Health:
    return Health("live", checks, 1_790_000_000.0, 1.25)


@given(text=st.text(max_size=300), name=st.sampled_from(["clob", "market-channel"]))
def test_whatever_is_said_fits_and_steers_nothing(text: str, name: str) -> None:
    """A market's title or a stranger's error gets into these lines (reliability.md 5, 21)."""
    checks = [
        fail(name, text, text, details=[text] * 20), warn(name, text, text), ok(name, text), skipped(name, text or "x"),
    ]  # fmt: skip
    for line in health_lines(health(*checks)):
        assert cell_len(line) <= WIDTH
        assert all(char.isprintable() for char in line)


def test_the_table_says_level_name_cause_and_step() -> None:
    lines = health_lines(
        health(
            ok("clob", "answers"),
            warn("disk", "0.9 GiB free", "make room"),
            fail("geoblock", "closed to you", "trade elsewhere", details=["one more"]),
            skipped("clock", "clob"),
        )
    )
    assert lines == [
        "polymm-tui doctor, live mode, 2026-09-21 14:13:20 UTC",
        "",
        "ok    clob            answers",
        "warn  disk            0.9 GiB free",
        "                      > make room",
        "FAIL  geoblock        closed to you",
        "                      . one more",
        "                      > trade elsewhere",
        "-     clock           not checked: clob failed",
        "",
        "4 checks in 1.2 s: 1 failed, 1 to look at, 1 not checked",
    ]


def test_a_long_list_of_details_is_cut_for_people_only() -> None:
    told = health(warn("markets", "many", "look", details=tuple(f"row {n}" for n in range(20))))
    assert "and 12 more: see --json" in "\n".join(health_lines(told))
    assert len(json.loads(health_json(told))["checks"][0]["details"]) == 20


def test_programs_get_one_line_of_ascii() -> None:
    """Names, levels, causes, steps and codes; hostile text cleaned there too."""
    text = health_json(health(fail("list", HOSTILE, HOSTILE, 3, [HOSTILE])))
    assert text.isascii() and "\n" not in text
    told = json.loads(text)
    assert (told["mode"], told["exit_code"], told["seconds"]) == ("live", 3, 1.25)
    (check,) = told["checks"]
    assert set(check) == {"name", "level", "cause", "next_step", "details", "exit_code", "seconds"}
    assert "\x1b" not in check["cause"] and "\u202e" not in check["cause"]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put another finding in the place of a round."""

    def put(*checks: Check) -> None:
        async def done(self: Round) -> Health:
            return health(*checks)

        monkeypatch.setattr(Round, "done", done)

    return put


Found = Callable[..., None]


def live(tmp_path: Path) -> Effective:
    return load(None, {"POLYMM_STATE_DIR": str(tmp_path)}, {"mode": "live"})


def test_a_start_that_is_well_says_its_warnings_and_goes_on(
    found: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found(ok("clob", "answers"), warn("disk", "little room", "make some"))
    assert look_before_live(live(tmp_path), (), as_json=True) == ("disk: little room; make some",)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "polymm-tui: disk: little room; make some", "polymm-tui: 2 checks in 1.2 s: 1 to look at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2, ConfigError),
        (3, PreflightError),
        (4, InstanceError),
        (5, StoreError),
        (13, CredentialError),
        (15, PolymmError),
    ],
)
def test_a_failure_refuses_the_start_with_its_line_and_its_code(
    found: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: int, kind: type[PolymmError]
) -> None:
    found(fail("geoblock", "closed to you", "go elsewhere", code), fail("version", "another", "update"))
    with pytest.raises(kind, match=r"not started: geoblock: closed to you; go elsewhere \(1 more above\)") as raised:
        look_before_live(live(tmp_path), (), as_json=True)
    assert raised.value.exit_code == code
    told = capsys.readouterr()
    assert told.err.splitlines() == ["polymm-tui: version: another; update"]
    assert json.loads(told.out)["exit_reason"] == "not started: closed to you"


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_ends_with_the_code_of_the_first_failure(
    found: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    found(warn("a", "", ""), fail("key", "none", "set it", 13))
    assert run_doctor(live(tmp_path), "live", (), as_json=as_json) == 13
    out = capsys.readouterr().out
    assert (json.loads(out)["exit_code"] == 13) if as_json else "FAIL  key" in out


def test_settings_that_cannot_be_read_are_the_first_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not need them is looked at all the same; the code is that of a mistake in the settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "c.toml"
    path.write_text("hard_cap_delta_pc = 0.03\n")
    assert main(["doctor", "--config", str(path), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    levels = {check["name"]: check["level"] for check in told["checks"]}
    assert levels["settings"] == "fail" and levels["signing"] in ("ok", "warn")
    first = told["checks"][0]
    assert "unknown setting 'hard_cap_delta_pc'" in first["cause"] and "hard_cap_delta_pct" in first["next_step"]
    assert {check["cause"] for check in told["checks"] if check["level"] == "skipped"} == {
        "not checked: settings failed"
    }


@pytest.mark.parametrize("flags", [["--duration", "3"], ["--seed", "3"], ["--no-ui"]])
def test_flags_of_a_session_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*flags, "doctor"]) == 2
    assert "not a flag of `doctor`" in capsys.readouterr().err


def test_every_level_has_a_sign() -> None:
    assert set(doctoring._SIGNS) == {"ok", "warn", "fail", "skipped"}
