"""Comparing runs: what differs, mean and spread over seeds, the paper's numbers, one page that needs nothing else."""

import csv
import json
import math
import os
import re
import shutil
import statistics
from pathlib import Path

import pytest
import yaml
from PIL import Image

from pix2pix.core.checksums import file_sha256
from pix2pix.evaluation.compare import compare
from pix2pix.evaluation.comparison_tables import to_csv, to_latex, to_markdown, to_text
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.evaluation.evaluation_spec import EvaluationSpec
from pix2pix.evaluation.load_comparison import load_comparison
from pix2pix.evaluation.paired_tests import compare_with_best, correct_holm, flip_signs, paired_differences
from pix2pix.evaluation.paper_tables import loss_name, matching_tables
from pix2pix.evaluation.record import read_record
from pix2pix.evaluation.select_runs import select_runs
from pix2pix.runs.find import find_runs
from pix2pix.runs.run import Run
from tests.conftest import TINY_FOLDER, make_config, pix2pix


def test_the_page_and_the_tables_show_groups_of_seeds(sweep, tmp_path, capsys):
    pix2pix(
        "compare", sweep, "-o", tmp_path / "page.html", "--csv", tmp_path / "t.csv", "--markdown", tmp_path / "t.md"
    )
    markdown = (tmp_path / "t.md").read_text()
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["discriminator", "runs", "l1", "l2", "psnr", "ssim", "lab_l", "lab_a", "lab_b"]
    assert [line.split()[0] for line in said[1:3]] == ["pixel", "patch16"]
    ends = [{match.end() for match in re.finditer(r"\S+(?: \S+)*", line)} for line in said[:3]]
    assert len(ends[0] & ends[1] & ends[2]) >= 7  # the columns of numbers end at the same places
    lines = markdown.splitlines()
    assert lines[0].startswith("| discriminator | runs | l1 | l2 | psnr | ssim | lab_l |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| pixel", "| patch16"]  # by receptive field
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["discriminator"], row["seed"]) for row in rows} == {(d, s) for d in ("pixel", "patch16") for s in "12"}
    of_pixel = [float(row["l1"]) for row in rows if row["discriminator"] == "pixel"]
    mean, spread = statistics.fmean(of_pixel), statistics.stdev(of_pixel)
    assert f"{mean:.4g} ± {spread:.2g}" in markdown


