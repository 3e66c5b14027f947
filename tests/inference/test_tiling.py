"""Large pictures in tiles: bounded memory, and nothing to see where the tiles meet."""

import _thread
import ctypes
import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pix2pix import load_translator
from pix2pix.inference import tile_pass
from pix2pix.inference.mode import InferenceMode, normalize_by_picture
from pix2pix.inference.tile_noise import tile_noise
from pix2pix.inference.tiling import Axis, Statistics, Tiling
from pix2pix.models import UNet, initialise
from tests.conftest import DATASETS, needs_datasets


@pytest.mark.parametrize(
    ("length", "tile", "overlap"), [(256, 64, 16), (320, 96, 32), (64, 64, 0), (32, 64, 0), (608, 128, 64)]
)
def test_tiles_cover_the_side_and_their_shares_add_up_to_one(length, tile, overlap):
    axis = Axis(length, tile, overlap, 32)
    total = torch.zeros(length)
    for start, share in zip(axis.starts, axis.weights(), strict=True):
        assert start % 32 == 0
        total[start : start + axis.side] += share
    torch.testing.assert_close(total, torch.ones(length))


def test_tiles_have_little_more_pixels_than_the_picture():
    for length in range(2304, 16384, 256):
        axis = Axis(length, 2048, 512, 256)
        assert axis.side <= 2048
        assert all(after - before <= axis.side - 512 for before, after in itertools.pairwise(axis.starts))
        assert len(axis.starts) * axis.side <= 1.5 * length, length


def test_every_tile_sees_its_part_of_one_noise():
    whole = tile_noise(7, 0, 0, 512, 32)(torch.empty(1, 4, 32, 48), 0.5)
    for top, left in ((4, 8), (20, 0), (14, 13)):
        part = tile_noise(7, 16 * top, 16 * left, 128, 16)(torch.empty(1, 4, 8, 8), 0.5)
        assert torch.equal(part, whole[:, :, top : top + 8, left : left + 8])
    assert 0.4 < whole.mean() < 0.6


