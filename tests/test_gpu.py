"""What only a CUDA GPU can show: `make test-gpu`. Few and quick; benchmarks/gpu measures the rest."""

import shutil
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix import load_translator
from pix2pix.core.randomness import seed_all
from pix2pix.data.augmentation import View
from pix2pix.data.pair import Pair
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.inference import tile_pass
from pix2pix.inference.mode import InferenceMode
from pix2pix.inference.tiling import Tiling
from pix2pix.models import UNet
from pix2pix.runs.checkpoint_copy import copy_state
from pix2pix.runs.run import Run
from pix2pix.training.cuda_graph import CUDAGraphStep
from pix2pix.training.half_weights import HalfWeights
from tests.conftest import TINY, pix2pix, same_weights
from tests.training.test_cuda_graph import GAN, batches
from tests.training.test_half_weights import train as train_in_bf16

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
SIZES = {"height": 8, "width": 8, "load_height": 9, "load_width": 9}
VIEWS = [View(1, 0, mirror=True, rotation=5, hue=0.1), View(0, 1, mirror=False, rotation=-3, brightness=0.9)]


@contextmanager
def nothing_may_wait():
    """An operation that makes the processor wait for the GPU is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the mode is a prototype, says torch
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def deterministic(monkeypatch):
    """Kernels that round the same way every time."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_a_recorded_step_computes_what_the_step_computes_bit_for_bit(deterministic):
    plain, gan = GAN(device=DEVICE), GAN(device=DEVICE)
    step = CUDAGraphStep(gan.step, gan.optimizers)
    pairs = [batch.to(DEVICE) for batch in batches(*[2] * 12)]
    assert gan.train(step, pairs) == plain.train(plain.step, pairs)
    assert step.recorded_shapes is not None
    assert not step.has_failed
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(gan.weights(), plain.weights(), strict=True))


@pytest.mark.parametrize("way", ["execution.cuda_graph=false", "execution.cuda_graph=true"])
def test_a_deterministic_run_that_goes_on_ends_with_the_weights_of_an_unbroken_one(tmp_path, way):
    words = [*TINY, "trainer=gpu", "trainer.deterministic=true", way, f"output_dir={tmp_path}"]
    pix2pix("train", *words, "name=unbroken", "callbacks.checkpoint.every_n_epochs=1")
    kept = shutil.copy(tmp_path / "unbroken" / "checkpoints" / "epoch=1.ckpt", tmp_path)
    pix2pix("train", *words, "name=resumed", f"resume='{kept}'")
    assert same_weights(Run(tmp_path / "unbroken"), Run(tmp_path / "resumed"))


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("palette", [None, "facades"])
def test_a_batch_is_augmented_as_on_the_cpu_and_nothing_waits(kind, palette):
    everything = {"rotation": 10, "scale": 0.1, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
    labels = {"label_map": "target", "target_palette": palette} if kind == torch.uint8 else {}
    transform = JitterAndMirror(**SIZES, augment=everything, **labels)
    image = torch.randint(0, 256, (2, 3, 9, 9), generator=torch.Generator().manual_seed(0)).to(kind)
    there = image.to(DEVICE)
    expected = transform.augment_batch(Pair(image, image, ["a", "b"]), VIEWS)
    transform.augment_batch(Pair(there, there, ["a", "b"]), VIEWS)  # constants are sent once
    with nothing_may_wait():
        found = transform.augment_batch(Pair(there, there, ["a", "b"]), VIEWS)
    torch.testing.assert_close(found.source.cpu(), expected.source, rtol=0, atol=1e-3)
    assert float((found.target.cpu() - expected.target).abs().mean()) < 0.02, (
        "a label on a border may be its neighbour's"
    )


def test_seeding_gives_the_draws_of_torch_manual_seed():
    torch.rand(1, device=DEVICE)
    seed_all(7)
    drawn = torch.rand(3, device=DEVICE)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3, device=DEVICE))


def test_a_step_waits_for_nothing():
    gan = GAN(device=DEVICE)
    source, target = batches(2)[0].to(DEVICE)
    gan.step(source, target)
    with nothing_may_wait():
        gan.step(source, target)


def test_a_training_chooses_what_agrees_and_says_so(tmp_path, capsys):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "name=run")
    config = Run(tmp_path / "run").config()
    assert (config.precision, config.execution.cuda_graph) == ("bf16-mixed", True), capsys.readouterr().out


def test_copies_of_the_weights_change_no_number(deterministic):
    plain, gan = GAN(device=DEVICE), GAN(device=DEVICE)
    copies = list(map(HalfWeights, gan.networks, gan.optimizers))
    assert train_in_bf16(gan, copies, device=DEVICE) == train_in_bf16(plain, [], device=DEVICE)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(gan.weights(), plain.weights(), strict=True))


def test_the_state_of_a_moment_is_copied_to_pinned_memory():
    weights = torch.rand(4, 3, 2, 2, device=DEVICE).to(memory_format=torch.channels_last)
    before = weights.cpu()
    copied = copy_state({"state_dict": {"weights": weights}})["state_dict"]["weights"]
    weights.zero_()
    assert copied.is_pinned()
    assert torch.equal(copied, before)
    assert copied.is_contiguous(memory_format=torch.channels_last)


def test_a_translation_is_that_of_the_cpu_within_a_level(tmp_path):
    pix2pix("train", *TINY, "trainer=gpu", f"output_dir={tmp_path}", "name=run")
    picture = Image.effect_noise((40, 24), 80).convert("RGB")
    here, there = (np.asarray(load_translator(tmp_path / "run", device=d)(picture), int) for d in ("cpu", DEVICE))
    assert abs(here - there).max() <= 1


def test_tiles_that_wait_at_norms_have_the_pixels_of_tiles_that_start_again(deterministic, monkeypatch):
    network, picture = UNet(base_channels=8, depth=4).to(DEVICE), torch.rand(3, 256, 384) * 2 - 1
    tiling = Tiling(network, InferenceMode(), 16, tile=128)

    def read(top: int, left: int, height: int, width: int) -> torch.Tensor:
        return picture[:, top : top + height, left : left + width]

    waited = [band for _, band in tiling.translate(read, 256, 384, "a")]
    monkeypatch.setattr(tile_pass, "free_bytes", lambda device: 0)
    again = [band for _, band in tiling.translate(read, 256, 384, "a")]
    assert torch.equal(torch.cat(waited, dim=1), torch.cat(again, dim=1))
