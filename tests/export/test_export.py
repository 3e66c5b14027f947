"""`pix2pix export`: files that compute what the run computes, for any size, and say what they take."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from pix2pix import load_translator
from pix2pix.data.images.decode import pil_to_tensor
from pix2pix.export.graph import InferenceGraph, dynamic_shapes
from pix2pix.export.onnx import export_onnx
from pix2pix.export.parity import measure_difference
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.mode import InferenceMode, make_noise
from pix2pix.models import LocalEnhancer, UNet, initialise
from tests.conftest import TINY, command, make_config, pix2pix

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SHALLOW = ["generator.depth=2", "trainer.max_epochs=1"]
NOISY = ["generator=resnet", "generator.blocks=1", "generator.downsamplings=1", "generator.dropout=0.5"]


@pytest.fixture(scope="module")
def deep_run(tmp_path_factory):
    """A run whose U-Net is deep enough for dropout, on pictures of 32 pixels."""
    folder = tmp_path_factory.mktemp("runs")
    pix2pix("train", *TINY, "trainer.max_epochs=1", f"output_dir={folder}", "name=deep")
    return folder / "deep"


@pytest.fixture(scope="module")
def noisy_run(tmp_path_factory):
    """A run of a small network with dropout, whose export takes little time."""
    folder = tmp_path_factory.mktemp("runs")
    pix2pix("train", *TINY, *NOISY, "trainer.max_epochs=1", f"output_dir={folder}", "name=noisy")
    return folder / "noisy"


@pytest.fixture(scope="module")
def shallow_run(tmp_path_factory):
    """A run whose export takes little time, where the statement is not about dropout."""
    folder = tmp_path_factory.mktemp("runs")
    pix2pix("train", *TINY, *SHALLOW, f"output_dir={folder}", "name=shallow")
    return folder / "shallow"


@pytest.fixture(scope="module")
def exported(deep_run, tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "deep.onnx"
    return (file, *export_onnx(deep_run, file))


def picture(width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def test_onnx_translates_any_size_like_the_translator_under_the_same_noise(deep_run, exported):
    file, about, _ = exported
    translator = load_translator(deep_run)
    session = onnxruntime.InferenceSession(file)
    for width, height in ((32, 32), (96, 64)):
        source = picture(width, height)
        draw = make_noise([translator.trained.inference.seed_of("a")])
        noise = {
            layer["name"]: 1
            - draw(
                torch.empty(1, layer["channels"], height // layer["stride"], width // layer["stride"]), layer["keep"]
            )
            for layer in about["noise"]
        }
        assert noise
        given = {"image": pil_to_tensor(source, "RGB")[None]} | noise
        (output,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        expected = np.array(translator(source, name="a"))
        assert np.abs(output[0].transpose(1, 2, 0).astype(int) - expected).max() <= 1


def test_the_noise_matters(exported):
    file, about, _ = exported
    session = onnxruntime.InferenceSession(file)
    image = np.array(picture(32, 32)).transpose(2, 0, 1)[None]
    random = np.random.default_rng(0)

    def translation():
        noise = {
            layer["name"]: random.random(
                (1, layer["channels"], 32 // layer["stride"], 32 // layer["stride"]), np.float32
            )
            for layer in about["noise"]
        }
        return session.run(None, {"image": image} | noise)[0]

    assert not np.array_equal(translation(), translation())


def test_the_file_says_what_it_takes(exported):
    file, about, _ = exported
    metadata = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["pix2pix"]) == about
    assert about["multiple"] == 32
    assert about["input"] == {"channels": 3, "type": "uint8", "range": [0, 255]}
    assert about["palette"]["labels"] == "source"
    assert about["palette"]["classes"]["window"] == [0, 85, 255]
    assert about["config"]["generator"]["depth"] == 5
    assert about["config"]["run_dir"] == "deep"


@pytest.mark.parametrize(
    "words",
    [["--pixels", "float"], ["--half"], ["--dropout", "off", "--normalization", "running"]],
    ids=" ".join,
)
def test_every_choice_agrees_with_pytorch_and_says_how_closely(noisy_run, tmp_path, words, capsys):
    pix2pix("export", noisy_run, "-o", tmp_path / "a.onnx", *words)
    assert (tmp_path / "a.onnx").is_file()
    assert "onnxruntime against PyTorch: largest" in capsys.readouterr().out


def test_a_file_that_disagrees_is_not_written(shallow_run, tmp_path, monkeypatch):
    monkeypatch.setattr("pix2pix.export.onnx.run_session", lambda session, image, noise: image)
    with pytest.raises(SystemExit, match="differ from PyTorch"):
        pix2pix("export", shallow_run, "-o", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file_to_export_to(deep_run, tmp_path):
    with pytest.raises(SystemExit, match=r"is a folder\. Name a file, such as .*generator\.onnx"):
        pix2pix("export", deep_run, "-o", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_exported_program_runs_without_this_package(noisy_run, tmp_path, capsys):
    pix2pix("export", noisy_run, "--format", "exported-program", "-o", tmp_path / "a.pt2")
    assert "the file against the run: largest" in capsys.readouterr().out
    extra = {"pix2pix.json": ""}
    program = torch.export.load(tmp_path / "a.pt2", extra_files=extra)
    about = json.loads(extra["pix2pix.json"])
    image = pil_to_tensor(picture(64, 96), "RGB")[None]
    noise = [torch.rand(1, layer["channels"], 96 // layer["stride"], 64 // layer["stride"]) for layer in about["noise"]]
    assert program.module(check_guards=False)(image, noise).shape == image.shape


@pytest.mark.parametrize("kind", ["safetensors", "exported-program", "onnx"])
def test_a_disk_that_refuses_the_file_is_told_with_its_name(tiny_run, tmp_path, kind):
    """A limit on the size of files stands in for a full disk; torch ended the whole process."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))"
    result = command("export", tiny_run.path, "--format", kind, "-o", tmp_path / "a.bin", first=limit)
    assert result.returncode == 1
    assert "a.bin: File too large. No file may be as large" in result.stderr
    assert not list(tmp_path.iterdir())


