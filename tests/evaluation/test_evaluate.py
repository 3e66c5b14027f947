"""`pix2pix evaluate`: numbers, pictures and a page that agree."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.core import prefetch
from pix2pix.core.checksums import file_sha256
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.folders import evaluation_folder
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.runs.run import Run
from tests.conftest import DATASETS, TINY, TINY_FOLDER, needs_datasets, noise_pairs, pix2pix


def test_numbers_pictures_and_page_agree(run, capsys):
    pix2pix("evaluate", run.path)
    folder = run.evaluation / "val"
    summary = json.loads((folder / "metrics.json").read_text())
    with (folder / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (summary["pairs"], summary["split"], summary["checkpoint"]) == (3, "val", "last.ckpt")
    assert {"l1", "l2", "psnr", "ssim", "lab_l", "lab_a", "lab_b"} == summary["metrics"].keys()
    for name in ("l1", "l2", "psnr", "ssim"):
        total = summary["metrics"][name]
        assert total == pytest.approx(np.mean([float(row[name]) for row in rows]))
    first = rows[0]["name"]
    output, target = (
        np.asarray(Image.open(folder / "images" / f"{first}_{kind}.png"), float) for kind in ("output", "target")
    )
    assert np.abs(output - target).mean() / 255 == pytest.approx(float(rows[0]["l1"]), abs=1 / 255)
    page = (folder / "index.html").read_text()
    links = re.findall(r'src="(images/[^"]+)"', page)
    assert len(links) == 9
    assert all((folder / link).is_file() for link in links)
    assert f"l1 {summary['metrics']['l1']:.4f}" in capsys.readouterr().out


def test_splits_stand_side_by_side_and_the_same_command_gives_the_same_numbers(run):
    first, again = evaluate(run, split="test"), evaluate(run, split="test")
    assert first.totals == again.totals
    evaluate(run, split="val")
    assert {path.name for path in run.evaluation.iterdir()} == {"test", "val"}


@pytest.mark.parametrize("option", [{"normalization": "running"}, {"dropout": "off"}, {"seed": 1}], ids=str)
def test_test_time_choices_change_the_outputs_and_are_recorded(run, option):
    plain, changed = evaluate(run), evaluate(run, **option)
    assert plain.totals != changed.totals
    summary = json.loads((changed.folder / "metrics.json").read_text())
    assert summary["inference"] == {"normalization": "batch", "dropout": "on", "seed": 0} | option


def test_the_checkpoint_is_chosen_by_name_or_path(run):
    last = evaluate(run, checkpoint="last")
    assert evaluate(run, checkpoint=str(run.last_checkpoint)).totals == last.totals
    with pytest.raises(SystemExit, match=r"epoch=7\.ckpt: no such checkpoint.*has: best, last, previous;"):
        pix2pix("evaluate", run.path, "--checkpoint", "epoch=7")


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"not a run, it has no config\.yaml"):
        pix2pix("evaluate", tmp_path)


def test_drawn_pairs_have_no_folder(run):
    with pytest.raises(SystemExit, match="the pairs of this run are generated"):
        pix2pix("evaluate", run.path, "--data", "elsewhere")


def test_a_folder_of_single_pictures_is_said_to_be_cut_in_halves(run, tmp_path, caplog):
    """Each is a whole picture, and its halves would be an input and its target."""
    for number in range(4):
        (tmp_path / "singles").mkdir(exist_ok=True)
        Image.linear_gradient("L").convert("RGB").save(tmp_path / "singles" / f"{number}.png")
        Image.new("RGB", (64, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
    pix2pix("evaluate", run.path, "--data", tmp_path / "singles")
    assert "singles: square files are cut into two halves, A on the left and B on the right. If they" in caplog.text
    caplog.clear()
    pix2pix("evaluate", run.path, "--data", tmp_path)
    assert "halves" not in caplog.text


@needs_datasets
def test_data_that_moved_can_be_named(tmp_path):
    for split in ("train", "val"):
        (tmp_path / "here" / split).mkdir(parents=True)
        for name in ("1.jpg", "2.jpg"):
            shutil.copy(DATASETS / "facades" / "test" / name, tmp_path / "here" / split)
    words = [word for word in TINY if "pairs" not in word]
    folder = tmp_path / "here"
    pix2pix("train", "data=folder", f"data.path={folder}", *words, f"output_dir={tmp_path}", "name=moved")
    folder.rename(tmp_path / "there")
    with pytest.raises(SystemExit, match=r"no folder .*here"):
        pix2pix("evaluate", tmp_path / "moved")
    pix2pix("evaluate", tmp_path / "moved", "--data", tmp_path / "there")


def test_an_evaluation_that_fails_leaves_the_former_one(run, monkeypatch):
    before = evaluate(run).totals
    monkeypatch.setattr("pix2pix.evaluation.evaluate_pairs.to_picture", lambda image: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(run)
    assert json.loads((run.evaluation / "val" / "metrics.json").read_text())["metrics"] == before


def test_pictures_and_numbers_do_not_depend_on_the_batch(run, monkeypatch):
    found = {}
    for pixels in (1, 2 * 32 * 32, prefetch.PIXELS_PER_BATCH):  # one by one, two at once, all three
        monkeypatch.setattr(prefetch, "PIXELS_PER_BATCH", pixels)
        result = evaluate(run, samples=2)
        pictures = [np.asarray(Image.open(file), int) for file in sorted((result.folder / "images").iterdir())]
        found[pixels] = result, pictures
    (alone, pictures), *others = found.values()
    assert len(pictures) == 9
    for result, its in others:
        assert [row["name"] for row in result.rows] == [row["name"] for row in alone.rows]
        assert result.totals == pytest.approx(alone.totals, rel=1e-4)
        assert all(np.abs(one - other).max() <= 1 for one, other in zip(pictures, its, strict=True))


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory) -> Run:
    """A run on four pairs of files to train, and one to validate; not to be changed, but for evaluations."""
    folder = tmp_path_factory.mktemp("folder_run")
    words = [f"data.path={noise_pairs(folder / 'data', 4)}", f"output_dir={folder}", "name=run", "trainer.max_epochs=1"]
    pix2pix("train", *TINY_FOLDER, *words)
    return Run(folder / "run")


def write_noise(file: Path, width: int = 32) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((width, 32), 50).convert("RGB").save(file)


def test_a_test_split_that_is_not_there_is_refused_and_what_is_there_is_named(folder_run):
    with pytest.raises(SystemExit, match=r"--split test: .*/data has no test split; it has train \(4 .*, val \(1 "):
        pix2pix("evaluate", folder_run.path, "--split", "test")


@pytest.mark.parametrize("layout", ["side by side", "A and B"])
def test_a_plain_folder_of_pairs_is_measured_whole_in_a_place_of_its_own(folder_run, tmp_path, layout, capsys):
    for number in range(6):
        if layout == "A and B":
            write_noise(tmp_path / "flat" / "A" / f"{number}.png")
            write_noise(tmp_path / "flat" / "B" / f"{number}.png")
        else:
            write_noise(tmp_path / "flat" / f"{number}.png", 64)
    pix2pix("evaluate", folder_run.path, "--data", tmp_path / "flat")
    message = f"6 pairs: all pairs in {tmp_path}/flat, which has no splits"
    assert message in capsys.readouterr().out
    result = evaluate(folder_run, data=tmp_path / "flat")
    assert result.folder.name.startswith("val,data=flat-")
    assert json.loads((result.folder / "metrics.json").read_text())["data"]["description"] == message
    assert message in (result.folder / "index.html").read_text()
    assert load_comparison([folder_run], "val", data=tmp_path / "flat").entries[0].is_final


def test_a_folder_with_only_test_pairs_is_measured_on_these(folder_run, tmp_path, capsys):
    write_noise(tmp_path / "other" / "test" / "1.png", 64)
    pix2pix("evaluate", folder_run.path, "--data", tmp_path / "other")
    assert f"1 pair: split test of {tmp_path}/other" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"--split val: .*/other has no val split; it has test \(1 pair\)"):
        pix2pix("evaluate", folder_run.path, "--data", tmp_path / "other", "--split", "val")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"no pairs in .*/empty.*A and B side by side"):
        pix2pix("evaluate", folder_run.path, "--data", tmp_path / "empty")


def test_training_pairs_without_splits_that_moved_are_not_measured_as_others(tmp_path, capsys):
    for number in range(4):
        write_noise(tmp_path / "here" / f"{number}.png", 64)
    words = [f"data.path={tmp_path}/here", f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=1"]
    pix2pix("train", *TINY_FOLDER, *words)
    (tmp_path / "here").rename(tmp_path / "there")
    capsys.readouterr()
    pix2pix("evaluate", tmp_path / "run", "--data", tmp_path / "there")
    message = "1 pair: pairs held out of the training pairs in"
    assert f"{message} {tmp_path}/there, which has no val split" in capsys.readouterr().out


def test_a_run_on_generated_pairs_is_measured_on_a_folder_of_pairs(run, tmp_path, capsys):
    write_noise(tmp_path / "flat" / "1.png", 64)
    pix2pix("evaluate", run.path, "--data", tmp_path / "flat")
    assert "1 pair: all pairs in" in capsys.readouterr().out


def test_an_unreadable_pair_is_named_and_left_out_on_request(run, tmp_path, capsys):
    for number in range(4):
        write_noise(tmp_path / "damaged" / f"{number}.png", 64)
    shutil.copytree(tmp_path / "damaged", tmp_path / "without")
    (tmp_path / "without" / "2.png").unlink()
    file = tmp_path / "damaged" / "2.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(SystemExit, match=r"2\.png: cannot be read as a picture"):
        pix2pix("evaluate", run.path, "--data", tmp_path / "damaged", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    pix2pix("evaluate", run.path, "--data", tmp_path / "damaged", "-o", tmp_path / "out", "--on-error", "skip")
    assert "3 pairs: all pairs in" in (said := capsys.readouterr().out)
    assert "; without 1 that cannot be read: 2\n" in said
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (summary["pairs"], list(summary["skipped"])) == (3, ["2"])
    assert "2.png: cannot be read as a picture" in summary["skipped"]["2"]
    whole = evaluate(run, data=tmp_path / "without", output=tmp_path / "other")
    assert summary["metrics"] == whole.totals
    assert "without 1 that cannot be read" in (tmp_path / "out" / "index.html").read_text()


def test_data_of_which_no_pair_can_be_read_are_refused_whatever_is_asked_for(run, tmp_path):
    for number in range(2):
        (tmp_path / "pairs").mkdir(exist_ok=True)
        (tmp_path / "pairs" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"none of the pairs can be read\. The first: .*0\.png"):
        evaluate(run, data=tmp_path / "pairs", output=tmp_path / "out", on_error="skip")
    assert not (tmp_path / "out").exists()


def test_a_limit_takes_evenly_spaced_pairs(run, capsys):
    pix2pix("evaluate", run.path, "--split", "train", "--limit", "3")
    assert "3 pairs of 12, evenly spaced: split train of synthetic_facades" in capsys.readouterr().out
    result = evaluate(run, split="train", limit=3)
    assert result.folder.name == "train,limit=3"
    assert [row["name"] for row in result.rows] == ["train_0000", "train_0004", "train_0008"]


def test_results_are_written_elsewhere_but_never_over_other_files(run, tmp_path):
    checkpoint = tmp_path / "alone.ckpt"
    shutil.copyfile(run.last_checkpoint, checkpoint)
    for _ in range(2):
        pix2pix("evaluate", checkpoint, "--output", tmp_path / "results")
    assert (tmp_path / "results" / "index.html").is_file()
    assert not run.evaluation.exists()
    with pytest.raises(SystemExit, match=r"--output .*: holds other files, such as "):
        pix2pix("evaluate", run.path, "--output", tmp_path)
    assert checkpoint.is_file()
    with pytest.raises(SystemExit, match="--output takes the results of one RUN"):
        pix2pix("evaluate", run.path, run.path, "--output", tmp_path / "results")


def test_the_record_tells_what_the_numbers_were_made_of(run):
    plain = json.loads((evaluate(run).folder / "metrics.json").read_text())
    assert plain["data"]["kind"] == "pix2pix.data.SyntheticFacades"
    assert plain["checkpoint_file"]["sha256"] == file_sha256(run.last_checkpoint)
    assert (plain["samples"], plain["precision"], plain["scorer"], plain["perceptual"]) == (1, "float32", None, False)
    again = json.loads((evaluate(run, half=True, seed=0, samples=2).folder / "metrics.json").read_text())
    assert again["data"] == plain["data"]
    assert again["precision"] == "half"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"seed": 0, "dropout": "on"}, "val"),  # the run's own
        ({"checkpoint": "last"}, "val"),
        ({"checkpoint": "best", "seed": 1}, "val,checkpoint=best,seed=1"),
        ({"seed": 3, "dropout": "off", "samples": 2}, "val,dropout=off,seed=3,samples=2"),
        ({"data": "/x/p 1"}, "val,data=p_1-"),
    ],
)
def test_what_is_evaluated_otherwise_has_a_folder_of_its_own(run, options, name):
    config = run.config()
    config = config.replace(data=config.data.replace(source={"_target_": "Pairs", "path": "/data/p 1"}))
    folder = evaluation_folder(run, config, "val", **options).name
    assert folder.startswith(name)
    assert ("data" in options) or folder == name
