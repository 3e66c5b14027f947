"""`pix2pix import`: the authors' weights become a run like any other."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pix2pix import load_translator
from pix2pix.inference.generator import load_generator
from pix2pix.models import PatchGAN, ResNet, UNet, initialise
from pix2pix.models.reference_architecture import recognise_discriminator, recognise_generator
from pix2pix.models.reference_weights import convert_reference_weights, unwrap_weights
from pix2pix.runs.run import Run
from tests.conftest import pix2pix
from tests.parity import NAMES, Fixture, fixture, needs_fixtures  # noqa: F401


def write_weights(recorded, network, folder):
    """The file that the reference would have saved."""
    prefix = f"init.{network}."
    file = folder / f"latest_net_{network}.pth"
    torch.save({k.removeprefix(prefix): v for k, v in recorded.items() if k.startswith(prefix)}, file)
    return file


@needs_fixtures
def test_an_imported_generator_computes_what_the_reference_recorded(fixture: Fixture, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    files = [write_weights(fixture.recorded, network, tmp_path) for network in "GD"]
    pix2pix("import", files[0], "--discriminator", files[1], "--name", "theirs")
    options, generator = fixture.options, Run("outputs/theirs").config().generator
    assert generator["base_channels"] == options["ngf"]
    assert generator["norm"] == options["norm"]
    trained = load_generator("outputs/theirs", dropout="off")
    output = trained.generate(fixture.source, "")
    if len(output) == 1 or options["norm"] == "instance":  # the recording's batch norms saw the whole batch
        torch.testing.assert_close(output, fixture.recorded["forward.fake_train_mode"], rtol=1e-4, atol=2e-5)
    running = load_generator("outputs/theirs", dropout="off", normalization="running").generate(fixture.source, "")
    torch.testing.assert_close(running, fixture.recorded["forward.fake_eval_mode"], rtol=1e-4, atol=2e-5)


@needs_fixtures
def test_an_imported_run_translates_evaluates_and_is_finished(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = write_weights(Fixture(NAMES[0]).recorded, "G", tmp_path)
    pix2pix("import", file, "--name", "theirs", "data=facades")
    noise = np.random.default_rng(0).integers(0, 256, (128, 256, 3), np.uint8)
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(noise).save(tmp_path / "pairs" / "train" / f"{number}.png")
    assert load_translator("outputs/theirs")(Image.fromarray(noise), scale="own").size == (256, 128)
    pix2pix("evaluate", "outputs/theirs", "--data", tmp_path / "pairs")
    assert "2 pairs: split train" in capsys.readouterr().out
    run = Run("outputs/theirs")
    assert run.is_finished()
    assert run.config().data.palette == "facades"
    assert run.provenance()["imported"]["generator"]["file"] == str(file)


@pytest.mark.parametrize(
    "network",
    [
        UNet(base_channels=2, depth=5, dropout_placement="reference"),
        UNet(4, 1, base_channels=3, depth=3, norm="instance", dropout_placement="reference"),
        UNet(base_channels=2, depth=3, norm="none", dropout_placement="reference"),
        ResNet(base_channels=2, blocks=6),
        ResNet(1, 3, base_channels=2, blocks=2, norm="instance"),
        ResNet(base_channels=2, blocks=2, downsamplings=4, norm="instance"),
    ],
    ids=["unet", "unet instance", "unet none", "resnet", "resnet instance", "pix2pixhd"],
)
def test_options_are_read_off_the_tensors(network):
    theirs = in_reference_order(network.state_dict())
    part = recognise_generator(theirs)
    again = {"UNet": UNet, "ResNet": ResNet}[part.pop("_target_").rpartition(".")[2]](**part)
    again.load_state_dict(convert_reference_weights(theirs, again))


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
def test_discriminators_are_known_by_their_receptive_field(field):
    part = recognise_discriminator(PatchGAN(4, receptive_field=field, base_channels=2).state_dict())
    assert (part["receptive_field"], part["in_channels"], part["base_channels"], part["norm"]) == (field, 4, 2, "batch")


def test_a_resnets_dropout_shows_in_its_keys():
    without = {f"model.{10}.conv_block.{n}.weight": torch.zeros(8, 8, 3, 3) for n in (1, 5)}
    within = {f"model.{10}.conv_block.{n}.weight": torch.zeros(8, 8, 3, 3) for n in (1, 6)}
    ends = {"model.1.weight": torch.zeros(2, 3, 7, 7), "model.26.weight": torch.zeros(3, 2, 7, 7)}
    assert recognise_generator(without | ends)["dropout"] == 0.0
    assert recognise_generator(within | ends)["dropout"] == 0.5


@pytest.mark.parametrize("parametrized", [False, True], ids=["hook", "parametrization"])
@pytest.mark.parametrize("old", [False, True], ids=["with v", "without v"])
def test_spectral_norms_are_multiplied_out(parametrized, old):
    norm = nn.utils.parametrizations.spectral_norm if parametrized else nn.utils.spectral_norm
    torch.manual_seed(0)
    expected = nn.Sequential(nn.Conv2d(3, 8, 4), nn.ConvTranspose2d(8, 8, 4))
    normed = nn.Sequential(*(norm(layer, n_power_iterations=50) for layer in expected)).train()
    image = torch.randn(1, 3, 8, 8)
    normed(image)
    state = {f"module.{key}": value for key, value in normed.state_dict().items()}
    state = {key: value for key, value in state.items() if not (old and key.endswith("_v"))}
    loaded = nn.Sequential(nn.Conv2d(3, 8, 4), nn.ConvTranspose2d(8, 8, 4))
    loaded.load_state_dict(unwrap_weights(state))
    torch.testing.assert_close(loaded(image), normed.eval()(image), rtol=1e-4, atol=1e-5)


def test_the_references_dropout_spares_the_innermost_block():
    networks = {kind: UNet(base_channels=1, depth=8, dropout_placement=kind) for kind in ("paper", "reference")}
    noisy = {
        kind: [any(isinstance(layer, nn.Dropout) for layer in up) for up in network.up]
        for kind, network in networks.items()
    }
    assert noisy["paper"] == [True, True, True, False, False, False, False, False]
    assert noisy["reference"] == [False, True, True, True, False, False, False, False]


def test_what_is_no_generator_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = PatchGAN(base_channels=2, receptive_field=70)
    initialise(network)
    torch.save(network.state_dict(), tmp_path / "latest_net_D.pth")
    with pytest.raises(SystemExit, match="are of an unknown generator: 5 convolutions with kernels of 4x4"):
        pix2pix("import", tmp_path / "latest_net_D.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(SystemExit, match="cannot be read as PyTorch weights"):
        pix2pix("import", tmp_path / "text.pth")
    with pytest.raises(SystemExit, match="no such file"):
        pix2pix("import", tmp_path / "nowhere.pth")
    assert not (tmp_path / "outputs").exists()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(in_reference_order(UNet(base_channels=1, depth=5).state_dict()), tmp_path / "latest_net_G.pth")
    pix2pix("import", tmp_path / "latest_net_G.pth", "--name", "a")
    before = json.loads(Run("outputs/a").provenance_file.read_text())
    with pytest.raises(SystemExit, match="exists already"):
        pix2pix("import", tmp_path / "latest_net_G.pth", "--name", "a")
    assert Run("outputs/a").provenance() == before


def test_an_import_that_fails_leaves_no_directory_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(in_reference_order(UNet(base_channels=1, depth=5).state_dict()), tmp_path / "latest_net_G.pth")
    with monkeypatch.context() as patch:
        patch.setattr("pix2pix.export.import_reference.link_checkpoint", _full_disk)
        with pytest.raises(SystemExit, match="disk is full"):
            pix2pix("import", tmp_path / "latest_net_G.pth", "--name", "a")
    assert not (tmp_path / "outputs").exists()
    pix2pix("import", tmp_path / "latest_net_G.pth", "--name", "a")
    assert load_generator("outputs/a").checkpoint.is_relative_to("outputs/a/checkpoints")


def _full_disk(*_: object) -> None:
    raise OSError("the disk is full")


def test_a_size_that_the_network_cannot_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(in_reference_order(UNet(base_channels=1, depth=5).state_dict()), tmp_path / "latest_net_G.pth")
    with pytest.raises(SystemExit, match="must be divisible by 32"):
        pix2pix("import", tmp_path / "latest_net_G.pth", "data.size=40")


def test_weights_without_norms_come_without_biases():
    network = UNet(base_channels=2, depth=3, norm="none")
    theirs = {key: value for key, value in network.state_dict().items() if not key.endswith("bias") or "up.2" in key}
    mapped = convert_reference_weights(in_reference_order(theirs), network)
    assert not mapped["down.0.0.bias"].any()
    assert torch.equal(mapped["up.2.1.bias"], network.state_dict()["up.2.1.bias"])


def in_reference_order(state):
    """Our names with a number in front, as the reference's keys tell the order; residual blocks called as there."""
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
    block = {layer: ".conv_block" if layer.count("layers") == 2 else "" for layer in layers}
    names = {layer: f"model.{index}{block[layer]}.{layer.rpartition('.')[2]}" for index, layer in enumerate(layers)}
    return {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()}
