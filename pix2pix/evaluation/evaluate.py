"""A run on a split: numbers for each picture and in total, the pictures, and a page to look at."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from torch import Tensor
from tqdm import tqdm

from pix2pix.components import build
from pix2pix.data.datamodule import PlainPairs
from pix2pix.data.pairs import Split
from pix2pix.evaluation.metrics import BETTER, pair_metrics
from pix2pix.pictures import save, to_picture
from pix2pix.run import Config, Run, write
from pix2pix.trained import Trained, load


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, and where it left it."""

    totals: dict[str, float]
    rows: list[dict[str, Any]]
    folder: Path


def evaluate(run: Run, *, split: Split = "val", data: str | Path | None = None, **options: Any) -> Evaluation:
    """Evaluates a run pair by pair into `evaluation/SPLIT/`, replacing what was there only when all is done.

    Args:
        run: the run.
        split: `train`, `val` or `test`; plain pictures, without augmentation.
        data: the folder of pairs, where it is no longer the one of the training.
        options: those of `pix2pix.trained.load`: checkpoint, device, normalization, dropout, seed.

    Raises:
        FileNotFoundError: when the run, its checkpoint or its data are not there.
        ValueError: for `data` where the pairs of the run are no files.
    """
    trained = load(run.path, **options)
    pairs = _pairs(trained.config["data"], split, data)
    folder = run.evaluation / split
    part = folder.with_name(f".{split}.part")
    shutil.rmtree(part, ignore_errors=True)
    rows = [
        _evaluate_pair(trained, pairs, index, part / "images")
        for index in tqdm(range(len(pairs)), unit="pair", disable=None)
    ]
    totals = {name: sum(row[name] for row in rows) / len(rows) for name in BETTER}
    _write_results(part, run, split, trained, totals, rows)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return Evaluation(totals, rows, folder)


def _pairs(config: Config, split: Split, path: str | Path | None) -> PlainPairs:
    source = dict(config["pairs"])
    if path is not None:
        if "path" not in source:
            raise ValueError(f"--data {path}: the pairs of this run are drawn, they have no folder. Leave it out.")
        source["path"] = str(path)
    return PlainPairs(build(source).split(split), build(config["transform"]))


def _evaluate_pair(trained: Trained, pairs: PlainPairs, index: int, images: Path) -> dict[str, Any]:
    source, target, name = pairs[index]
    output = trained.generate(source[None], name)[0]
    for kind, image in (("input", source), ("output", output), ("target", target)):
        save(to_picture(image), images / f"{name}_{kind}.png")
    return {"name": name} | _numbers(output, target)


def _numbers(output: Tensor, target: Tensor) -> dict[str, float]:
    return {name: float(value) for name, value in pair_metrics(output[None], target[None]).items()}


def _write_results(
    folder: Path, run: Run, split: Split, trained: Trained, totals: dict[str, float], rows: list[dict[str, Any]]
) -> None:
    with (folder / "per_image.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    summary = {
        "split": split,
        "pairs": len(rows),
        "checkpoint": trained.checkpoint.name,
        "step": trained.step,
        "inference": vars(trained.inference),
        "metrics": totals,
    }
    write(folder / "metrics.json", json.dumps(summary, indent=2) + "\n")
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pix2pix.evaluation", ""), autoescape=True)
    page = environment.get_template("page.html")
    write(folder / "index.html", page.render(run=run.path.resolve().name, summary=summary, rows=rows, better=BETTER))