def test_safetensors_alone_make_the_same_translator(deep_run, tmp_path):
    file = tmp_path / "alone.safetensors"
    pix2pix("export", deep_run, "--format", "safetensors", "-o", file, "--dropout", "off")
    source = picture(40, 50)
    again = load_translator(file)
    assert np.array_equal(again(source), load_translator(deep_run, dropout="off")(source))
    assert again.trained.config.run_dir
    assert str(deep_run) not in json.dumps(again.trained.config.to_mapping())


def test_a_file_of_weights_is_not_exported_over_itself(tiny_run, tmp_path):
    """Halves of its weights would take the place of the only ones."""
    file = tmp_path / "alone.safetensors"
    pix2pix("export", tiny_run.path, "--format", "safetensors", "-o", file)
    before = file.read_bytes()
    for words in ([], ["-o", tmp_path / "." / "alone.safetensors"]):
        with pytest.raises(SystemExit, match="is the RUN itself, which would be replaced"):
            pix2pix("export", file, "--format", "safetensors", "--half", *words)
    assert file.read_bytes() == before


def test_weights_beyond_16_bits_are_not_stored_in_16_bits(tiny_run, tmp_path):
    """The file would hold infinite ones, and no command would read it."""
    content = torch.load(tiny_run.last_checkpoint, weights_only=True)
    name = next(key for key in content["state_dict"] if key.startswith("generator.") and key.endswith("running_var"))
    content["state_dict"][name][0] = 1e5
    torch.save(content, tmp_path / "a.ckpt")
    words = ["export", tmp_path / "a.ckpt", "--format", "safetensors", "-o", tmp_path / "b.safetensors"]
    with pytest.raises(SystemExit, match=rf"{name} has values beyond 65504"):
        pix2pix(*words, "--half")
    assert not (tmp_path / "b.safetensors").exists()
    pix2pix(*words)


