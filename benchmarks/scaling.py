"""Time and memory by the size of a picture, a data set or a comparison; one case in its own process.

python -m benchmarks.scaling translate 1024
python -m benchmarks.scaling side_by_side 100000 --folder /tmp/pairs
python -m benchmarks.scaling runs 300 --folder /tmp/runs

Prints a line of JSON: the seconds of each operation, in order, and the peak memory. The data are generated first and
stay in the folder.
"""

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.contenders import compose_benchmark_config
from benchmarks.machine import mebibytes, peak_mebibytes
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import EpochBatches
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.training_loader import collate_list
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.inference.mode import InferenceMode
from pix2pix.inference.translator import Translator
from pix2pix.training import build

LINKS = 50_000  # to one file: ext4 takes 65,000
LOGGED = 1_000  # rows of a run's metrics.csv: 200 epochs, and four logged rows in each
ENOUGH = 1.0  # seconds: what takes less is repeated
Seconds = dict[str, float]


def median_seconds(work: Callable[[], Any]) -> float:
    """The median time of as many calls as fit into a second, at least one."""
    seconds: list[float] = []
    while not seconds or sum(seconds) + seconds[-1] < ENOUGH:
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


@contextmanager
def measure_memory(result: dict[str, Any]) -> Iterator[None]:
    """Records the peak memory within the block, in MiB above that before it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the high-water mark begins anew (Linux)
    before = mebibytes("VmRSS") or 0.0
    yield
    result["mebibytes"] = peak_mebibytes() - before


def translate(size: int, folder: Path) -> Seconds:
    """Translates a picture of noise with the full network, or one of half the width for the largest sizes."""
    return _translate(size, [] if size <= 1024 else ["generator.base_channels=32"], folder)


def translate_in_tiles(size: int, folder: Path) -> Seconds:
    """The same in tiles of 256x256, with a network of half the width."""
    return _translate(size, ["generator.base_channels=32"], folder, tile=256)


def _translate(size: int, width: list[str], folder: Path, **tiles: int) -> Seconds:
    config = compose_benchmark_config(width, min(size, 256), 1, "cpu")
    generator, inference = build.construct_generator(config).eval(), InferenceMode(**config.inference.model_dump())
    translator = Translator(TrainedGenerator(config, generator, inference, folder, 0, torch.device("cpu")), **tiles)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8))
    translator(picture.crop((0, 0, 256, 256)))  # sets things up
    return {"a picture": median_seconds(lambda: translator(picture))}


def side_by_side(count: int, folder: Path) -> Seconds:
    """A data set whose files are links to one small picture."""
    return pairs(folder, {"train": count, "val": 100})


def two_folders(count: int, folder: Path) -> Seconds:
    """The same with A and B in separate folders."""
    return pairs(folder, {"trainA": count, "trainB": count, "valA": 100, "valB": 100})


def pairs(folder: Path, counts: dict[str, int]) -> Seconds:
    """Measures the work before the first step, and the order of an epoch."""
    _link_pictures(folder, counts)
    source = PairFolder(str(folder))
    transform = JitterAndMirror(height=16, width=16, load_height=18, load_width=18)
    training = TrainingPairs(source.split("train"), transform, seed=0)
    batches = EpochBatches(len(training.pairs), 16, 0, lambda: (0, 0))
    return {
        "find and match": median_seconds(lambda: PairFolder(str(folder))),
        "fingerprint": median_seconds(source.fingerprint),
        "first batch": median_seconds(
            lambda: transform.augment_batch(*collate_list([training[draw] for draw in next(iter(batches))]))
        ),
        "order of an epoch": median_seconds(lambda: sum(len(batch) for batch in batches)),
    }


def _link_pictures(folder: Path, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        if (folder / name).is_dir():
            continue
        (folder / name).mkdir(parents=True)
        originals = [folder / f"original_{name}_{number}" for number in range(-(-count // LINKS))]
        for original in originals:
            Image.new("RGB", (32, 16), "red").save(original, "PNG")
        for number in range(count):
            os.link(originals[number // LINKS], folder / name / f"pair_{number}.png")


def runs(count: int, folder: Path) -> Seconds:
    """Measures the comparison of `count` finished runs, and the front page of the dashboard."""
    from pix2pix.evaluation.compare import compare
    from pix2pix.evaluation.comparison_tables import to_markdown
    from pix2pix.runs.find import find_runs
    from pix2pix.web.dashboard import FrontPage

    _copy_runs(folder.parent / "run", folder, count)
    page = folder.parent / f"comparison_{count}.html"
    seconds = {
        "find the runs": median_seconds(lambda: find_runs([folder])),
        "comparison": median_seconds(lambda: to_markdown(compare(folder, page=page, evaluate=False))),
        "dashboard": median_seconds(lambda: FrontPage(folder).collect()),
    }
    return seconds | {"page, MB": page.stat().st_size / 1e6}


def _copy_runs(run: Path, folder: Path, count: int) -> None:
    """Copies a run with other weights of L1 and slightly other metrics; large files are linked."""
    for number in range(count):
        weight = 1 + number / 2
        copy = folder / f"objective.l1_weight={weight}"
        if copy.is_dir():
            continue
        shutil.copytree(run, copy, copy_function=os.link)
        _replace(copy / "config.yaml", " l1_weight: 100.0", f" l1_weight: {weight}")
        _replace(copy / "evaluation/val/metrics.json", '"l1": 0.', f'"l1": 0.{number:04}')
        header, *rows = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()
        steps = [f"{step},{rows[step % len(rows)].partition(',')[2]}" for step in range(LOGGED)]
        (copy / "metrics.csv").unlink()
        (copy / "metrics.csv").write_text("\n".join([header, *steps]) + "\n", encoding="utf-8")


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file}: no {old!r}"
    file.unlink()  # it is a link
    file.write_text(text.replace(old, new), encoding="utf-8")


CASES = {case.__name__: case for case in (translate, translate_in_tiles, side_by_side, two_folders, runs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with measure_memory(result):
        result["seconds"] = CASES[options.case](options.count, options.folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
