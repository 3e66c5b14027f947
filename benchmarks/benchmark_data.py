"""Pairs per second on one core: the reference's pipeline and this one, from files and from a cache.

python benchmarks/benchmark_data.py ../shared/datasets/facades ../shared/datasets/maps --json \\
    benchmarks/results/data.json

All are measured in turn within each round, on the same pairs with one thread; the table gives medians over the rounds,
and in brackets the quartiles of each round's ratio to the reference. Time is the processor's, which is that of a clock
on a machine with nothing else to do; reading from the disk is left out, files and caches lie in the system's memory.
Checked are that cached pairs equal uncached ones bit for bit, and how far resized pictures are from the reference's.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.machine import describe_machine
from pix2pix.core.errors import exit_with_message
from pix2pix.data.cache.cache import Cache, CacheKind
from pix2pix.data.cache.preload import ResizedPairs
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import Draw
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.training_loader import collate_list, collate_stack
from pix2pix.data.transforms import JitterAndMirror

LOAD, CROP = 286, 256
Pipeline = Callable[[Sequence[int]], tuple[Tensor, Tensor]]


def reference_pair(file: Path) -> tuple[Tensor, Tensor]:
    """Processes a pair as the authors' implementation does: bicubic to 286, crop, flip, scale to [-1, 1]."""
    image = Image.open(file).convert("RGB")
    middle = image.width // 2
    a, b = image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))
    left, top, flip = random.randint(0, LOAD - CROP), random.randint(0, LOAD - CROP), random.random() > 0.5
    return reference_image(a, left, top, flip), reference_image(b, left, top, flip)


def reference_image(image: Image.Image, left: int, top: int, flip: bool) -> Tensor:
    image = image.resize((LOAD, LOAD), Image.Resampling.BICUBIC).crop((left, top, left + CROP, top + CROP))
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)  # ToTensor
    return pixels.sub_(0.5).div_(0.5)  # Normalize((0.5,) * 3, (0.5,) * 3)


