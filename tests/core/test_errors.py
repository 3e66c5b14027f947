"""Errors that end a command: one sentence with the file and the remedy, no traceback."""

import errno

import pytest

from pix2pix.core.errors import exit_with_message


def test_an_error_of_the_system_begins_with_the_file_and_ends_with_the_remedy():
    with pytest.raises(SystemExit) as end, exit_with_message():
        raise OSError(errno.EROFS, "Read-only file system", "runs/a/evaluation")
    assert "runs/a/evaluation: Read-only file system. Nothing can be written there: name another" in str(end.value)
    assert "Errno" not in str(end.value)


def test_an_error_of_a_real_file_is_told_the_same_way(tmp_path):
    (tmp_path / "round").symlink_to("round")
    with (
        pytest.raises(SystemExit, match=r"round: .*\. Links lead to each other in a circle there"),
        exit_with_message(),
    ):
        (tmp_path / "round").open()


@pytest.mark.parametrize("error", [OSError("runs/a: holds files but no run."), ValueError("runs/a: holds no run.")])
def test_an_error_with_a_sentence_of_its_own_keeps_it(error):
    with pytest.raises(SystemExit) as end, exit_with_message():
        raise error
    assert str(end.value).endswith(str(error))
