"""Exported files of runs on derived inputs take photos, and derive the inputs as the training did."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.data.images.decode import pil_to_tensor
from pix2pix.data.sources.derivations import derive_input
from pix2pix.export.derivation import make_derivation
from pix2pix.export.export import export
from pix2pix.export.graph import InferenceGraph, describe, dynamic_shapes
from pix2pix.export.onnx import export_onnx, open_session
from pix2pix.inference.generator import TrainedGenerator, load_generator
from tests.conftest import DATASETS, TINY_FOLDER, make_config, needs_datasets, pix2pix

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def derived(operation: str, *words: str):
    return make_config("data=derived", "data.path=x", f"data.operation={operation}", *words)


def real_photo(width: int, height: int) -> torch.Tensor:
    with Image.open(sorted((DATASETS / "facades").rglob("*.jpg"))[0]) as image:
        return pil_to_tensor(image.crop((0, 0, width, height)), "RGB")


@needs_datasets
@pytest.mark.parametrize(
    ("operation", "words", "most"),
    [
        ("grayscale", [], 0),
        ("blur", [], 1),
        ("superres", [], 1),
        ("superres", ["data.source.amount=3"], 1),
        ("superres", ["data.source.amount=8"], 1),
    ],
    ids=str,
)
def test_tensors_derive_what_the_training_derives_within_a_level(operation, words, most):
    data = derived(operation, *words).data
    derivation = make_derivation(data, 32)
    assert derivation is not None
    # A seed, because the uint8 arithmetic of `superres` differs by two levels in a few noise pictures of a hundred.
    noise = torch.randint(0, 256, (3, 48, 72), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for photo in (real_photo(120, 96), noise):
        expected = derive_input(photo, "", operation, data.source.get("amount"))
        assert (derivation(photo[None])[0].int() - expected.int()).abs().max() <= most


def test_grain_is_added_in_the_strength_of_the_training():
    derivation = make_derivation(derived("noise", "data.source.amount=10").data, 32)
    assert derivation is not None
    photo, grain = torch.full((1, 3, 4, 4), 250, dtype=torch.uint8), torch.full((1, 3, 4, 4), 1.0)
    assert derivation(photo, -grain).unique().tolist() == [240]
    assert derivation(photo, grain).unique().tolist() == [255]


@pytest.fixture(scope="module")
def hole_run(tmp_path_factory):
    """A run that fills holes."""
    folder = tmp_path_factory.mktemp("holes")
    (folder / "photos").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    words = [*TINY_FOLDER[1:], "data=derived", "data.operation=inpaint", f"data.path={folder}/photos"]
    words.append("generator.depth=2")  # so that exports take little time
    pix2pix("train", *words, "trainer.max_epochs=1", f"output_dir={folder}", "name=holes")
    return folder / "holes"


def test_a_hole_is_given_as_a_mask_and_filled_as_the_translator_fills_it(hole_run, tmp_path):
    report = export(hole_run, "onnx", tmp_path / "holes.onnx", dropout="off")
    assert "mask: uint8 (batch, 1, 4 h, 4 w), not 0 in the hole" in report
    photo = np.random.default_rng(9).integers(0, 256, (64, 96, 3), np.uint8)
    derived_photo = derive_input(torch.from_numpy(photo).movedim(-1, 0), "a", "inpaint", None).movedim(0, -1).numpy()
    mask = (derived_photo != photo).any(axis=-1)[None, None].astype(np.uint8)
    given = {"image": photo.transpose(2, 0, 1)[None], "mask": mask}
    (output,) = open_session(tmp_path / "holes.onnx").run(None, given)
    expected = load_translator(hole_run, dropout="off", scale="own")(photo, name="a")
    assert np.abs(output[0].transpose(1, 2, 0).astype(int) - expected).max() <= 1


def test_without_deriving_the_file_takes_inputs(hole_run, tmp_path):
    about, _ = export_onnx(hole_run, tmp_path / "inputs.onnx", dropout="off", derive=False)
    assert about["derivation"] == {"operation": "inpaint", "amount": 0.5, "inside": False, "inputs": []}
    assert [each.name for each in open_session(tmp_path / "inputs.onnx").get_inputs()] == ["image"]


def untrained(hole_run, *words: str) -> TrainedGenerator:
    """The generator of a run as if it had been trained on another derivation with as many channels."""
    trained = load_generator(hole_run, dropout="off")
    data = derived(*words).data
    config = trained.config.replace(data=trained.config.data.replace(operation=words[0], source=data.source))
    return TrainedGenerator(
        config, trained.generator, trained.inference, trained.checkpoint, trained.step, trained.device
    )


def test_low_resolution_stands_in_an_exported_program_for_any_size(hole_run):
    trained = untrained(hole_run, "superres", "data.source.amount=3")
    graph = InferenceGraph(trained).eval()
    assert graph.multiple == 12  # of the network's 4 and the squares' 3
    program = torch.export.export(graph, graph.example(2, 2, 3), dynamic_shapes=dynamic_shapes(graph))
    photo = torch.randint(0, 256, (1, 3, 192, 96), dtype=torch.uint8)
    inputs = derive_input(photo[0], "", "superres", 3.0)[None]
    with torch.no_grad():
        found = program.module(check_guards=False)(photo, [])
        expected = InferenceGraph(trained, derive=False).eval()(inputs)
    assert (found.int() - expected.int()).abs().float().mean() < 0.5


def test_what_tensors_cannot_derive_is_said_to_be_left_out(hole_run):
    for words in (["superres", "data.source.amount=2.5"], ["edges"]):
        graph = InferenceGraph(untrained(hole_run, *words))
        assert graph.derivation is None
        about = describe(untrained(hole_run, *words), graph)
        assert about["derivation"]["inside"] is False


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("safetensors", {"derive": False}, "--pixels and --no-derive do not apply to safetensors"),
        ("safetensors", {"opset": 20}, "--opset applies to ONNX files"),
        ("onnx", {"onnxruntime": "x"}, "--onnxruntime applies to --format web alone"),
        ("web", {"derive": False}, "--no-derive does not apply to web"),
    ],
)
def test_options_of_other_formats_are_refused(hole_run, tmp_path, kind, options, words):
    with pytest.raises(ValueError, match=words):
        export(hole_run, kind, tmp_path / "file", **options)
    assert not list(tmp_path.iterdir())