def test_the_best_of_each_metric_is_marked_whichever_way_is_better(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "s")
    for name, level in (("pixel", 0.2), ("patch16", 0.4)):
        for seed in (1, 2):
            values = dict.fromkeys(("l1", "l2", "psnr", "ssim", "lab_l", "lab_a", "lab_b"), level + 0.01 * seed)
            numbers(Run(tmp_path / "s" / f"discriminator={name},seed={seed}"), **values)
    comparison = load_comparison(find_runs([tmp_path / "s"]), "val")
    assert [leaders_of(comparison, name) for name in ("l1", "ssim")] == [["pixel"], ["patch16"]]
    marked = [line.count("*") for line in to_text(comparison).splitlines()[1:]]
    assert marked == [2, 5]
    assert to_text(comparison, bold="<{}>".format).count("<") == 7 + 9  # the best, and the header
    bold = [line.count("**") // 2 for line in to_markdown(comparison).splitlines()[2:]]
    assert bold == [2, 5]  # pixel, patch16


def leaders_of(comparison, metric: str) -> list[str]:
    return [group.label for group in comparison.leaders(metric)]


def test_all_within_the_spread_of_the_best_are_marked(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "s")
    for name, levels in (("pixel", (0.2, 0.3)), ("patch16", (0.3, 0.33))):
        for seed, level in zip((1, 2), levels, strict=True):
            numbers(Run(tmp_path / "s" / f"discriminator={name},seed={seed}"), l1=level)
    assert leaders_of(load_comparison(find_runs([tmp_path / "s"]), "val"), "l1") == ["pixel", "patch16"]
    one_each = find_runs([tmp_path / "s" / f"discriminator={name},seed=1" for name in ("pixel", "patch16")])
    for interval, leaders in (([0.1, 0.31], ["pixel", "patch16"]), ([0.19, 0.21], ["pixel"]), (None, [])):
        for run in one_each:  # one seed: the interval over pictures tells, and without one nothing does
            change_summary(run, intervals={"l1": interval} if interval else {})
        assert leaders_of(load_comparison(one_each, "val"), "l1") == leaders


def test_what_lies_in_the_folders_of_a_run_is_no_run_but_a_run_beside_them_is(tmp_path):
    for file in ("a/config.yaml", "a/wandb/offline-run-1/files/config.yaml", "a/b/config.yaml", "wandb/config.yaml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("seed: 0")
    assert [run.path.relative_to(tmp_path).as_posix() for run in find_runs([tmp_path])] == ["a", "a/b", "wandb"]


def test_every_difference_is_listed_and_nothing_else(sweep):
    differences = load_comparison(find_runs([sweep]), "val").differing_settings()
    assert set(differences) == {"discriminator.receptive_field", "seed"}


def test_the_page_needs_no_other_file_and_no_network(sweep):
    page = (sweep / "comparison.html").read_text()
    own = re.sub(
        r"<script>.*?</script>", "", page, flags=re.DOTALL
    )  # the text of a licence names hosts that are not asked
    assert not re.findall(r'(?:src|href)="(?!data:)', own)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["runs"]) == 4
    assert [group["label"] for group in data["groups"]] == ["pixel", "patch16"]
    assert all(row["target"].startswith("data:image/webp;base64,") for row in data["rows"])
    assert {len(row["outputs"]) for row in data["rows"]} == {2}  # one a group
    assert {"val/ssim", "loss/g_l1"} <= data["runs"][0]["curves"].keys()


def test_runs_that_go_on_or_are_not_evaluated_take_part(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "going")
    run = Run(tmp_path / "going" / "discriminator=pixel,seed=1")
    provenance = json.loads(run.provenance_file.read_text()) | {"finished": False}
    run.provenance_file.write_text(json.dumps(provenance))
    shutil.rmtree(run.evaluation)
    comparison = compare([tmp_path / "going"], page=tmp_path / "page.html", evaluate=False)
    page = (tmp_path / "page.html").read_text()
    assert "1 of the runs was stopped before its end" in page
    entry = next(entry for entry in comparison.entries if entry.run.path == run.path)
    assert entry.state() == "stopped, epoch 1 of 1, not evaluated"
    assert entry.metrics["ssim"] > 0
    group = next(group for group in comparison.groups if entry in group.entries)
    assert (len(group.entries), group.describe_size(), len(group.values("l1"))) == (2, "1 of 2", 1)  # it is not counted
    assert " (n=1) |" in to_markdown(comparison)
    assert f"at step {entry.measured_at}" not in page  # of the two, the finished one is shown
    assert '<span class="state stopped">stopped, epoch 1 of 1</span>' in page
    (run.path / "train.log").write_text("--- x\nERROR The training ended with an error.\nValueError: no room\n")
    compare([tmp_path / "going"], page=tmp_path / "page.html", evaluate=False)
    assert 'title="ValueError: no room"' in (tmp_path / "page.html").read_text()


def test_numbers_of_a_run_that_goes_on_are_provisional_and_never_the_best(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "going")
    for seed in (1, 2):
        run = Run(tmp_path / "going" / f"discriminator=pixel,seed={seed}")
        run.provenance_file.write_text(json.dumps(run.provenance() | {"finished": False}))
        numbers(run, l1=0.0001 * seed)
    comparison = load_comparison(find_runs([tmp_path / "going"]), "val")
    assert leaders_of(comparison, "l1") == ["patch16"]
    assert "| pixel | 0 of 2 | (0.00015 ± " in to_markdown(comparison)


def test_an_evaluation_of_other_weights_is_made_again_whatever_the_dates_say(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "again")
    folder = tmp_path / "again" / "discriminator=pixel,seed=2"
    summary, last = folder / "evaluation" / "val" / "metrics.json", folder / "checkpoints" / "last.ckpt"
    summary.write_text(summary.read_text().replace('"pairs": 3', '"pairs": 99'))
    last.touch()  # newer than the evaluation, and the same
    pix2pix("compare", tmp_path / "again")
    assert '"pairs": 99' in summary.read_text()
    shutil.copyfile(tmp_path / "again" / "discriminator=pixel,seed=1" / "checkpoints" / "last.ckpt", last)
    os.utime(last, (0, 0))
    (last.parent / "SHA256SUMS").unlink()  # it is there on purpose
    pix2pix("compare", tmp_path / "again")
    assert '"pairs": 3' in summary.read_text()


def test_another_checkpoint_can_be_compared_and_one_runs_trouble_is_not_the_others(sweep, tmp_path, caplog):
    shutil.copytree(sweep, tmp_path / "best")
    (tmp_path / "best" / "discriminator=pixel,seed=2" / "checkpoints" / "best.ckpt").unlink()
    pix2pix("compare", tmp_path / "best", "--checkpoint", "best")
    used = [json.loads(file.read_text())["checkpoint"] for file in tmp_path.rglob("metrics.json")]
    assert sorted(used) == [*["best.ckpt"] * 3, *["last.ckpt"] * 4]  # beside each other
    assert "seed=2: not evaluated: " in caplog.text
    assert "1 of the runs is not evaluated" in (tmp_path / "best" / "comparison.html").read_text()


def test_runs_on_different_data_say_so(sweep, tiny_run, tmp_path, capsys):
    shutil.copytree(tiny_run.path, tmp_path / "other")
    provenance = tmp_path / "other" / "provenance.json"
    provenance.write_text(provenance.read_text().replace('"data_fingerprint": "', '"data_fingerprint": "f00d'))
    pix2pix("compare", sweep, tmp_path / "other", "--no-evaluate", "-o", tmp_path / "page.html")
    assert "These runs were trained on different data" in (tmp_path / "page.html").read_text()
    assert "trained on different data, so their numbers do not compare" in capsys.readouterr().err
    assert load_comparison([*find_runs([sweep]), Run(tmp_path / "other")], "val").leaders("l1") == []


def test_runs_that_differ_in_much_go_by_their_own_names(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "much")
    config = tmp_path / "much" / "config.yaml"
    for there, here in (("base_channels: 4", "base_channels: 8"), ("dropout: 0.5", "dropout: 0.1"), ("0.0002", "0.1")):
        config.write_text(config.read_text().replace(there, here))
    labels = [group.label for group in load_comparison([tiny_run, Run(tmp_path / "much")], "val").groups]
    assert sorted(label.rpartition("/")[2] for label in labels) == ["much", "tiny"]


def test_data_that_are_not_there_are_named_before_anything_is_evaluated(sweep, tmp_path):
    with pytest.raises(SystemExit, match=r"--data .*nowhere: there is no such folder or table"):
        pix2pix("compare", sweep, "--data", tmp_path / "nowhere")


def test_tags_and_notes_are_shown_and_divide_no_group(tiny_run, tmp_path):
    for name, notes in (("a", "first try"), ("b", "null")):
        shutil.copytree(tiny_run.path, tmp_path / name)
        config = tmp_path / name / "config.yaml"
        text = config.read_text().replace("tags: []", "tags: [paper, final]")
        config.write_text(text.replace("notes: null", f"notes: {notes}").replace("seed: 0", f"seed: {len(notes)}", 1))
    runs = [Run(tmp_path / name) for name in "ab"]
    comparison = compare(runs, page=tmp_path / "page.html", pictures=0, evaluate=False)
    assert len(comparison.groups) == 1
    assert "paper, final · first try" in (tmp_path / "page.html").read_text()
    rows = list(csv.DictReader(to_csv(comparison).splitlines()))
    assert [(row["tags"], row["notes"]) for row in rows] == [("paper, final", "first try"), ("paper, final", "")]


def test_a_seed_that_was_trained_again_on_other_workers_stays_in_its_group(tiny_run, tmp_path):
    for name in ("first", "again"):
        shutil.copytree(tiny_run.path, tmp_path / name)
    config = tiny_run.config()
    again = config.replace(seed=1, resume="never", data=config.data.replace(num_workers=config.data.num_workers + 1))
    Run(tmp_path / "again").config_file.write_text(yaml.safe_dump(again.to_mapping()))
    (group,) = load_comparison(find_runs([tmp_path]), "val").groups
    assert len(group.entries) == 2


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no runs here"):
        pix2pix("compare", tmp_path)


@pytest.mark.parametrize("objective", ["l1", "gan", "cgan", "l1_gan", "l1_cgan"])
def test_objectives_are_named_as_in_the_paper(objective):
    expected = {"l1": "L1", "gan": "GAN", "cgan": "cGAN", "l1_gan": "L1+GAN", "l1_cgan": "L1+cGAN"}
    assert loss_name(make_config(f"objective={objective}")) == expected[objective]


def test_the_papers_numbers_stand_beside_its_sweeps():
    fields = [make_config(f"discriminator={name}") for name in ("pixel", "patch34", "patch70")]
    (table, rows), (colours, _) = matching_tables(fields)
    assert colours.title.startswith("Figure 7")
    assert table.title.startswith("Table 3")
    assert rows == [(0.39, 0.15, 0.10), None, (0.66, 0.23, 0.17)]
    losses = matching_tables([make_config("objective=l1"), make_config("objective=l1_cgan")])
    assert [table.title[:8] for table, _ in losses] == ["Table 1:", "Figure 7"]
    generators = matching_tables([make_config(f"generator={name}") for name in ("unet", "encoder_decoder")])
    assert generators[0][1] == [(0.55, 0.20, 0.14), (0.29, 0.09, 0.05)]
    to_labels = [make_config(f"objective={name}", "data.direction=AtoB") for name in ("l1", "cgan")]
    assert [(table.title[:7], rows[0]) for table, rows in matching_tables(to_labels)] == [
        ("Table 6", (0.86, 0.42, 0.35))
    ]
    assert matching_tables([make_config("seed=1"), make_config("seed=2")]) == []
    assert matching_tables([make_config("data=maps", f"objective={name}") for name in ("l1", "cgan")]) == []


def numbers(run: Run, **metrics: float | None) -> None:
    change_summary(run, metrics=json.loads((run.evaluation / "val" / "metrics.json").read_text())["metrics"] | metrics)


def change_summary(run: Run, **parts: dict) -> None:
    file = run.evaluation / "val" / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | parts))