def reference(files: Sequence[tuple[Path, ...]]) -> Pipeline:
    """Batches of the reference: single pairs, then stacked."""

    def batch(indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        pairs = [reference_pair(files[index][0]) for index in indices]
        return torch.stack([a for a, _ in pairs]), torch.stack([b for _, b in pairs])

    return batch


def ours(pairs: TrainingPairs) -> Pipeline:
    """Batches as the data module and a loader in the main process make them."""

    def batch(indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        source, target, _ = pairs.transform.augment_batch(*collate_list([pairs[Draw(0, index)] for index in indices]))
        return source, target

    return batch


def pipelines(source: PairFolder, folder: str) -> dict[str, Pipeline]:
    """The reference, and this pipeline from files and from each cache. The first read of a cache is not timed."""
    return {
        "reference": reference(source.files("train")),
        "files": ours(training_pairs(source, "off", folder)),
        "memory": ours(training_pairs(source, "memory", folder)),
        "disk": ours(training_pairs(source, "disk", folder)),
    }


def training_pairs(source: PairFolder, kind: CacheKind, folder: str) -> TrainingPairs:
    transform = JitterAndMirror(height=CROP, width=CROP, load_height=LOAD, load_width=LOAD)
    pairs = TrainingPairs(source.split("train"), transform, seed=0)
    title = f"{source.path.name} in {kind}"
    loaded = ResizedPairs(pairs.pairs, transform.resize_for_training, title=title, content=lambda: str(source.path))
    pairs.resized = Cache(kind, folder).store([loaded], torch.device("cpu"))[1][0]
    return pairs


def measure(source: PairFolder, rounds: int, count: int, batch: int) -> dict[str, Any]:
    """Seconds per pair of each pipeline in each round, and the results of the checks."""
    with tempfile.TemporaryDirectory() as folder:
        contenders = pipelines(source, folder)
        indices = np.random.default_rng(0).permutation(len(source.split("train"))).tolist()
        check(contenders, indices[:count])
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            some = [indices[(number * count + k) % len(indices)] for k in range(count)]
            for name, pipeline in contenders.items():
                seconds[name].append(time_rounds(pipeline, some, batch) / count)
    return {"pairs": len(indices), "levels": levels(source, indices), "seconds_a_pair": seconds}


def loading(source: PairFolder, rounds: int, count: int, batch: int, workers: Sequence[int]) -> dict[str, list[float]]:
    """Wall-clock seconds per pair of a running loader, by source and number of workers."""
    with tempfile.TemporaryDirectory() as folder:
        sets = {"files": training_pairs(source, "off", folder), "memory": training_pairs(source, "memory", folder)}
    loaders = {
        f"{name}, {number} workers": loader(pairs, count, batch, number)
        for name, pairs in sets.items()
        for number in workers
    }
    seconds: dict[str, list[float]] = {name: [] for name in loaders}
    for round_ in range(rounds + 1):
        for name, (batches, pairs) in loaders.items():
            started = time.perf_counter()
            for drawn_batch in batches:
                pairs.transform.augment_batch(*drawn_batch)
            if round_:  # in the first one workers are started
                seconds[name].append((time.perf_counter() - started) / count)
    return seconds


def loader(pairs: TrainingPairs, count: int, batch: int, workers: int) -> tuple[DataLoader, TrainingPairs]:
    draws = [Draw(0, index % len(pairs.pairs)) for index in range(count)]
    batches = [draws[first : first + batch] for first in range(0, count, batch)]
    collate = collate_stack if workers else collate_list
    options = {"num_workers": workers, "persistent_workers": workers > 0, "collate_fn": collate}
    return DataLoader(pairs, batch_sampler=batches, **options), pairs


def time_rounds(pipeline: Pipeline, indices: Sequence[int], batch: int) -> float:
    started = time.process_time()
    for first in range(0, len(indices), batch):
        pipeline(indices[first : first + batch])
    return time.process_time() - started


def check(contenders: dict[str, Pipeline], indices: Sequence[int]) -> None:
    """Raises ValueError if a cache returns other pixels than the files."""
    from_files = contenders["files"](indices)
    for kind in ("memory", "disk"):
        if not all(torch.equal(a, b) for a, b in zip(contenders[kind](indices), from_files, strict=True)):
            raise ValueError(f"the cache in {kind} gives other pixels than the files")


def levels(source: PairFolder, indices: Sequence[int]) -> dict[str, float]:
    """Difference between the resized pictures and Pillow's, in 255ths; and Pillow's own in draft mode."""
    transform = JitterAndMirror(height=CROP, width=CROP, load_height=LOAD, load_width=LOAD)
    pairs, files = source.split("train"), source.files("train")
    differences, largest_in_draft_mode = np.zeros(256, dtype=np.int64), 0
    for index in indices:
        loaded, theirs = transform.resize_for_training(pairs[index]), resize_halves(files[index][0])
        drafts = resize_halves(files[index][0], draft=True)
        for image, reference_pixels, draft in zip(loaded[:2], theirs, drafts, strict=True):
            difference = np.abs(image.permute(1, 2, 0).numpy().astype(np.int16) - reference_pixels)
            differences += np.bincount(difference.ravel(), minlength=256)
            largest_in_draft_mode = max(largest_in_draft_mode, int(np.abs(draft - reference_pixels).max()))
    values = np.arange(256)
    mean = float((values * differences).sum() / differences.sum())
    return {"largest": int(values[differences > 0].max()), "mean": mean, "draft_mode": largest_in_draft_mode}


def resize_halves(file: Path, *, draft: bool = False) -> list[np.ndarray]:
    """Both images resized by Pillow; with `draft`, from a picture that the JPEG decoder has reduced."""
    image = Image.open(file)
    if draft:
        image.draft("RGB", (2 * LOAD, LOAD))
    image = image.convert("RGB")
    middle = image.width // 2
    halves = (image.crop((left, 0, left + middle, image.height)) for left in (0, middle))
    return [np.asarray(half.resize((LOAD, LOAD), Image.Resampling.BICUBIC), dtype=np.int16) for half in halves]


def summary(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Medians over the rounds: pairs per second, milliseconds per pair, and speed relative to the reference."""
    seconds = result["seconds_a_pair"]
    rows = {}
    for name, times in seconds.items():
        ratios = [theirs / mine for theirs, mine in zip(seconds["reference"], times, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        median = statistics.median(times)
        rows[name] = {
            "pairs_a_second": 1 / median,
            "ms_a_pair": 1000 * median,
            "times": middle,
            "low": low,
            "high": high,
        }
    return rows


def main() -> None:
    """Prints a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="data sets with side-by-side pictures")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pairs", type=int, default=64, help="timed in each round")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2], help="loaders to compare by the clock")
    parser.add_argument("--json", type=Path, help="where to leave all numbers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    content: dict[str, Any] = {"machine": describe_machine(), "batch": options.batch, "data": {}}
    for folder in options.folders:
        source, counts = PairFolder(str(folder)), (options.rounds, options.pairs, options.batch)
        result = measure(source, *counts)
        result |= {"summary": summary(result), "seconds_a_pair_by_the_clock": loading(source, *counts, options.workers)}
        content["data"][folder.name] = result
        show(folder.name, result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def show(name: str, result: dict[str, Any]) -> None:
    largest, mean = result["levels"]["largest"], result["levels"]["mean"]
    print(
        f"\n{name}: {result['pairs']} pairs; resized within {largest} levels of Pillow, {mean:.3f} on average", end=""
    )
    print(f" (its draft mode: {result['levels']['draft_mode']})")
    print("| pipeline | pairs/s | ms/pair | times the reference |\n|---|---|---|---|")
    for pipeline, row in result["summary"].items():
        ratio = f"{row['times']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        print(f"| {pipeline} | {row['pairs_a_second']:.0f} | {row['ms_a_pair']:.2f} | {ratio} |")
    print("\n| loader | pairs/s by the clock (quartiles) |\n|---|---|")
    for loader_name, seconds in result["seconds_a_pair_by_the_clock"].items():
        low, middle, high = (1 / value for value in reversed(statistics.quantiles(seconds, n=4)))
        print(f"| {loader_name} | {middle:.0f} ({low:.0f} to {high:.0f}) |")


if __name__ == "__main__":
    with exit_with_message():
        main()
