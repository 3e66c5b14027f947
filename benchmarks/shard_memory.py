"""Iterates an epoch over a simulated million pairs in shards, and measures the memory.

python benchmarks/shard_memory.py --figure docs/images/shards_memory.png --json benchmarks/results/shards_memory.json

The pictures are small and the shards are one file under many names, so that a disk of a few megabytes holds the set;
index, order, ranges, decoding and loader workers are those of a training. Memory is what main process and workers
take together beside the libraries' own files, pages that they share counted once.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader

from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import EpochBatches
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.shards import ShardedPairs
from pix2pix.data.training_loader import collate_stack
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.datasets.write_shards import write_shards

SIZE = 32


def simulate(folder: Path, pairs: int, in_shard: int) -> Path:
    """Shards of `pairs` pairs, all of them the same shard of `in_shard` pairs."""
    pictures = folder / "pairs"
    random = np.random.default_rng(0)
    for split, count in (("train", in_shard), ("val", 1)):
        (pictures / split).mkdir(parents=True)
        for number in range(count):
            noise = Image.fromarray(random.integers(0, 256, (8, 16, 3), dtype=np.uint8))
            noise.resize((2 * SIZE, SIZE), Image.Resampling.BICUBIC).save(pictures / split / f"{number}.jpg")
    output = folder / "shards"
    write_shards(PairFolder(str(pictures)), output)
    multiply(output, pairs // in_shard)
    return output


def multiply(output: Path, times: int) -> None:
    """Links the one training shard under `count` names, in the folder and in its index."""
    index = json.loads((output / "index.json").read_text(encoding="utf-8"))
    (shard,) = index["splits"]["train"]
    names = [f"train-{number:06d}.tar" for number in range(times)]
    for name in names[1:]:
        os.link(output / names[0], output / name)
    index["splits"]["train"] = [shard | {"name": name} for name in names]
    (output / "index.json").write_text(json.dumps(index), encoding="utf-8")
    places = np.load(output / "train.offsets.npy")
    np.save(output / "train.offsets.npy", np.tile(places, (times, 1)))


def walk(path: Path, workers: int, batch_size: int) -> dict[str, list[float]]:
    """Megabytes and pairs so far, at fifty points of one epoch."""
    source = ShardedPairs(str(path))
    transform = JitterAndMirror(height=SIZE, width=SIZE, load_height=SIZE, load_width=SIZE)
    pairs = TrainingPairs(source.split("train"), transform, seed=0)
    batches = EpochBatches(len(pairs.pairs), batch_size, 0, lambda: (0, 0), order=source.order)
    loader = DataLoader(pairs, batch_sampler=batches, num_workers=workers, collate_fn=collate_stack)
    seen, megabytes, seconds = [0], [memory()], [0.0]
    started = time.monotonic()
    for number, batch in enumerate(loader, start=1):
        transform.augment_batch(*batch)
        if number % (len(batches) // 50) == 0:
            seen.append(number * batch_size)
            megabytes.append(memory())
            seconds.append(time.monotonic() - started)
    return {"pairs": seen, "megabytes": megabytes, "seconds": seconds}


def memory() -> float:
    """Megabytes of this process and its children, pages that they share counted once; Linux only."""
    own = psutil.Process()
    return sum(_proportional(process.pid) for process in (own, *own.children(recursive=True))) / 1000


def _proportional(process: int) -> int:
    """Kilobytes of memory that holds no file: pages of libraries count less the more programs run beside."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon", "Pss_Shmem")))


def draw(result: dict[str, Any], path: Path) -> None:
    """Memory over the epoch."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot(np.array(result["pairs"]) / 1e6, result["megabytes"], color="#2a6f97", linewidth=2)
    axes.set(xlabel="million pairs walked", ylabel="MB, main process and workers", ylim=(0, None), xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Walks, prints the largest and the smallest memory, and the pairs a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--in-shard", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        shards = simulate(Path(folder), options.pairs, options.in_shard)
        result = walk(shards, options.workers, options.batch)
    after = result["megabytes"][1:]
    rate = result["pairs"][-1] / result["seconds"][-1]
    print(
        f"{result['pairs'][-1]:,} pairs, {options.workers} workers: {min(after):.0f} to {max(after):.0f} MB", end=", "
    )
    print(f"{rate:.0f} pairs a second")
    if options.figure:
        draw(result, options.figure)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps(result | {"workers": options.workers, "batch": options.batch}) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
