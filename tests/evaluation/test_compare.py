"""Comparing runs: what differs, mean and spread over seeds, the paper's numbers, one page that needs nothing else."""

import csv
import json
import re
import shutil
import statistics
from pathlib import Path

import pytest

from pix2pix.evaluation.compare import as_markdown, write_page
from pix2pix.evaluation.comparison import find_runs, gather
from pix2pix.evaluation.paper import beside, loss_name
from pix2pix.run import Run
from tests.conftest import TINY, pix2pix, resolved


@pytest.fixture(scope="session")
def sweep(tmp_path_factory) -> Path:
    """Two discriminators, two seeds each, evaluated; not to be changed."""
    folder = tmp_path_factory.mktemp("sweeps") / "receptive_field"
    words = [word for word in TINY if "receptive_field" not in word]
    for name in ("pixel", "patch16"):
        for seed in (1, 2):
            run_dir = f"run_dir='{folder}/discriminator={name},seed={seed}'"
            pix2pix("train", *words, run_dir, f"discriminator={name}", f"seed={seed}", "trainer.max_epochs=1")
    pix2pix("compare", folder)
    return folder


def test_the_page_and_the_tables_show_groups_of_seeds(sweep, tmp_path, capsys):
    pix2pix(
        "compare", sweep, "-o", tmp_path / "page.html", "--csv", tmp_path / "t.csv", "--markdown", tmp_path / "t.md"
    )
    markdown = (tmp_path / "t.md").read_text()
    assert markdown in capsys.readouterr().out
    lines = markdown.splitlines()
    assert lines[0].startswith("| discriminator | runs | l1 | l2 | psnr | ssim | lab_l |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| patch16", "| pixel"]
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["discriminator"], row["seed"]) for row in rows} == {(d, s) for d in ("pixel", "patch16") for s in "12"}
    of_pixel = [float(row["l1"]) for row in rows if row["discriminator"] == "pixel"]
    mean, spread = statistics.fmean(of_pixel), statistics.stdev(of_pixel)
    assert f"{mean:.4g} ± {spread:.2g}" in markdown