def test_a_run_that_diverged_is_not_the_best_and_does_not_break_the_page(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "bad")
    numbers(Run(tmp_path / "bad" / "discriminator=pixel,seed=1"), l1=None)
    numbers(Run(tmp_path / "bad" / "discriminator=pixel,seed=2"), l1=None)
    file = tmp_path / "bad" / "discriminator=pixel,seed=1" / "metrics.csv"
    file.write_text(re.sub(r"0\.\d+", "nan", file.read_text()))
    comparison = compare([tmp_path / "bad"], page=tmp_path / "page.html", evaluate=False)
    assert leaders_of(comparison, "l1") == ["patch16"]
    assert "NaN" not in re.search(r'id="data">(.*?)</script>', (tmp_path / "page.html").read_text(), re.DOTALL)[1]


def test_a_setting_that_is_infinite_does_not_break_the_page(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "s")
    file = tmp_path / "s" / "discriminator=pixel,seed=1" / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["optimizer"]["clip_norm"] = float("inf")
    file.write_text(yaml.safe_dump(config))
    compare(tmp_path / "s", page=tmp_path / "page.html", evaluate=False)
    assert '"inf"' in (tmp_path / "page.html").read_text()


def test_fid_stands_beside_its_number_of_pictures_and_kid_beside_its_spread(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "s")
    for run in find_runs([tmp_path / "s"]):
        numbers(run, fid=81.5, kid=0.0125)
        file = run.evaluation / "val" / "metrics.json"
        sets = {"spread": {"kid": 0.0031}, "pictures": {"fid": 106, "kid": 106}}
        file.write_text(json.dumps(json.loads(file.read_text()) | sets))
    page = tmp_path / "page.html"
    comparison = compare([tmp_path / "s"], page=page, columns=["l1", "fid", "kid"], evaluate=False)
    for text in (to_markdown(comparison), to_latex(comparison).replace("$\\pm$", "±")):
        assert "81.5 ± 0 (n=2, 106 pictures)" in text
        assert "0.0125 ± 0 (n=2, ± 0.0031 over subsets, 106 pictures)" in text
    assert "<small>n=2, ± 0.0031 over subsets, 106 pictures</small>" in page.read_text(encoding="utf-8")
    rows = list(csv.DictReader(to_csv(comparison).splitlines()))
    assert list(rows[0])[-6:] == ["l1", "fid", "kid", "fid_pictures", "kid_pictures", "kid_spread"]
    assert (rows[0]["fid_pictures"], rows[0]["kid_spread"]) == ("106", "0.0031")


