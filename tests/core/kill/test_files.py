"""What a kill relies on is ours alone, or is refused before anything trades."""

import os
from pathlib import Path

import pytest

from core.errors import PreflightError
from core.kill.files import SIZE, mend, open_existing, open_private, publish, short

FIRST = b"x" * SIZE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "file"


def test_a_new_file_is_whole_and_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        handle = open_private(path, FIRST)
    finally:
        os.umask(before)
    assert os.fstat(handle).st_mode & 0o777 == 0o600 and os.pread(handle, SIZE + 1, 0) == FIRST
    assert [each.name for each in path.parent.iterdir()] == ["file"], "nothing is left of its making"
    assert not os.get_inheritable(handle)
    os.close(handle)


def test_what_is_there_stays(path: Path) -> None:
    """Two processes may make it at once: both work on the first one's."""
    os.close(open_private(path, FIRST))
    publish(path, b"y" * SIZE)
    handle = open_private(path, b"z" * SIZE)
    assert os.pread(handle, SIZE, 0) == FIRST
    os.close(handle)
    publish(path, b"y" * SIZE, replace=True)
    assert path.read_bytes() == b"y" * SIZE


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606, 0o777])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.write_bytes(FIRST)
    path.chmod(mode)
    with pytest.raises(PreflightError, match=r"file is open to other users \(mode .*chmod 600"):
        open_private(path, FIRST)


def test_links_directories_and_pipes_are_refused(path: Path) -> None:
    """Also a link that leads nowhere: nothing is made where it points to."""
    aim = path.with_name("aim")
    path.symlink_to(aim)
    with pytest.raises(PreflightError, match="no link"):
        open_private(path, FIRST)
    assert not aim.exists()
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(PreflightError):
        open_private(path, FIRST)
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(PreflightError, match="is no file"):
        open_private(path, FIRST)
    with pytest.raises(PreflightError, match="is no file"):
        open_existing(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    path.write_bytes(FIRST)
    path.chmod(0o600)
    os.chown(path, 65_534, 65_534)
    with pytest.raises(PreflightError, match="belongs to another user"):
        open_private(path, FIRST)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_directory_where_others_may_replace_it_is_refused(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    with pytest.raises(PreflightError, match="chmod 700"):
        open_private(path, FIRST)
    path.parent.chmod(0o755)
    os.close(open_private(path, FIRST))


def test_a_directory_that_is_missing_is_said(path: Path) -> None:
    with pytest.raises(PreflightError, match="No such file"):
        open_private(path / "deeper", FIRST)
    with pytest.raises(FileNotFoundError):
        open_existing(path)


def test_texts_for_a_line_are_printable_and_short() -> None:
    assert short("a\x1b[31m\n\ud800é" * 3, 9) == "a [31m  éa"[:9]


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o000])
def test_what_is_open_to_others_is_closed_to_them_and_keeps_its_content(path: Path, mode: int) -> None:
    """A copy or a restore left it so: whoever shares it goes on sharing it."""
    path.write_bytes(FIRST)
    number = path.stat().st_ino
    path.chmod(mode)
    path.parent.chmod(0o775)
    mend(path)
    handle = open_private(path, b"z" * SIZE)
    assert os.pread(handle, SIZE, 0) == FIRST and os.fstat(handle).st_ino == number
    os.close(handle)


def test_what_is_no_file_is_set_aside(path: Path) -> None:
    """A link is not followed, and nothing is lost."""
    aim = path.with_name("aim")
    aim.write_bytes(b"somebody else's")
    aim.chmod(0o644)
    for make in (lambda: path.symlink_to(aim), lambda: path.mkdir(), lambda: os.mkfifo(path)):
        make()
        mend(path)
        os.close(open_private(path, FIRST))
        path.unlink()
        aside = path.with_name("file.aside")
        assert os.path.lexists(aside)
        aside.rmdir() if aside.is_dir() else aside.unlink()
    assert aim.read_bytes() == b"somebody else's" and aim.stat().st_mode & 0o777 == 0o644


def test_there_may_be_nothing_to_mend(path: Path) -> None:
    mend(path)
    assert not path.exists()
