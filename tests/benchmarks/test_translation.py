"""The authors' test loop, the other side of evaluation and translation, does what ours do."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import reference_test_loop
from benchmarks.translation_contenders import part, reference_network
from pix2pix import load_translator
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.inference.files import translate_files
from pix2pix.runs.run import Run
from tests.conftest import DATASETS, needs_datasets

ROOT = Path(__file__).parents[2]
PICTURES = 3


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A run of a narrow U-Net, its weights as the reference has them, real pairs and single pictures."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    importlib.import_module("benchmark_translation").prepare(tmp_path, DATASETS / "facades", PICTURES, width=8)
    return tmp_path


def levels_apart(one: Path, other: Path) -> int:
    a, b = (np.asarray(Image.open(file).convert("RGB"), int) for file in (one, other))
    return np.abs(a - b).max()


@needs_datasets
def test_their_loop_and_evaluate_write_the_same_pictures(place):
    network, pairs = reference_network(place, dropout=0.0), reference_test_loop.Pairs(sorted(place.glob("pairs/*")))
    reference_test_loop.run(network, pairs, place / "theirs", source="B")
    result = evaluate(Run(place / "outputs/run"), split="test", data=part(place, PICTURES), dropout="off")
    for number in range(PICTURES):
        for theirs, ours in (("real_A", "input"), ("fake_B", "output"), ("real_B", "target")):
            file = place / "theirs/images" / f"{number:05}_{theirs}.png"
            assert levels_apart(file, result.folder / "images" / f"{number:05}_{ours}.png") <= 1


@needs_datasets
def test_their_loop_and_translate_write_the_same_pictures(place):
    files = sorted(place.glob("singles/*"))
    network = reference_network(place, dropout=0.0)
    reference_test_loop.run(network, reference_test_loop.Singles(files), place / "theirs", source="A")
    translate_files(load_translator(place / "outputs/run", dropout="off"), files, place / "ours")
    for file in files:
        theirs = place / "theirs/images" / f"{file.stem}_fake_B.png"
        assert levels_apart(theirs, place / "ours" / f"{file.stem}.png") <= 1


@needs_datasets
@pytest.mark.slow
def test_the_benchmark_writes_what_it_measured(tmp_path):
    file = tmp_path / "result.json"
    words = ["--what", "translation", "--sides", "reference_single", "translate", "--width", "4", "--threads", "1"]
    few = ["--rounds", "2", "--pictures", "2", "--json", str(file)]
    command = [sys.executable, "benchmarks/benchmark_translation.py", str(DATASETS / "facades"), *words, *few]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    content = json.loads(file.read_text())
    assert content["machine"]["pillow"]
    assert content["translation"]["reference_single"]["times_as_fast"]["median"] == 1.0
    assert content["translation"]["translate"]["ms"]["median"] > 0


def test_the_cost_of_a_pixel_is_measured_for_each_size(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    program, threads = importlib.import_module("large_pictures"), torch.get_num_threads()
    words = ["--sizes", "64", "520", "--tile", "512", "--rounds", "2", "--json", str(tmp_path / "result.json")]
    monkeypatch.setattr(sys, "argv", ["large_pictures.py", *words])
    try:
        program.main()
    finally:
        torch.set_num_threads(threads)
    rows = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert list(rows) == ["64", "520"]
    assert all(len(values) == 2 and min(values) > 0 for row in rows.values() for values in row.values())
    assert capsys.readouterr().out.count("\n| ") == 2
