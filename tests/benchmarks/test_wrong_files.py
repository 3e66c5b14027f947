"""The programs of benchmarks/ and scripts/ say in a sentence which file or folder is not what they need."""

import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def refusal(monkeypatch, program: str, *words: str | Path) -> str:
    """What a program says when it ends; an argument that it refuses itself is exit code 2."""
    monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / program), run_name="__main__")
    return str(end.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("", "cannot be read (it is no JSON)"),
        ("[1]", "has no items.good.results, so it is not of this program"),
        ('{"items": {"fast": {}}}', "has no items.good.results"),
        (json.dumps({"items": {"good": {"results": {"paper_s1": {"lpips": 1}}}}}), "papper: there is no such run"),
    ],
)
def test_the_table_of_gpu_results_needs_a_file_of_them(monkeypatch, tmp_path, content, reason):
    if content is not None:
        (tmp_path / "file.json").write_text(content)
    said = refusal(monkeypatch, "benchmarks/gpu/tables.py", tmp_path / "file.json", "papper")
    assert reason in said


@pytest.mark.parametrize(("program", "flag"), [("benchmark.py", "--check"), ("benchmark_growth.py", "--show")])
@pytest.mark.parametrize("content", [None, "", "[]"])
def test_records_to_read_are_named_if_they_are_none(monkeypatch, tmp_path, program, flag, content):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as of `python benchmarks/...`
    if content is not None:
        (tmp_path / "file.json").write_text(content)
    said = refusal(monkeypatch, f"benchmarks/{program}", flag, tmp_path / "file.json")
    assert said.startswith(f"{tmp_path / 'file.json'}: ")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("scripts/baselines.py", []),
        ("scripts/output_variation.py", []),
        ("scripts/sheet_of_test_pictures.py", ["--output", "x.png"]),
        ("scripts/side_by_side.py", ["--output", "x.png"]),
        ("scripts/plot_curves.py", ["--output", "x.png"]),
        ("benchmarks/film_flicker.py", []),
        ("benchmarks/shift_cost.py", []),
        ("benchmarks/benchmark_data.py", []),
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_without_what_is_read_is_named(monkeypatch, capsys, tmp_path, program, words, is_there):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "folder"
    if is_there:
        folder.mkdir()
    said = refusal(monkeypatch, program, folder, *words)
    assert str(folder) in said + capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_a_run_that_is_not_evaluated_has_no_sheet_and_is_told_the_command(monkeypatch, tiny_run, tmp_path):
    said = refusal(monkeypatch, "scripts/side_by_side.py", tiny_run.path, "--split", "test", "--output", tmp_path / "x")
    assert f"Write pix2pix evaluate {tiny_run.path} --split test" in said


def test_a_commit_that_is_not_there_is_named(monkeypatch):
    assert refusal(monkeypatch, "scripts/measure_structure.py", "nosuch").startswith("nosuch: ")