def test_a_comparison_says_on_how_many_pairs_it_is_and_where_they_came_from(sweep, tmp_path, capsys):
    page, table = tmp_path / "page.html", tmp_path / "t.csv"
    pix2pix("compare", sweep, "-o", page, "--csv", table, "--no-evaluate")
    said = re.search(r"Evaluated on (3 pairs: .*)\.", capsys.readouterr().out)
    assert said
    assert f"Evaluated on {said[1]}.</p>" in page.read_text(encoding="utf-8")
    assert {row["pairs"] for row in csv.DictReader(table.read_text().splitlines())} == {said[1]}


def test_two_sweeps_of_the_same_settings_are_told_apart(sweep, tmp_path):
    for name in ("short", "long"):
        shutil.copytree(sweep, tmp_path / name)
        for file in (tmp_path / name).glob("*/config.yaml"):
            file.write_text(file.read_text().replace("max_epochs: 1", f"max_epochs: {len(name)}"))
    comparison = load_comparison(find_runs([tmp_path / "short", tmp_path / "long"]), "val")
    labels = [group.label for group in comparison.groups]
    assert len(set(labels)) == len(labels) == 4


def test_only_the_seed_makes_no_group_of_its_own(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "seeds")
    file = tmp_path / "seeds" / "discriminator=pixel,seed=1" / "provenance.json"
    file.write_text(file.read_text().replace('"data_fingerprint": "', '"data_fingerprint": "other'))
    assert len(load_comparison(find_runs([tmp_path / "seeds"]), "val").groups) == 3


def test_seeds_alone_go_by_the_name_of_their_run(sweep, tmp_path):
    for seed in (1, 2):
        shutil.copytree(sweep / f"discriminator=pixel,seed={seed}", tmp_path / f"seed={seed}")
    (group,) = load_comparison(find_runs([tmp_path]), "val").groups
    assert (group.label, len(group.entries)) == ("synthetic_facades", 2)


def test_numbers_of_another_split_are_not_mixed_in(sweep):
    assert not any(entry.metrics for entry in load_comparison(find_runs([sweep]), "test").entries)


