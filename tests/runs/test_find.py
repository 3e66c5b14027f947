"""Runs are found by the paths that a user or a shell writes."""

import pytest

from pix2pix.runs.find import find_runs


@pytest.fixture
def sweep(tmp_path):
    for name in ("seed=1", "seed=2", "seed=10", "logs"):
        (tmp_path / name).mkdir()
        if name != "logs":
            (tmp_path / name / "config.yaml").touch()
    for name in ("comparison.html", "multirun.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def names(paths):
    return [run.path.name for run in find_runs(paths)]


def test_all_of_a_folder_are_its_runs_without_what_lies_beside_them(sweep):
    assert names([sweep]) == ["seed=1", "seed=2", "seed=10"]
    assert sorted(names(sweep.iterdir())) == ["seed=1", "seed=10", "seed=2"]


def test_a_run_counts_once_at_its_first_mention(sweep):
    assert names([sweep / "seed=2", sweep, sweep / "seed=1"]) == ["seed=2", "seed=1", "seed=10"]


def test_links_to_runs_on_other_disks_are_followed_and_no_others(sweep, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    for name in ("far", "pictures"):
        (disk / name / "below").mkdir(parents=True)
        (disk / name / "below" / "config.yaml").touch()
    (disk / "far" / "config.yaml").touch()
    (disk / "far" / "round").symlink_to(disk / "far")
    links = {"a": disk / "far", "b": disk / "pictures", "newest": sweep / "seed=2", "up": sweep, "lost": disk / "gone"}
    for name, place in links.items():
        (sweep / name).symlink_to(place)
    assert names([sweep]) == ["a", "below", "seed=1", "seed=2", "seed=10"]


def test_what_a_kill_has_left_of_an_import_is_no_run(sweep):
    (sweep / "seed=1").rename(sweep / ".seed=1.part")
    (sweep / ".seed").mkdir()
    (sweep / ".seed" / "config.yaml").touch()
    assert names([sweep]) == [".seed", "seed=2", "seed=10"]


@pytest.mark.parametrize("paths", [["logs"], ["logs", "comparison.html"], ["seed=1", "notes.txt"]])
def test_a_path_without_runs_is_named(sweep, paths):
    (sweep / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=f"{paths[-1]}: no runs here"):
        find_runs([sweep / name for name in paths])
