"""The program that measures a GPU, without one: what it leaves on disk whatever happens to its items."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.gpu import __main__ as program
from benchmarks.gpu import fast, plan, training
from benchmarks.gpu.notes import Notes
from pix2pix.training.cuda_graph import CUDAGraphStep
from tests.conftest import DATASETS, needs_datasets

ROOT = Path(__file__).parents[1]


def well(options, notes):
    notes.put("numbers", {"ms": 1.5})


def badly(options, notes):
    notes.put("before", 1)
    with notes.record_errors("something"):
        raise RuntimeError("CUDA error: no kernel image")
    raise OSError("and then this")


def for_ever(options, notes):
    notes.put("before", 2)
    time.sleep(600)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_what_was_found_is_on_disk_whatever_happens_to_an_item(tmp_path, monkeypatch):
    items = {"well": (well, 0, 30), "badly": (badly, 0, 30), "for_ever": (for_ever, 0, 1), "long": (well, 10_000, 10)}
    monkeypatch.setattr(program, "PARTS", {"fast": items})
    for name in ("PYTHONWARNINGS", "PIX2PIX_TRUSTED_MODULES", "PYTORCH_NVML_BASED_CUDA_CHECK"):
        monkeypatch.setenv(name, "")  # and given back
    words = ["--data", "data", "--out", str(tmp_path), "--parts", "fast", "--device", "cpu", "--seconds", "10050"]
    monkeypatch.setattr(sys, "argv", ["gpu", *words])
    with pytest.raises(SystemExit) as error:
        program.main()
    assert error.value.code, "a finding is a failure"
    content = json.loads((tmp_path / "gpu_fast.json").read_text())
    assert content["command"][-10:] == words
    assert content["machine"]["commit"]
    outcomes = {name: item["outcome"] for name, item in content["items"].items()}
    assert outcomes == {"well": "done", "badly": "ended with 1", "for_ever": "out of time", "long": program.SKIPPED}
    assert content["items"]["well"]["results"] == {"numbers": {"ms": 1.5}}
    assert content["items"]["badly"]["results"] == {"before": 1}
    assert [found["what"] for found in content["items"]["badly"]["findings"]] == [
        "something fails",
        "fast.badly broke off",
    ]
    assert content["items"]["for_ever"]["results"] == {"before": 2}
    assert "CUDA error: no kernel image" in content["items"]["badly"]["findings"][0]["said"][-1]


def test_an_unknown_part_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu", "--data", "data", "--out", "out", "--parts", "corect"])
    with pytest.raises(SystemExit):
        program.options()
    assert "there is no corect; choose from correct, fast, train, good, several" in capsys.readouterr().err


def test_the_time_of_a_training_is_shared_out_by_its_clock():
    at = {"training_begins": [2.0], "epoch_begins": [2.0, 6.0], "step": [3.0, 4.0, 7.0, 7.5, 8.0, 8.5, 9.0]}
    at |= {"steps_end": [4.0, 9.0], "validation_begins": [4.0, 9.0], "validation_ends": [5.0, 9.5]}
    at |= {"saving_begins": [5.0], "saving_ends": [5.5], "training_ends": [10.0]}
    found = training.time_per_phase(SimpleNamespace(started=1.0, read_clock=lambda: at))
    assert found == {
        "start": 1.0,
        "steps": 5.0,
        "validation": 1.5,
        "saving": 0.5,
        "images_per_second": 2.0,
        "second_epoch": (6.0, 10.0),
        "second_epoch_seconds": 4.0,
    }


def test_a_side_is_told_as_medians_and_as_a_ratio_to_the_authors(tmp_path):
    options = SimpleNamespace(work=str(tmp_path), item="fast.batch_16", until=0.0, tiny=False)
    (tmp_path / "fast.ceilings.json").write_text(json.dumps({"results": {"ceilings": {"matmul_tflops": 800.0}}}))
    notes = Notes(options)
    fast.report(
        options, notes, 16, {"authors": [4.0, 4.0, 4.0], "graph": [1.0, 2.0, 3.0]}, {"authors": {}, "graph": {}}
    )
    graph = notes.data["results"]["graph"]
    assert (graph["ms"], graph["times_as_fast_as_authors"], graph["images_per_second"]) == (2.0, 2.0, 8000.0)
    assert graph["share_of_matmul"] == pytest.approx(86.9 * 16 / 2 / 800)


def test_our_side_records_its_step_where_it_is_told_to(tmp_path):
    """Against the newest signature of CUDAGraphStep, with the stand-in for a graph."""
    options = SimpleNamespace(tiny=True, device="cpu")
    step = fast.ours(options, "graph, bf16, channels_last", 1)
    turn = fast.batches(options, 1)[0]
    assert isinstance(step.step, CUDAGraphStep)
    for _ in range(5):
        assert step(*turn)["losses"].keys() == {"d_real", "d_fake", "g_gan", "g_l1"}
    assert step.step.recorded_shapes is not None


@pytest.mark.slow
@needs_datasets
def test_every_part_runs_on_a_cpu(tmp_path):
    words = ["--data", str(DATASETS), "--parity", str(DATASETS.parent / "parity"), "--device", "cpu", "--tiny"]
    command = [sys.executable, "-m", "benchmarks.gpu", *words, "--out", str(tmp_path), "--seconds", "600"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert {file.stem for file in tmp_path.glob("*.json")} == {f"gpu_{part}" for part in program.PARTS}


def test_the_parts_that_pay_are_chosen_by_the_spread_of_seeds():
    def runs(name: str, lpips: float, iou: float, kid: float) -> dict[str, dict[str, float]]:
        metrics = {"lpips": lpips, "score_class_iou": iou, "kid": kid}
        return {
            f"{name}_s{seed}": {key: value * (1 + 0.001 * seed) for key, value in metrics.items()} for seed in (1, 2)
        }

    done = runs("paper", 0.4, 0.28, 9) | runs("resize", 0.38, 0.28, 5) | runs("ema", 0.42, 0.285, 9)
    done |= runs("linear", 0.39, 0.30, 8) | runs("cosine", 0.38, 0.30, 8) | runs("hinge", 0.4, 0.28, 9)
    done |= {"r1_s1": {"lpips": 0.1, "score_class_iou": 0.9, "kid": 1}}
    assert plan.choose_better(done) == ["resize", "cosine"]  # one of two schedules; r1 has one run