@pytest.fixture(scope="module")
def two_copies(tmp_path_factory) -> Path:
    """A folder `both` of two copies of a run on the pairs in `data`, and other pairs of the same names and sizes."""
    folder = tmp_path_factory.mktemp("copies")
    for name in ("data", "other"):
        for split in ("train", "train", "val"):
            (folder / name / split).mkdir(parents=True, exist_ok=True)
            for number in range(2):
                picture = Image.effect_noise((64, 32), 10 if name == "data" else 90).convert("RGB")
                picture.save(folder / name / split / f"{number}.bmp")
    words = [f"data.path={folder}/data", f"output_dir={folder}", "name=run", "trainer.max_epochs=1"]
    pix2pix("train", *TINY_FOLDER, *words)
    for name in ("a", "b"):
        shutil.copytree(folder / "run", folder / "both" / name)
    return folder


@pytest.fixture
def both(two_copies, tmp_path) -> Path:
    """The same, to do with as a test likes, but for `data` and `other`, which are common to all."""
    shutil.copytree(two_copies / "both", tmp_path / "both")
    return tmp_path / "both"


def l1_of(folder: Path) -> dict[str, float]:
    return {entry.run.path.name: entry.metrics["l1"] for entry in load_comparison(find_runs([folder]), "val").entries}


@pytest.mark.parametrize(
    "options", [{"data": "other"}, {"normalization": "running"}, {"samples": 2}, {"seed": 7}], ids=str
)
def test_an_evaluation_made_otherwise_is_not_taken_for_the_runs_own_nor_replaced(both, two_copies, options):
    options = options | ({"data": two_copies / "other"} if "data" in options else {})
    made = evaluate(Run(both / "a"), **options)
    pix2pix("compare", both)
    assert len(set(l1_of(both).values())) == 1
    assert made.folder.is_dir()
    assert made.totals["l1"] not in l1_of(both).values()


@pytest.mark.parametrize("options", [{"data": "other"}, {"dropout": "off"}, {"samples": 2}], ids=str)
def test_one_in_the_place_of_the_runs_own_is_shown_apart_and_made_anew(both, two_copies, options, capsys):
    options = options | ({"data": two_copies / "other"} if "data" in options else {})
    evaluate(Run(both / "b"))
    evaluate(Run(both / "a"), **options).folder.rename(both / "a" / "evaluation" / "val")
    pix2pix("compare", both, "--no-evaluate")
    output = capsys.readouterr()
    assert "not all evaluated in the same way: a: " in output.err
    assert "±" not in output.out
    (name, value) = next(iter(options.items()))
    assert (f"{name}={value}" if name != "data" else f"on other data, {value}") in output.err
    assert [len(group.entries) for group in load_comparison(find_runs([both]), "val").groups] == [1, 1]
    pix2pix("compare", both)
    assert len(set(l1_of(both).values())) == 1


def test_an_evaluation_that_tells_no_data_is_made_anew_and_never_averaged(both, capsys):
    for name in ("a", "b"):
        file = evaluate(Run(both / name)).folder / "metrics.json"
        summary = json.loads(file.read_text())
        file.write_text(
            json.dumps({k: v for k, v in summary.items() if k not in {"data", "checkpoint_file", "precision"}})
        )
    pix2pix("compare", both, "--no-evaluate")
    output = capsys.readouterr()
    assert "a: its data and checkpoint are not recorded" in output.err
    assert "±" not in output.out
    pix2pix("compare", both)
    assert all(entry.is_final for entry in load_comparison(find_runs([both]), "val").entries)


def test_pairs_that_changed_since_are_evaluated_anew_and_touched_ones_are_not(both, two_copies, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(two_copies / "data", data)
    words = [f"data.path={data}", f"output_dir={tmp_path}/runs", "name=run", "trainer.max_epochs=1"]
    pix2pix("train", *TINY_FOLDER, *words)
    run, file = Run(tmp_path / "runs" / "run"), data / "val" / "0.bmp"
    before = evaluate(run).totals["l1"]
    file.touch()
    assert load_comparison([run], "val").entries[0].mismatches == ()
    date = file.stat().st_mtime_ns
    shutil.copyfile(two_copies / "other" / "val" / "0.bmp", file)
    os.utime(file, ns=(date, date))  # another picture of the same name, size and date
    assert "have changed since" in load_comparison([run], "val").entries[0].mismatches[0]
    pix2pix("compare", run.path)
    (entry,) = load_comparison([run], "val").entries
    assert entry.is_final
    assert entry.metrics["l1"] != before


def test_pairs_that_moved_are_named_for_all_runs(two_copies, tmp_path, capsys):
    shutil.copytree(two_copies / "data", tmp_path / "here")
    words = [f"data.path={tmp_path}/here", f"output_dir={tmp_path}/runs", "name=run", "trainer.max_epochs=1"]
    pix2pix("train", *TINY_FOLDER, *words)
    (tmp_path / "here").rename(tmp_path / "there")
    run = Run(tmp_path / "runs" / "run")
    pix2pix("compare", run.path)
    assert re.search("not evaluated: no folder .* give their folder with --data", "".join(capsys.readouterr()))
    pix2pix("compare", run.path, "--data", tmp_path / "there")
    assert load_comparison([run], "val", data=tmp_path / "there").entries[0].is_final
    assert load_comparison([run], "val", data=two_copies / "other").entries[0].evaluation is None


def test_runs_can_be_compared_on_a_folder_that_is_named(both, two_copies, capsys):
    pix2pix("compare", both, "--data", two_copies / "other")
    assert re.search(r"^\S+ +2 ", capsys.readouterr().out, re.MULTILINE)
    comparison = load_comparison(find_runs([both]), "val", data=two_copies / "other")
    assert all(entry.is_final for entry in comparison.entries)
    assert comparison.entries[0].metrics["l1"] == evaluate(Run(both / "a"), data=two_copies / "other").totals["l1"]


def test_pictures_of_different_data_do_not_stand_in_one_row(both, two_copies, tmp_path):
    evaluate(Run(both / "b"))
    evaluate(Run(both / "a"), data=two_copies / "other").folder.rename(both / "a" / "evaluation" / "val")
    compare([both], page=tmp_path / "page.html", evaluate=False)
    data = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "page.html").read_text(), re.DOTALL)[1])
    assert [len(row["outputs"]) for row in data["rows"]] == [1, 1, 1, 1]


