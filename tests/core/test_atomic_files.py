"""Files and folders whole or absent."""

import pytest

from pix2pix.core.atomic_files import atomic_dir, atomic_file, write_text_atomic


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
        part.mkdir()
        (part / "new").touch()
        assert (place / "old").exists()
    assert [file.name for file in place.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_that_breaks_off_leaves_the_one_before(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "old").touch()

    def build() -> None:
        with atomic_dir(tmp_path / "page") as part:
            part.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["page", "page/old"]
