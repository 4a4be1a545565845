"""What is installed is what was tested: the wheel's files and its command, and pins that pin."""

import configparser
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from polymm_tui import __version__
from tests.end_to_end.program import ROOT, environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from the tree as it is."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, the build back end, is not installed here")
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, env=environment(out), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    [built] = out.glob("*.whl")
    return zipfile.ZipFile(built)


def sources() -> set[str]:
    """Every module of the three packages."""
    return {
        str(path.relative_to(ROOT))
        for package in ("polymm_tui", "widgets", "core")
        for path in (ROOT / package).rglob("*.py")
    }


def test_the_wheel_holds_every_module_the_key_map_and_no_test(wheel: zipfile.ZipFile) -> None:
    """A forgotten file shows only on the user's machine."""
    names = set(wheel.namelist())
    assert names >= sources() and "polymm_tui/keymap.toml" in names
    assert wheel.read("polymm_tui/keymap.toml") == (ROOT / "keymap.toml").read_bytes()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"polymm_tui", "widgets", "core", f"polymm_tui-{__version__}.dist-info"}


def test_the_wheel_installs_the_command_and_states_its_needs(wheel: zipfile.ZipFile) -> None:
    """`polymm-tui` on the PATH, the version that `--version` tells, and every dependency."""
    info = f"polymm_tui-{__version__}.dist-info"
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    assert scripts["console_scripts"]["polymm-tui"] == "polymm_tui.__main__:main"
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"Version: {__version__}\n" in metadata and "Requires-Python: >=3.11" in metadata
    for dependency in PROJECT["project"]["dependencies"]:
        assert f"Requires-Dist: {_name(dependency)}" in metadata


def test_the_installed_program_runs_from_any_directory(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked elsewhere, without the source tree: version, settings and key map are found."""
    wheel.extractall(tmp_path / "site")
    env = environment(tmp_path, PYTHONPATH=str(tmp_path / "site"))
    code = (
        "import polymm_tui.cli as c, polymm_tui.keymap as k\n"
        "assert c.main(['config', 'show', '--json']) == 0\nassert not k.load_keymap(None).messages\nprint(c.__file__)"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(str(tmp_path / "site"))


def test_every_constraint_is_one_exact_version() -> None:
    """Anything else would install something else tomorrow."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    names = [_name(line) for line in lines]
    assert len(set(names)) == len(names)


def test_every_dependency_is_pinned() -> None:
    """A dependency without a pin comes in the version of the day."""
    pinned = {_name(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    assert {_name(one) for one in wanted} <= pinned


def _name(requirement: str) -> str:
    """The normalised name at the start of a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()