class Blocks(torch.nn.Module):
    """A network without context: what a tile gives for a pixel depends on that pixel, the norm and the noise alone."""

    def __init__(self, dropout: type[torch.nn.Module] = torch.nn.Dropout) -> None:
        super().__init__()
        first = [torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), dropout(0.5)]
        self.layers = torch.nn.Sequential(*first, torch.nn.Conv2d(2, 2, 1), torch.nn.BatchNorm2d(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


KINDS = [("batch", torch.nn.Dropout), ("running", torch.nn.Dropout), ("batch", torch.nn.Dropout2d)]


@pytest.mark.parametrize(("normalization", "dropout"), [*KINDS, ("running", torch.nn.FeatureAlphaDropout)])
def test_without_borders_to_see_tiles_give_exactly_the_whole_picture(normalization, dropout):
    network, mode = Blocks(dropout), InferenceMode(normalization=normalization)
    picture = torch.randn(1, 96, 128)
    noise = tile_noise(mode.seed_of("a"), 0, 0, 96, 8)
    with torch.no_grad(), mode.apply_to(network, noise):
        whole = network(picture[None])[0]
    tiling = Tiling(network, mode, 8, tile=32, overlap=8)
    read = lambda top, left, height, width: picture[:, top : top + height, left : left + width]  # noqa: E731
    bands = list(tiling.translate(read, 96, 128, "a"))
    assert [top for top, _ in bands] == np.cumsum([0, *(band.shape[1] for _, band in bands[:-1])]).tolist()
    torch.testing.assert_close(torch.cat([band for _, band in bands], dim=1), whole, rtol=1e-4, atol=1e-5)


def count_runs(monkeypatch, free: Callable[[], int]) -> tuple[Tensor, int]:
    """A picture in 20 tiles through a network with two norms: the output, and how often its first layer ran."""
    monkeypatch.setattr(tile_pass, "free_bytes", lambda device: free())
    torch.manual_seed(0)
    network, runs = Blocks(), []
    network.layers[0].register_forward_hook(lambda *_: runs.append(1))
    picture = torch.randn(1, 96, 128)
    read = lambda top, left, height, width: picture[:, top : top + height, left : left + width]  # noqa: E731
    tiling = Tiling(network, InferenceMode(), 8, tile=32, overlap=8)
    output = torch.cat([band for _, band in tiling.translate(read, 96, 128, "a")], dim=1)
    assert torch.is_grad_enabled()
    assert not tile_threads()
    return output, len(runs)


def tile_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tile"]


def test_tiles_start_again_for_each_norm_only_where_memory_or_threads_are_short(monkeypatch):
    kept, runs = count_runs(monkeypatch, lambda: 1 << 30)
    assert runs == 20
    amounts = itertools.chain([100], itertools.repeat(49))  # less than half of what was free at first
    short, short_runs = count_runs(monkeypatch, lambda: next(amounts))
    assert short_runs == 3 * 20
    changing = itertools.chain([100], itertools.cycle([60, 40, 60]))
    some, some_runs = count_runs(monkeypatch, lambda: next(changing))
    assert 20 < some_runs < 3 * 20
    monkeypatch.setattr(tile_pass, "MOST_THREADS", 5 * torch.get_num_threads())
    few, few_runs = count_runs(monkeypatch, lambda: 1 << 30)
    assert few_runs == 20 + 2 * 15
    assert all(torch.equal(kept, other) for other in (short, some, few))


def test_a_picture_that_is_not_finished_leaves_no_tile_behind():
    network, picture = Blocks(), torch.randn(1, 96, 128)
    read = lambda top, left, height, width: picture[:, top : top + height, left : left + width]  # noqa: E731
    tiling = Tiling(network, InferenceMode(), 8, tile=32, overlap=8)
    bands = cast(Generator, tiling.translate(read, 96, 128, "a"))
    next(bands)
    assert tile_threads()
    bands.close()
    assert not tile_threads()
    network.layers[4].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(tiling.translate(read, 96, 128, "a"))
    assert not tile_threads()
    assert not any("forward" in vars(module) for module in network.modules())


MAPS = Path("/proc/self/maps")


@pytest.mark.skipif(not MAPS.is_file() or "libgomp" not in MAPS.read_text(), reason="torch uses another OpenMP")
def test_a_tile_computes_on_as_many_cores_as_its_caller():
    file = next(line.split()[-1] for line in MAPS.read_text().splitlines() if "libgomp" in line)
    openmp, before = ctypes.CDLL(file), torch.get_num_threads()
    tile = tile_pass.TilePass(lambda: torch.tensor(openmp.omp_get_max_threads()), nullcontext)
    try:
        torch.set_num_threads(3)
        other = tile_pass.TilePass(lambda: torch.tensor(openmp.omp_get_max_threads()), nullcontext)
        assert (other.resume(), tile.resume()) == (3, before)
    finally:
        torch.set_num_threads(before)


def test_on_a_gpu_memory_that_torch_keeps_unused_is_free(monkeypatch):
    for name, value in (("mem_get_info", (100, 1000)), ("memory_reserved", 30), ("memory_allocated", 10)):
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert tile_pass.free_bytes(torch.device("cuda", 0)) == 120


def test_an_interrupted_tile_ends():
    def compute() -> Tensor:
        _thread.interrupt_main()
        time.sleep(0.2)
        tile.pause()
        raise AssertionError

    tile = tile_pass.TilePass(compute, nullcontext)
    with pytest.raises(KeyboardInterrupt):
        tile.resume()
    assert not tile_threads()


def seam(tiled, whole, columns) -> float:
    """The largest step across a line where tiles meet, beyond that of the whole picture: a visible line is a step
    in one direction along all of its length, in levels of 8 bits."""
    steps = [np.diff(np.asarray(image, float), axis=1).mean(axis=(0, 2)) for image in (tiled, whole)]
    return float(max(abs((steps[0] - steps[1])[column - 1]) for column in columns))


@needs_datasets
def test_no_seam_shows_on_a_real_picture(monkeypatch):
    """Half of the picture is dark: tiles that normalise themselves cannot agree on how dark."""
    torch.manual_seed(0)
    network = UNet(base_channels=8, depth=4)
    initialise(network)
    photo = Image.open(DATASETS / "maps" / "val" / "1.jpg").crop((0, 0, 512, 256)).convert("RGB")
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1) / 127.5 - 1
    pixels[:, :, 256:] = pixels[:, :, 256:] * 0.2 - 0.8
    mode = InferenceMode(dropout="off")
    tiling = Tiling(network, mode, 16, tile=128, overlap=16)
    read = lambda top, left, height, width: pixels[:, top : top + height, left : left + width]  # noqa: E731

    def translate_in_tiles() -> np.ndarray:
        return levels(torch.cat([band for _, band in tiling.translate(read, 256, 512, "a")], dim=1))

    def levels(image: Tensor) -> np.ndarray:
        return (image.permute(1, 2, 0).numpy() + 1) * 127.5

    whole = levels(mode.generate(network, pixels[None], "a")[0])
    edges = [edge for start in Axis(512, 128, 16, 16).starts for edge in (start, start + 128) if 0 < edge < 512]
    shared = seam(translate_in_tiles(), whole, edges)
    monkeypatch.setattr(Statistics, "apply", lambda self, norm, x: normalize_by_picture(norm, x))
    monkeypatch.setattr(Axis, "weights", lambda self: [butt(self, start) for start in self.starts])
    own = seam(translate_in_tiles(), whole, edges)
    assert shared < 1
    assert own > 3 * shared


def butt(axis: Axis, start: int) -> Tensor:
    """No blending: each pixel is the first tile's that has it."""
    place = axis.starts.index(start)
    taken = axis.starts[place - 1] + axis.side - start if place else 0
    return (torch.arange(axis.side) >= taken).float()


def test_a_translator_tiles_pictures_of_more_pixels_than_a_tile_and_keeps_their_size(tiny_run):
    pixels = np.random.default_rng(0).integers(0, 256, (150, 210, 3), np.uint8)
    tiled, whole = load_translator(tiny_run.path, tile=64), load_translator(tiny_run.path, tile=None)
    assert tiled(pixels).shape == (150, 210, 3)
    assert tiled(Image.fromarray(pixels)).size == (210, 150)
    assert not np.array_equal(tiled(pixels), whole(pixels))
    small = pixels[:60, :64]
    assert np.array_equal(tiled(small), whole(small))


def test_tiles_see_no_more_than_their_part_of_the_picture(tiny_run, monkeypatch):
    seen = []
    translator = load_translator(tiny_run.path, tile=64)
    forward = translator.trained.generator.forward
    monkeypatch.setattr(translator.trained.generator, "forward", lambda x: seen.append(x.shape) or forward(x))
    translator(np.zeros((400, 500, 3), np.uint8))
    assert max(shape.numel() for shape in seen) <= 3 * 64 * 64
