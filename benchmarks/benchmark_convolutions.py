"""Convolutions of stride 1 as matrix products (pix2pix/models/winograd.py) beside torch's own, on a CPU.

    python benchmarks/benchmark_convolutions.py --json benchmarks/results/convolutions.json

First single layers, forward and backward, then whole generators in training and, with packed weights, in use. Both
sides take turns in one process.
"""

import argparse
import copy
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.machine import write_results
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.inference.packed_convolutions import pack_convolutions
from pix2pix.models import ResNet, UNet
from pix2pix.models.winograd import WinogradConvolution

# Side of the filter, channels in and out, side of the features, batch. 4x4: discriminators; 3x3: ResNets and decoders.
LAYERS: list[tuple[Literal[3, 4], int, int, int, int]] = [
    *((4, 256, 512, 32, 1), (4, 256, 512, 32, 4), (4, 256, 512, 16, 1), (4, 256, 512, 16, 4), (4, 256, 512, 8, 1)),
    *((4, 256, 512, 8, 16), (4, 64, 128, 128, 1), (4, 128, 256, 64, 1), (4, 512, 512, 16, 1), (4, 32, 64, 64, 1)),
    *((3, 256, 256, 64, 1), (3, 256, 256, 64, 4), (3, 256, 256, 16, 1), (3, 1024, 256, 32, 1), (3, 128, 64, 128, 1)),
]
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ResNet of 9 blocks": ResNet,
    "U-Net, resizing": lambda: UNet(upsample="resize"),
}


def choosing(answer: bool | None) -> AbstractContextManager[object]:
    """All convolutions that could be matrix products are, or are not; None: where that is faster, as in a training."""
    return nullcontext() if answer is None else patch.object(WinogradConvolution, "is_faster", lambda *_: answer)


def train(network: nn.Module, x: Tensor, winograd: bool | None) -> None:
    network.zero_grad()
    with choosing(winograd):
        network(x).square().mean().backward()


def translate(network: nn.Module, x: Tensor, winograd: bool | None) -> None:
    with choosing(winograd), torch.no_grad():
        network(x)


def compare(plain: Callable[[], object], ours: Callable[[], object], rounds: int) -> dict[str, float]:
    """Median milliseconds of both, which take turns, and how many times as fast `ours` is."""
    seconds: dict[str, list[float]] = {"torch": [], "ours": []}
    for number in range(rounds + 1):
        for side, run in (("torch", plain), ("ours", ours)):
            started = time.perf_counter()
            run()
            if number:  # the first turn warms up
                seconds[side].append(time.perf_counter() - started)
    ms = {side: round(statistics.median(each) * 1000, 2) for side, each in seconds.items()}
    return ms | {"times_as_fast": round(ms["torch"] / ms["ours"], 2)}


def measure_layers(rounds: int) -> Iterator[dict[str, Any]]:
    for size, channels, out, side, batch in LAYERS:
        layer = WinogradConvolution(channels, out, size, padding=1)
        x = torch.randn(batch, channels, side, side, requires_grad=True)
        plain, ours = (partial(train, layer, x, answer) for answer in (False, True))
        what = f"{size}x{size}, {channels} to {out} channels, {side}x{side}, batch {batch}"
        yield {"what": what, "used": layer.is_faster(x.shape)} | compare(plain, ours, rounds)


def measure_networks(rounds: int) -> Iterator[dict[str, Any]]:
    for (name, make), batch in itertools.product(NETWORKS.items(), (1, 4)):
        network, x = make(), torch.randn(batch, 3, 256, 256)
        plain, ours = (partial(train, network, x, answer) for answer in (False, None))
        yield {"what": f"{name}, batch {batch}: forward and backward"} | compare(plain, ours, rounds)
        plain, ours = (partial(translate, pack(network, x, answer), x, answer) for answer in (False, None))
        yield {"what": f"{name}, batch {batch}: forward, packed"} | compare(plain, ours, rounds)


def pack(network: nn.Module, x: Tensor, winograd: bool | None) -> nn.Module:
    packed = copy.deepcopy(network).eval()
    with choosing(winograd):
        pack_convolutions(packed, (len(x), x.shape[1], x.shape[2], x.shape[3]))
    return packed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    rows: list[dict[str, Any]] = []
    print("| | torch, ms | ours, ms | times as fast | used |\n|---|---|---|---|---|")
    for row in itertools.chain(measure_layers(options.rounds), measure_networks(options.rounds)):
        rows.append(row)
        used = ("yes" if row["used"] else "no") if "used" in row else "where faster"
        print(f"| {row['what']} | {row['torch']} | {row['ours']} | {row['times_as_fast']} | {used} |", flush=True)
    write_results(options.json, threads=torch.get_num_threads(), rows=rows)


if __name__ == "__main__":
    main()