def write_former_evaluations(run: Run) -> Path:
    """Gives a run the evaluations that an earlier version wrote: `val` of the best checkpoint, and one of the last."""
    evaluate(run).folder.rename(run.evaluation / "val,checkpoint=last")
    return evaluate(run, checkpoint="best").folder.rename(run.evaluation / "val")


def test_evaluations_of_an_earlier_version_are_those_of_the_checkpoint_that_they_record(both):
    run = Run(both / "a")
    folder = write_former_evaluations(run)
    of_best, of_last = (load_comparison([run], "val", checkpoint=which).entries[0] for which in ("best", "last"))
    assert (of_best.is_final, of_best.evaluation) == (True, "val")
    assert (of_last.is_final, of_last.evaluation) == (True, "val,checkpoint=last")
    shutil.rmtree(run.evaluation / "val,checkpoint=last")
    assert load_comparison([run], "val").entries[0].evaluation is None
    before = (folder / "metrics.json").read_bytes()
    pix2pix("compare", both)
    assert {file.name for file in run.evaluation.iterdir()} == {"val", "val,checkpoint=best"}
    assert (run.evaluation / "val,checkpoint=best" / "metrics.json").read_bytes() == before
    assert read_record(run.evaluation / "val")["checkpoint"] == "last.ckpt"
    (of_best,) = load_comparison([run], "val", checkpoint="best").entries
    assert (of_best.is_final, of_best.evaluation) == (True, "val,checkpoint=best")


@pytest.mark.parametrize("name", ["last", "best", "last-v1", "best_of_all"])
def test_a_copy_of_a_checkpoint_is_not_taken_for_the_one_that_its_name_begins_with(both, tmp_path, name, caplog):
    """The folder of its evaluation begins like that of the last or best one, which earlier versions named otherwise."""
    run = Run(both / "a")
    folder = tmp_path if name in {"last", "best"} else run.checkpoints
    copy = str(shutil.copyfile(run.last_checkpoint, folder / f"{name}.ckpt"))
    first, second = (evaluate(run, checkpoint=copy).folder for _ in range(2))
    assert (first, [*run.evaluation.iterdir()]) == (second, [first])
    assert load_comparison([run], "val", checkpoint=copy).entries[0].evaluation == first.name
    assert "earlier version" not in caplog.text


def test_a_metrics_file_that_is_damaged_is_as_none(both):
    evaluate(Run(both / "b"))
    whole = read_record(evaluate(Run(both / "a")).folder)
    broken = [whole | {key: wrong} for key in ("data", "checkpoint_file", "inference") for wrong in ([], {}, 3)]
    for content in ("", "[]", '{"metrics": 3}', '{"metrics": {}, "inference": {}}', *map(json.dumps, broken)):
        (both / "a" / "evaluation" / "val").mkdir(parents=True, exist_ok=True)
        (both / "a" / "evaluation" / "val" / "metrics.json").write_text(content)
        assert not load_comparison(find_runs([both]), "val").entries[0].is_final
    pix2pix("compare", both)
    assert len(set(l1_of(both).values())) == 1


def test_a_table_of_pictures_that_a_spreadsheet_saved_is_read_or_made_again(both, capsys):
    table = evaluate(Run(both / "a")).folder / "per_image.csv"
    evaluate(Run(both / "b"))
    whole = table.read_text()
    table.write_text(whole, encoding="utf-8-sig")
    pix2pix("compare", both)
    assert table.read_bytes().startswith(b"\xef\xbb\xbf")  # it was read as it is
    for changed in (whole.replace(",", ";"), "", "\0\0"):
        table.write_text(changed)
        pix2pix("compare", both)
        assert table.read_text() == whole
    table.write_text(whole.replace("0.", "zero ", 1))
    (of_a, _) = load_comparison(find_runs([both]), "val").entries
    assert len(of_a.picture_rows) == len(whole.splitlines()) - 1