def test_the_best_of_each_metric_is_marked_whichever_way_is_better(sweep):
    comparison = gather(find_runs([sweep]), "val")
    for metric, choose in (("l1", min), ("ssim", max)):
        means = [group.mean(metric) for group in comparison.groups]
        assert comparison.groups[means.index(choose(means))].label == comparison.best(metric).label
    bold = [line.count("**") // 2 for line in as_markdown(comparison).splitlines()[2:]]
    assert sum(bold) == len(comparison.metrics)


def test_what_lies_in_the_folders_of_a_run_is_no_run_but_a_run_beside_them_is(tmp_path):
    for file in ("a/config.yaml", "a/wandb/offline-run-1/files/config.yaml", "a/b/config.yaml", "wandb/config.yaml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("seed: 0")
    assert [run.path.relative_to(tmp_path).as_posix() for run in find_runs([tmp_path])] == ["a", "a/b", "wandb"]


def test_every_difference_is_listed_and_nothing_else(sweep):
    differences = gather(find_runs([sweep]), "val").differences()
    assert set(differences) == {"discriminator.receptive_field", "seed"}


def test_the_page_needs_no_other_file_and_no_network(sweep):
    page = (sweep / "comparison.html").read_text()
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # plotly's own text names hosts it does not ask
    assert not re.findall(r'(?:src|href)="(?!data:)', own)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["runs"]) == 4
    assert [group["label"] for group in data["groups"]] == ["patch16", "pixel"]
    assert all(row["target"].startswith("data:image/webp;base64,") for row in data["rows"])
    assert {len(row["outputs"]) for row in data["rows"]} == {2}  # one a group
    assert {"val/ssim", "loss/g_l1"} <= data["runs"][0]["curves"].keys()


def test_runs_that_go_on_or_are_not_evaluated_take_part(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "going")
    run = Run(tmp_path / "going" / "discriminator=pixel,seed=1")
    provenance = json.loads(run.provenance_file.read_text()) | {"finished": False}
    run.provenance_file.write_text(json.dumps(provenance))
    shutil.rmtree(run.evaluation)
    comparison = write_page(find_runs([tmp_path / "going"]), "val", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "1 of the runs is unfinished" in page
    entry = next(entry for entry in comparison.entries if entry.run.path == run.path)
    assert entry.state() == "unfinished, not evaluated"
    assert entry.metrics["ssim"] > 0


def test_an_evaluation_older_than_its_checkpoint_is_made_again(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "again")
    folder = tmp_path / "again" / "discriminator=pixel,seed=2"
    summary = folder / "evaluation" / "val" / "metrics.json"
    summary.write_text(summary.read_text().replace('"pairs": 3', '"pairs": 99'))
    pix2pix("compare", tmp_path / "again")
    assert '"pairs": 99' in summary.read_text()
    (folder / "checkpoints" / "best.ckpt").touch()
    pix2pix("compare", tmp_path / "again")
    assert '"pairs": 3' in summary.read_text()


def test_another_checkpoint_can_be_compared_and_one_runs_trouble_is_not_the_others(sweep, tmp_path, caplog):
    shutil.copytree(sweep, tmp_path / "last")
    (tmp_path / "last" / "discriminator=pixel,seed=2" / "checkpoints" / "last.ckpt").unlink()
    pix2pix("compare", tmp_path / "last", "--checkpoint", "last")
    used = [json.loads(file.read_text())["checkpoint"] for file in tmp_path.rglob("metrics.json")]
    assert sorted(used) == ["best.ckpt", *["last.ckpt"] * 3]
    assert "seed=2: not evaluated: " in caplog.text
    assert "not all evaluated in the same way" in (tmp_path / "last" / "comparison.html").read_text()


def test_runs_on_different_data_say_so(sweep, tiny_run, tmp_path, capsys):
    shutil.copytree(tiny_run.path, tmp_path / "other")
    provenance = tmp_path / "other" / "provenance.json"
    provenance.write_text(provenance.read_text().replace('"data_fingerprint": "', '"data_fingerprint": "f00d'))
    pix2pix("compare", sweep, tmp_path / "other", "--no-evaluate", "-o", tmp_path / "page.html")
    assert "These runs were trained on different data" in (tmp_path / "page.html").read_text()
    assert "Trained on different data, their numbers do not compare" in capsys.readouterr().err
    assert gather([*find_runs([sweep]), Run(tmp_path / "other")], "val").best("l1") is None


def test_runs_that_differ_in_much_go_by_their_own_names(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "much")
    config = tmp_path / "much" / "config.yaml"
    for there, here in (("base_channels: 4", "base_channels: 8"), ("dropout: 0.5", "dropout: 0.1"), ("0.0002", "0.1")):
        config.write_text(config.read_text().replace(there, here))
    labels = [group.label for group in gather([tiny_run, Run(tmp_path / "much")], "val").groups]
    assert sorted(label.rpartition("/")[2] for label in labels) == ["much", "tiny"]


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no runs here"):
        pix2pix("compare", tmp_path)


@pytest.mark.parametrize("objective", ["l1", "gan", "cgan", "l1_gan", "l1_cgan"])
def test_objectives_are_named_as_in_the_paper(objective):
    expected = {"l1": "L1", "gan": "GAN", "cgan": "cGAN", "l1_gan": "L1+GAN", "l1_cgan": "L1+cGAN"}
    assert loss_name(resolved(f"objective={objective}")) == expected[objective]


def test_the_papers_numbers_stand_beside_its_sweeps():
    fields = [resolved(f"discriminator={name}") for name in ("pixel", "patch34", "patch70")]
    (table, rows), (colours, _) = beside(fields)
    assert colours.title.startswith("Figure 7")
    assert table.title.startswith("Table 3")
    assert rows == [(0.39, 0.15, 0.10), None, (0.66, 0.23, 0.17)]
    losses = beside([resolved("objective=l1"), resolved("objective=l1_cgan")])
    assert [table.title[:8] for table, _ in losses] == ["Table 1:", "Figure 7"]
    generators = beside([resolved(f"generator={name}") for name in ("unet", "encoder_decoder")])
    assert generators[0][1] == [(0.55, 0.20, 0.14), (0.29, 0.09, 0.05)]
    to_labels = [resolved(f"objective={name}", "data.direction=AtoB") for name in ("l1", "cgan")]
    assert [(table.title[:7], rows[0]) for table, rows in beside(to_labels)] == [("Table 6", (0.86, 0.42, 0.35))]
    assert beside([resolved("seed=1"), resolved("seed=2")]) == []
    assert beside([resolved("data=maps", f"objective={name}") for name in ("l1", "cgan")]) == []


def numbers(run: Run, **metrics: float | None) -> None:
    file = run.evaluation / "val" / "metrics.json"
    summary = json.loads(file.read_text())
    file.write_text(json.dumps(summary | {"metrics": summary["metrics"] | metrics}))


def test_a_run_that_diverged_is_not_the_best_and_does_not_break_the_page(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "bad")
    numbers(Run(tmp_path / "bad" / "discriminator=pixel,seed=1"), l1=None)
    numbers(Run(tmp_path / "bad" / "discriminator=pixel,seed=2"), l1=None)
    file = tmp_path / "bad" / "discriminator=pixel,seed=1" / "metrics.csv"
    file.write_text(re.sub(r"0\.\d+", "nan", file.read_text()))
    comparison = write_page(find_runs([tmp_path / "bad"]), "val", tmp_path / "page.html")
    assert comparison.best("l1").label == "patch16"
    assert "NaN" not in re.search(r'id="data">(.*?)</script>', (tmp_path / "page.html").read_text(), re.DOTALL)[1]


def test_two_sweeps_of_the_same_settings_are_told_apart(sweep, tmp_path):
    for name in ("short", "long"):
        shutil.copytree(sweep, tmp_path / name)
        for file in (tmp_path / name).glob("*/config.yaml"):
            file.write_text(file.read_text().replace("max_epochs: 1", f"max_epochs: {len(name)}"))
    comparison = gather(find_runs([tmp_path / "short", tmp_path / "long"]), "val")
    labels = [group.label for group in comparison.groups]
    assert len(set(labels)) == len(labels) == 4


def test_only_the_seed_makes_no_group_of_its_own(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "seeds")
    file = tmp_path / "seeds" / "discriminator=pixel,seed=1" / "provenance.json"
    file.write_text(file.read_text().replace('"data_fingerprint": "', '"data_fingerprint": "other'))
    assert len(gather(find_runs([tmp_path / "seeds"]), "val").groups) == 3


def test_numbers_of_another_split_are_not_mixed_in(sweep):
    assert not any(entry.metrics for entry in gather(find_runs([sweep]), "test").entries)
