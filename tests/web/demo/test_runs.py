"""What is shown, under which names, with which canvas, and the pictures to start from."""

import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from pix2pix.data.images.class_colours import CMP_FACADES
from pix2pix.runs.run import Run
from pix2pix.web.demo.runs import _unique_names, describe_canvas, load_runs
from pix2pix.web.demo.sample_pictures import Sample, are_line_drawings, find_samples
from tests.conftest import TINY, pix2pix
from tests.web.demo.conftest import picture, serving


@pytest.fixture(scope="module")
def reverse(tmp_path_factory):
    """A run from photos to label maps."""
    folder = tmp_path_factory.mktemp("reverse")
    pix2pix(
        "train",
        *TINY,
        "data.direction=AtoB",
        "data.one_hot=true",
        "trainer.max_epochs=1",
        f"output_dir={folder}",
        "name=reverse",
    )
    return folder / "reverse"


def change(run: Run, **settings) -> Run:
    config = run.config().to_mapping()
    config["data"] |= settings
    run.config_file.write_text(yaml.safe_dump(config))
    return run


def test_a_sweep_is_shown_whole_and_what_is_no_run_is_passed_over(two_runs):
    folder = two_runs[0].parent
    assert [run.name for run in load_runs([folder])] == ["patch16", "pixel"]
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "multirun.yaml").touch()
    assert [run.name for run in load_runs(sorted(folder.iterdir()))] == ["patch16", "pixel"]