def test_a_damaged_run_is_left_out_and_the_others_are_compared(both, caplog, capsys):
    (both / "a" / "provenance.json").write_text("{")
    pix2pix("compare", both, "--no-evaluate")
    assert f"{both / 'a'}: left out of the comparison: {both / 'a' / 'provenance.json'}: cannot be read" in caplog.text
    assert [entry.run.path.name for entry in load_comparison(find_runs([both]), "val").entries] == ["b"]
    with pytest.raises(ValueError, match="cannot be read"):
        load_comparison([Run(both / "a")], "val")


def test_a_run_without_its_configuration_is_named(both, caplog):
    """Its folder is no run any more, and would be missing in the table without a word."""
    (both / "a" / "config.yaml").unlink()
    pix2pix("compare", both, "--no-evaluate")
    assert f"{both / 'a'}: left out of the comparison: it has no config.yaml" in caplog.text


@pytest.mark.parametrize("damaged", ["provenance.json", "config.yaml"])
def test_a_damaged_run_is_named_on_the_page_and_not_evaluated(both, tmp_path, caplog, damaged):
    caplog.set_level("INFO")
    (both / "a" / damaged).write_text("{")
    for words in ((), ("--where", "seed=0")):
        caplog.clear()
        pix2pix("compare", both, "-o", tmp_path / "page.html", *words)
        first = caplog.records[0].message
        assert first.startswith(f"{both / 'a'}: left out of the comparison: {both / 'a' / damaged}: ")
        assert caplog.text.count("left out of the comparison") == 1
        assert f"evaluating {both / 'a'}" not in caplog.text
        assert f"{both / 'a'}: left out of the comparison: " in (tmp_path / "page.html").read_text()


def test_a_run_that_cannot_be_evaluated_is_named_on_the_page_with_the_reason(both, tmp_path, caplog):
    for file in (both / "a" / "checkpoints").iterdir():
        file.write_bytes(b"no checkpoint")
    pix2pix("compare", both, "-o", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert f"{both / 'a'}: not evaluated: " in page
    assert "1 of the runs is not evaluated: left out of means, or shown as provisional (a)." in page
    assert f"{both / 'a'}: not evaluated: " in caplog.text


def test_of_a_run_without_provenance_it_is_said_what_is_unknown(both, capsys):
    (both / "a" / "provenance.json").unlink()
    pix2pix("compare", both, "--no-evaluate")
    said = capsys.readouterr().err
    assert "1 of the runs has no provenance.json, so it is unknown whether it is finished and which pairs" in said
    assert "different data" not in said
    assert "stopped" not in said
    comparison = load_comparison(find_runs([both]), "val")
    states = [entry.state() for entry in comparison.entries]
    assert states == ["unknown, epoch 1 of 1, not evaluated", "finished, not evaluated"]
    assert [len(group.entries) for group in comparison.groups] == [2]


@pytest.mark.parametrize("asked", ["same", "other"])
def test_a_score_is_of_the_scorer_that_is_asked_for(both, tmp_path, asked):
    run = Run(both / "a")
    evaluate(run)
    for name in ("same", "other"):
        (tmp_path / name).write_text(name)
    record = read_record(run.evaluation / "val") | {"scorer": {"path": "x", "sha256": file_sha256(tmp_path / "same")}}
    mismatches = list(EvaluationSpec("val", scorer=tmp_path / asked).find_mismatches(run, run.config(), record))
    assert mismatches == ([] if asked == "same" else ["not evaluated with this scorer"])


def test_scores_of_another_scorer_are_told_where_nothing_is_evaluated(both, capsys):
    for run in find_runs([both]):
        file = evaluate(run).folder / "metrics.json"
        record = json.loads(file.read_text()) | {"scorer": {"path": "x", "sha256": "y"}}
        file.write_text(json.dumps(record))
    pix2pix("compare", both, "--no-evaluate")
    assert "not evaluated with this scorer" not in capsys.readouterr().err
    pix2pix("compare", both, "--no-evaluate", "--scorer", both / "a")
    assert "not evaluated with this scorer" in capsys.readouterr().err
    assert not any(entry.is_final for entry in compare(both, evaluate=False, scorer=both / "a").entries)


def test_runs_are_selected_by_settings_and_the_table_is_arranged(sweep, capsys):
    pix2pix("compare", sweep, "--where", "discriminator=pixel", "--metrics", "ssim,l1", "--no-evaluate")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["discriminator", "runs", "ssim", "l1"]
    assert lines[1].split()[:2] == ["pixel", "2"]
    assert lines[2] == ""  # of the one group

    by_ssim = compare(sweep, columns=["ssim"], sort="ssim", evaluate=False)
    means = [group.mean("ssim") for group in by_ssim.groups]
    assert means == sorted(means, reverse=True)
    assert [run.path.name for run in select_runs(find_runs([sweep]), ["generator=unet", "lr=2e-4", "seed=2"])] == [
        "discriminator=patch16,seed=2",
        "discriminator=pixel,seed=2",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--where", "discriminator"], "write SETTING=VALUE"),
        (["--where", "discriminater=pixel"], r"no run has this setting\. Did you mean discriminator\?"),
        (["--where", "seed=7"], r"none of the 4 runs\. They have seed: 1, 2\."),
        (["--where", "depth=5"], r"have different values: data\.\S+, generator\.depth\. Give the full name"),
        (["--metrics", "lpips"], r"--metrics lpips: no run has this metric\. There are: l1, l2"),
        (["--sort", "colour"], r"--sort colour: neither a metric nor a setting that differs\. There are: .*discrimin"),
    ],
)
def test_a_wrong_selection_is_refused_with_what_there_is(words, message, sweep):
    with pytest.raises(SystemExit, match=message):
        pix2pix("compare", sweep, "--no-evaluate", *words)


