"""Arguments that would do something else than was meant are refused in words, by commands and by functions."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix import compare, evaluate, load_translator
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.export.export import export
from pix2pix.inference.files import translate_files
from tests.conftest import pix2pix


@pytest.fixture(scope="module")
def translator(tiny_run):
    return load_translator(tiny_run.path)


@pytest.mark.parametrize(
    "words",
    [
        ["translate", "facades", ""],
        ["translate", "facades", "x.png", "--output", " "],
        ["translate", "", "x.png"],
        ["evaluate", "run", "--data="],
        ["compare", ""],
        ["export", "run", "-o", ""],
        ["data", "check", ""],
    ],
    ids=" ".join,
)
def test_an_empty_word_of_a_command_is_not_taken_for_the_current_directory(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        pix2pix(*words)
    assert "an argument is empty" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, r"limit=0: must be a whole number of at least 1"),
        ({"limit": -1}, "limit=-1"),
        ({"limit": math.nan}, "limit=nan"),
        ({"samples": 0}, "samples=0"),
        ({"samples": 1.5}, r"samples=1\.5"),
        ({"split": "validation"}, "split='validation': must be train, val or test"),
        ({"data": ""}, "data='': is empty"),
        ({"output": ""}, "output='': is empty"),
        ({"scorer": ""}, "scorer='': is empty"),
        ({"seed": -1}, "seed=-1"),
        ({"normalization": "instance"}, "normalization='instance': must be batch or running"),
        ({"dropout": True}, "dropout=True: must be on or off"),
    ],
    ids=str,
)
def test_evaluate_refuses_options_out_of_their_range(run, options, said):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(ValueError, match=said):
        evaluate(run, **options)
    assert sorted(run.path.rglob("*")) == before


@pytest.mark.parametrize("function", [evaluate, compare, load_translator, lambda run: export(run, "onnx")])
def test_an_empty_run_is_not_the_current_directory(function):
    with pytest.raises(ValueError, match=r"run='': is empty. Give a path; '\.' is the current directory"):
        function("")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "x"}, "split='x': must be"),
        ({"pictures": -1}, "pictures=-1"),
        ({"data": ""}, "data='': is empty"),
        ({"page": "."}, r"--output \.: is a folder\. Name a file, such as comparison\.html"),
        ({"where": "generator"}, "--where generator: write SETTING=VALUE"),
        ({"columns": "beauty"}, "--metrics beauty: no run has this metric"),
    ],
    ids=str,
)
def test_compare_refuses_options_out_of_their_range(tiny_run, options, said):
    with pytest.raises(ValueError, match=said):
        compare(tiny_run, evaluate=False, **options)
    with pytest.raises(ValueError, match="no runs: give runs"):
        compare([], evaluate=False)


@pytest.mark.parametrize(
    ("picture", "kind", "said"),
    [
        ("", ValueError, "picture 1='': is empty"),
        ("gone.png", FileNotFoundError, r"gone\.png: no such picture"),
        (None, ValueError, "picture 1: NoneType is no picture"),
        (b"bytes", ValueError, "bytes is no picture"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"shape \(0, 4, 3\)"),
        (np.zeros(8, np.uint8), ValueError, r"shape \(8,\)\. Give \(H, W\)"),
    ],
    ids=str,
)
def test_the_translator_refuses_what_is_no_picture(translator, picture, kind, said):
    with pytest.raises(kind, match=said):
        translator(picture)


@pytest.mark.parametrize("options", [{"samples": 0}, {"samples": -1}, {"seed": -1}, {"seed": 1.5}], ids=str)
def test_the_translator_refuses_options_out_of_their_range(translator, options):
    with pytest.raises(ValueError, match="must be a whole number of at least"):
        translator(Image.new("RGB", (32, 32)), **options)
    with pytest.raises(ValueError, match="no picture: give a path"):
        translator()


@pytest.mark.parametrize("options", [{"tile": 0}, {"overlap": -1}, {"batch_size": 0}, {"tile": 1.5}], ids=str)
def test_a_translator_is_not_made_with_options_out_of_their_range(tiny_run, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}=.*: must be a whole number of at least"):
        load_translator(tiny_run.path, **options)


def test_a_single_path_is_one_input_and_not_a_list_of_letters(translator, tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert translate_files(translator, str(tmp_path / "a.png"), str(tmp_path / "out")).written == 1
    assert [file.name for file in (tmp_path / "out").glob("*.png")] == ["a.png"]


@pytest.mark.parametrize(
    ("inputs", "options", "said"),
    [
        ([], {}, "no inputs: give files"),
        ([""], {}, "input='': is empty"),
        (["a.png"], {"suffix": "xyz"}, "suffix='xyz': no file format of pictures"),
        (["a.png"], {"suffix": ""}, "suffix=''"),
        (["a.png"], {"samples": 0}, "samples=0"),
    ],
    ids=str,
)
def test_translate_files_refuses_what_names_no_input_or_format(translator, tmp_path, inputs, options, said):
    with pytest.raises(ValueError, match=said):
        translate_files(translator, inputs, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_output_folder_and_a_folder_no_file(translator, tiny_run, tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ValueError, match=r"a\.png: is a file\. Name a folder"):
        translate_files(translator, [tmp_path / "a.png"], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(IsADirectoryError, match=r"is a folder\. Name a file"):
        write_text_atomic(tmp_path, "text")
    with pytest.raises(SystemExit, match=r"is a folder\. Name a file"):
        pix2pix("compare", tiny_run.path, "--no-evaluate", "-o", tmp_path / "p.html", "--csv", tmp_path)
    assert sorted(Path(file).name for file in tmp_path.iterdir()) == ["a.png", "p.html"]


def test_what_is_no_run_directory_needs_a_place_for_its_results(tiny_run):
    for translator in ("facades", "hf://user/name", tiny_run.last_checkpoint):
        with pytest.raises(ValueError, match=r"is no run directory, which would hold the results\. Set --output DIR"):
            evaluate(translator)


def test_an_export_of_an_unknown_format_is_refused(tiny_run):
    with pytest.raises(ValueError, match="format='tflite': must be onnx, safetensors, exported-program or web"):
        export(tiny_run.path, "tflite")