def test_runs_with_different_inputs_are_chosen_on_a_page(tiny_run, reverse, tmp_path, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("pix2pix.web.dashboard.serve", lambda folder, **options: served.append((folder, options)))
    monkeypatch.setattr("pix2pix.web.demo.serve.serve", lambda runs, **options: served.append(runs))
    for name, run in (("labels", tiny_run.path), ("photos", reverse)):
        shutil.copytree(run, tmp_path / name)
    pix2pix("demo", tmp_path, "--no-browser")
    assert served.pop() == (
        tmp_path,
        {"port": 0, "open_browser": False, "demo_options": ["--checkpoint=last", "--device=auto"]},
    )
    assert "take different inputs. Tick runs on this page" in capsys.readouterr().out
    pix2pix("demo", tmp_path, "--no-browser", "--seed", 3, "--dropout", "off", "--trust", "a", "--trust", "b")
    words = served.pop()[1]["demo_options"]
    assert {"--seed=3", "--dropout=off", "--trust=a", "--trust=b"} <= {*words}  # for the demos that the page starts
    pix2pix("demo", tmp_path, "--no-browser", "--allow-host", "demo.example")
    assert served.pop() == (str(tmp_path),)  # the page answers no other names; the demo refuses the runs in words
    pix2pix("demo", tmp_path / "labels", "--no-browser")
    assert served == [(str(tmp_path / "labels"),)]


def test_a_checkpoint_file_is_enough(tiny_run, tmp_path):
    shutil.copy(tiny_run.checkpoint("best"), tmp_path / "mine.ckpt")
    (run,) = load_runs([tmp_path / "mine.ckpt"])
    assert run.name == "mine.ckpt"
    assert run.size == (32, 32)


def test_a_damaged_record_of_sessions_stops_no_demo(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    Run(tmp_path / "run").provenance_file.write_text("{")
    (run,) = load_runs([tmp_path / "run"])
    assert "Generator" in run.description()["about"]


def test_a_number_in_a_name_says_of_what_it_is():
    sweep = [Path(f"sweep/objective.l1_weight={weight},seed=1") for weight in (10, 100)]
    assert _unique_names(sweep) == ["l1_weight=10", "l1_weight=100"]


def test_runs_of_one_name_are_told_apart_by_their_folders(tiny_run, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(tiny_run.path, tmp_path / place / "tiny")
    assert [e.name for e in load_runs([tmp_path / "a" / "tiny", tmp_path / "b" / "tiny"])] == ["a/tiny", "b/tiny"]


def test_what_is_no_run_is_refused_in_words(tmp_path):
    with pytest.raises(FileNotFoundError, match="no runs here"):
        load_runs([tmp_path])
    with pytest.raises(FileNotFoundError, match="no run in these paths"):
        load_runs([tmp_path, tmp_path])


def test_one_drawing_does_not_serve_runs_of_different_inputs(tiny_run, reverse):
    with pytest.raises(ValueError, match="take different inputs"):
        load_runs([tiny_run.path, reverse])


def test_the_canvas_is_made_for_the_input(tiny_run, reverse):
    labels = describe_canvas(load_runs([tiny_run.path]), is_line_drawing=False)
    assert (labels["kind"], len(labels["brushes"]), labels["paper"]) == ("labels", 12, "#0000aa")
    photo = describe_canvas(load_runs([reverse]), is_line_drawing=False)
    assert (photo["kind"], photo["paper"]) == ("photo", "#ffffff")
    edges = describe_canvas(load_runs([reverse]), is_line_drawing=True)
    assert (edges["kind"], len(edges["brushes"])) == ("edges", 1)


def test_label_maps_are_answered_in_their_colours_in_every_format(reverse):
    with serving(reverse, samples=False) as served:
        answers = {kind: served.translate(picture(), f"?format={kind}").picture for kind in ("png", "webp", "jpg")}
    colours = {tuple(colour) for _, colour in answers["png"].convert("RGB").getcolors()}
    assert colours <= set(CMP_FACADES.values())
    assert all(answer.size == (32, 32) for answer in answers.values())


def test_lines_on_paper_are_told_from_photos_and_labels(tiny_run, reverse):
    paper = Image.new("RGB", (32, 32), "white")
    paper.paste("black", (10, 5, 12, 28))
    assert are_line_drawings([Sample(paper, paper)])
    assert not are_line_drawings([])
    for run in (tiny_run.path, reverse):
        assert not are_line_drawings(find_samples(load_runs([run])[0]))


def test_samples_are_pairs_of_the_test_set(tiny_run):
    samples = find_samples(load_runs([tiny_run.path])[0])
    assert len(samples) == 2
    assert all(picture.size == (32, 32) for sample in samples for picture in sample)


def test_when_the_data_are_gone_the_evaluation_has_them(run, tmp_path):
    pix2pix("evaluate", run.path, "--split", "test")
    before = find_samples(load_runs([run.path])[0])
    gone = change(run, source={"_target_": "pix2pix.data.PairFolder", "path": str(tmp_path / "gone")})
    checkpoint_config(gone)
    after = find_samples(load_runs([run.path])[0])
    assert [s.input.tobytes() for s in after] == [s.input.tobytes() for s in before]


def test_when_that_is_gone_too_the_sample_sheets_have_some(run, tmp_path):
    checkpoint_config(change(run, source={"_target_": "pix2pix.data.PairFolder", "path": str(tmp_path / "gone")}))
    samples = find_samples(load_runs([run.path])[0])
    assert len(samples) == 3
    sheet = Image.open(run.path / "samples" / "val_epoch0002.png").convert("RGB")
    first = sheet.crop((4, 20, 132, 148)).resize((32, 32), Image.Resampling.NEAREST)
    assert samples[0].input.convert("RGB").tobytes() == first.tobytes()
    assert len(samples[0].input.convert("RGB").getcolors()) < 400  # a label map, not a photo


def test_where_nothing_is_left_facades_are_drawn_for_a_run_that_knows_their_labels(run, tmp_path):
    gone = {"_target_": "pix2pix.data.PairFolder", "path": str(tmp_path / "gone")}
    shutil.rmtree(run.path / "samples")
    checkpoint_config(change(run, source=gone))
    (loaded,) = load_runs([run.path])
    samples = find_samples(loaded)
    assert len(samples) == 12
    assert {colour for _, colour in samples[0].input.getcolors()} <= set(CMP_FACADES.values())
    checkpoint_config(change(run, source=gone, palette=None))
    assert find_samples(load_runs([run.path])[0]) == []


def checkpoint_config(run: Run) -> None:
    """Lets the checkpoint, which carries its configuration, say what the run's file says."""
    import torch

    content = torch.load(run.checkpoint("last"), weights_only=True)
    content["config"] = run.config().to_mapping()
    torch.save(content, run.checkpoint("last"))
    (run.checkpoints / "SHA256SUMS").unlink(missing_ok=True)  # they are of the file as it was trained
