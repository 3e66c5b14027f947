"""Files and folders whole or absent."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from pix2pix.core.atomic_files import atomic_dir, atomic_file, temporary_path, write_text_atomic

KILLED_WRITE = """
import os, sys
from pathlib import Path
from pix2pix.core.atomic_files import atomic_dir

with atomic_dir(Path(sys.argv[1])) as part:
    (part / "new_1").touch()
    (part / "new_2").touch()
    changes = iter(range(int(sys.argv[2])))
    def end_process(event, args):
        if event in {"os.rename", "os.remove", "os.rmdir"} and next(changes, None) is None:
            os._exit(9)
    sys.addaudithook(end_process)
"""
"""Writes a folder, and ends without any clean-up before the n-th change that it makes to the names on the disk."""


def test_a_write_that_fails_leaves_the_former_file(tmp_path):
    write_text_atomic(tmp_path / "a.txt", "first")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomic(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_takes_its_place_only_when_it_is_written(tmp_path):
    place = tmp_path / "new" / "a.bin"
    with atomic_file(place) as part:
        part.write_bytes(b"half")
        assert not place.exists()
    assert place.read_bytes() == b"half"
    assert list(place.parent.iterdir()) == [place]


def test_a_folder_takes_the_place_of_the_one_before_with_nothing_of_it(tmp_path):
    place, left = tmp_path / "page", tmp_path / ".page.part"
    for folder, name in ((place, "old"), (left, "of_a_killed_process")):
        folder.mkdir()
        (folder / name).touch()
    with atomic_dir(place) as part:
        (part / "new").touch()
        assert (place / "old").exists()
    assert [file.name for file in place.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_that_breaks_off_leaves_the_one_before(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "old").touch()

    def build() -> None:
        with atomic_dir(tmp_path / "page"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["page", "page/old"]


def files(folder):
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()


def test_a_folder_whose_writer_is_killed_is_the_old_one_or_the_new_one(tmp_path):
    old, new, codes = {"old_1", "old_2"}, {"new_1", "new_2"}, []
    while 0 not in codes:  # one process for every place at which it can be killed
        place = tmp_path / f"{len(codes)}" / "page"
        place.mkdir(parents=True)
        for name in old:
            (place / name).touch()
        words = [sys.executable, "-c", KILLED_WRITE, str(place), str(len(codes))]
        codes.append(subprocess.run(words, check=False).returncode)
        found = files(place)
        assert found in (old, new, set())
        with pytest.raises(KeyError), atomic_dir(place):
            raise KeyError
        assert files(place) == (found or old)
        assert files(place.parent) == {"page"}
    # Two renames, then two files and a folder are deleted.
    assert codes == [9] * 5 + [0]


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "x" * 251 + ".png"])
def test_a_file_may_have_the_longest_name_that_a_disk_takes(tmp_path, name):
    """The temporary one beside it is as short as the disk needs."""
    write_text_atomic(tmp_path / name, "first")
    write_text_atomic(tmp_path / name, "second")
    assert (tmp_path / name).read_text() == "second"
    assert files(tmp_path) == {name}


@pytest.mark.parametrize("write", [atomic_file, atomic_dir])
def test_a_full_disk_is_told_with_the_file(tmp_path, write):
    """For an open file Python's error names none."""
    with pytest.raises(OSError, match="No space left") as error, write(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "a")
    with pytest.raises(ConnectionError) as error, write(tmp_path / "a"):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert error.value.filename is None


def write_folder(place, name):
    with atomic_dir(place) as part:
        (part / name).touch()


def test_a_folder_is_written_by_one_process_at_a_time(tmp_path):
    """The second one would delete what the first has written, and each would put a part of it in place."""
    place = tmp_path / "page"
    with atomic_dir(place) as part:
        (part / "first").touch()
        with pytest.raises(OSError, match=r"page: another process is writing it\. Wait"):
            write_folder(place, "second")
    assert files(place) == {"first"}
    write_folder(place, "second")
    assert files(place) == {"second"}
    assert files(tmp_path) == {"page"}


def test_a_link_to_a_folder_stays_one(tmp_path):
    """Such as one to a larger disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for name in ("first", "second"):
        write_folder(tmp_path / "link", name)
        assert files(tmp_path / "disk") == {name}
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path) == {"link", "disk"}


@pytest.mark.parametrize("name", [".page.part", ".page.former.part"])
def test_nothing_is_written_through_a_link_that_has_a_temporary_name(tmp_path, name):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").touch()
    (tmp_path / name).symlink_to("other")
    for _ in range(2):
        write_folder(tmp_path / "page", "new")
    assert (files(tmp_path / "page"), files(tmp_path / "other")) == ({"new"}, {"kept"})
    assert files(tmp_path) == {"page", "other"}


def test_a_file_is_not_written_through_a_link_that_has_its_temporary_name(tmp_path):
    (tmp_path / "other").write_text("kept")
    temporary_path(tmp_path / "file").symlink_to(tmp_path / "other")
    write_text_atomic(tmp_path / "file", "new")
    assert (tmp_path / "other").read_text() == "kept"
    assert (tmp_path / "file").read_text() == "new"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("name", [".", "..", "a/.."])
def test_the_folder_of_the_command_is_not_replaced(tmp_path, monkeypatch, name):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Name another, as "):
        write_folder(Path(name), "new")
    assert files(tmp_path) == {"a"}