def test_foreign_safetensors_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="holds no configuration"):
        load_translator(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_translator(tmp_path / "b.safetensors")


def test_what_has_no_pixels_of_8_bits_is_exported_as_the_networks_values(deep_run, tmp_path):
    trained = load_generator(deep_run)
    deep = replace(trained, config=trained.config.replace(data=trained.config.data.replace(source_depth=16)))
    with pytest.raises(ValueError, match="depths 16 and 8"):
        InferenceGraph(deep)
    assert InferenceGraph(deep, pixels="float").channels == 3


@pytest.mark.parametrize("kind", ["lab", "one_hot"])
def test_colour_spaces_and_label_palettes_are_inside_the_file(kind, tmp_path):
    small = [word for word in TINY if not word.startswith("data.source.")]
    if kind == "lab":
        for number in range(4):
            (tmp_path / "photos").mkdir(exist_ok=True)
            picture(32, 32).save(tmp_path / "photos" / f"{number}.png")
        data = [*small, "data=derived", "data.operation=lab", f"data.path={tmp_path / 'photos'}"]
    else:
        data = [*TINY, "data.one_hot=true"]
    pix2pix("train", *data, *SHALLOW, f"output_dir={tmp_path}", "name=run")
    about, _ = export_onnx(tmp_path / "run", tmp_path / "run.onnx", dropout="off")
    assert (about["input"]["channels"], about["output"]["channels"]) == (3, 3)
    session = onnxruntime.InferenceSession(tmp_path / "run.onnx")
    given = picture(64, 32)
    (output,) = session.run(None, {"image": pil_to_tensor(given, "RGB")[None].numpy()})
    expected = np.array(load_translator(tmp_path / "run", dropout="off")(given))
    assert np.abs(output[0].transpose(1, 2, 0).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "network",
    [LocalEnhancer(base_channels=2, blocks=1), UNet(base_channels=2, depth=3, upsample="resize", pad_to_multiple=True)],
    ids=["pix2pixhd", "padded"],
)
def test_other_generators_are_exported_for_any_size(network, tmp_path):
    initialise(network)
    config, inference = make_config("data=folder", "data.path=x"), InferenceMode(dropout="off")
    generator = network.eval().requires_grad_(False)
    trained = TrainedGenerator(config, generator, inference, Path("last.ckpt"), 0, torch.device("cpu"))
    graph = InferenceGraph(trained, pixels="float").eval()
    program = torch.export.export(graph, graph.example(2, 2, 3), dynamic_shapes=dynamic_shapes(graph))
    module = program.module(check_guards=False)
    with torch.no_grad():
        difference = measure_difference(lambda image, noise: module(image, list(noise)), trained, graph)
    assert difference.largest < 1e-4


class OwnDropout(nn.Dropout):
    def forward(self, x):
        return super().forward(x) + 0


class Noisy(nn.Module):
    """A network with dropouts of several kinds."""

    multiple = 4

    def __init__(self, *dropouts: nn.Module) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 4, 2, 1), nn.ConvTranspose2d(8, 3, 4, 2, 1)
        self.dropouts = nn.Sequential(*dropouts)

    def forward(self, x):
        return self.up(self.dropouts(self.down(x))).tanh()


def noisy(*dropouts: nn.Module) -> TrainedGenerator:
    config, inference = make_config("data=folder", "data.path=x"), InferenceMode()
    return TrainedGenerator(
        config, Noisy(*dropouts).eval().requires_grad_(False), inference, Path("last.ckpt"), 0, torch.device("cpu")
    )


def test_dropouts_of_every_kind_take_their_noise_from_the_inputs():
    trained = noisy(nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.FeatureAlphaDropout())
    graph = InferenceGraph(trained, pixels="float").eval()
    assert [layer.whole_channels for layer in graph.noise] == [False, True, False, True]
    program = torch.export.export(graph, graph.example(2, 2, 3), dynamic_shapes=dynamic_shapes(graph))
    module = program.module(check_guards=False)
    assert measure_difference(lambda image, noise: module(image, list(noise)), trained, graph).largest < 1e-6


def test_a_dropout_with_a_forward_of_its_own_is_not_exported_in_silence():
    with pytest.raises(ValueError, match=r"OwnDropout is a dropout with its own forward"):
        InferenceGraph(noisy(OwnDropout()), pixels="float")