def test_the_latex_table_escapes_names_and_marks_directions(sweep, tmp_path):
    pix2pix("compare", sweep, "--no-evaluate", "--latex", tmp_path / "t.tex", "--metrics", "l1,lab_l")
    text = (tmp_path / "t.tex").read_text()
    assert text.startswith(
        "\\begin{tabular}{llrr}\n\\toprule\ndiscriminator & runs & l1 $\\downarrow$ & lab\\_l $\\uparrow$"
    )
    assert text.count("$\\pm$") == 4  # two groups of two metrics
    assert text.rstrip().endswith("\\end{tabular}")


def test_paired_tests_are_of_the_same_pictures_and_seeds(sweep, capsys):
    pix2pix("compare", sweep, "--no-evaluate", "--metrics", "l1", "--paired")
    assert re.search(r"metric +group +best +difference \(95 %\) +p over pictures \(n\)", capsys.readouterr().out)
    (test,) = compare_with_best(compare(sweep, evaluate=False), "l1")

    def picture_means(name):
        runs = [Run(sweep / f"discriminator={name},seed={seed}") for seed in (1, 2)]
        texts = [(run.evaluation / "val" / "per_image.csv").read_text() for run in runs]
        tables = [list(csv.DictReader(text.splitlines())) for text in texts]
        return [statistics.fmean(float(row["l1"]) for row in rows) for rows in zip(*tables, strict=True)]

    differences = [a - b for a, b in zip(picture_means(test.group), picture_means(test.best), strict=True)]
    assert test.difference == pytest.approx(statistics.fmean(differences))
    assert test.difference >= 0  # the best has the lowest l1
    assert (test.pictures, test.seeds) == (len(differences), 2)
    assert test.p_pictures == flip_signs(differences)
    assert test.interval[0] <= test.difference <= test.interval[1]


def test_a_seed_counts_once_and_only_with_finite_numbers(sweep):
    """Two runs of one seed are one difference; that of infinite numbers would be nothing, and its p-value 0."""
    comparison = compare(sweep, evaluate=False)
    group, best = comparison.groups
    for number, entry in enumerate([*group.entries, *best.entries]):
        entry.metrics["l1"] = [0.5, 0.7, 0.1, 0.2][number]
    (test,) = compare_with_best(comparison, "l1")
    assert (test.seeds, test.p_seeds) == (2, 0.5)
    group.entries[1].metrics["l1"] = math.inf
    (test,) = compare_with_best(comparison, "l1")
    assert (test.seeds, test.p_seeds) == (1, None)
    group.entries[1].metrics["l1"] = 0.7
    group.entries[1].config = best.entries[1].config = group.entries[0].config
    (test,) = compare_with_best(comparison, "l1")
    assert (test.difference, test.seeds, test.p_seeds) == (pytest.approx(0.45), 1, None)


def test_sign_flips_by_hand():
    assert flip_signs([1.0, 2.0, 3.0]) == 2 / 8  # only +++ and --- are as far from 0
    assert flip_signs([1.0, 1.0, -1.0]) == 1.0  # every sum is at least 1 from 0
    assert flip_signs([0.0, 0.0]) == 1.0
    assert flip_signs([0.1] * 30) == pytest.approx(1 / 20_001)  # beyond 14 differences, random signs


def test_differences_are_in_the_same_order_in_every_process():
    assert paired_differences({"b": 2.0, "a": 1.0, "c": 5.0}, {"a": 0.5, "b": 0.5}) == [0.5, 1.5]


def test_holm_by_hand():
    assert correct_holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert correct_holm([0.9, 0.8]) == [1.0, 1.0]
