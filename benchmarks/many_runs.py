"""Makes a sweep of many runs out of one: copies with other settings, seeds, numbers and curves."""

import csv
import io
import itertools
import json
import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

FIELDS = {"pixel": 1, "patch16": 16, "patch34": 34, "patch70": 70, "patch142": 142}  # pixels that D sees


def copy_runs(run: Path, folder: Path, *, weights: Sequence[int], seeds: int, fields: Sequence[str] = ()) -> None:
    """Copies a finished and evaluated run for every discriminator, weight of L1 and seed.

    Pictures and checkpoints are those of the run. Its numbers are changed by chance (seeded), more between settings
    than between seeds: they show nothing but the page.
    """
    for field, weight, seed in itertools.product(fields or ["patch16"], weights, range(1, seeds + 1)):
        named = f"discriminator={field}," if fields else ""
        copy = folder / f"{named}objective.l1_weight={weight},seed={seed}"
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("tensorboard", "provenance"))
        config = (copy / "config.yaml").read_text(encoding="utf-8")
        for setting, value in (("l1_weight", float(weight)), ("receptive_field", FIELDS[field]), ("seed", seed)):
            config = re.sub(
                rf"^( *){setting}: [\d.]+$", rf"\g<1>{setting}: {value}", config, count=1, flags=re.MULTILINE
            )
        (copy / "config.yaml").write_text(config, encoding="utf-8")
        factor = random.Random(f"{field} {weight}").gauss(1, 0.1) * random.Random(f"{copy.name}").gauss(1, 0.02)
        _scale_numbers(copy, factor)


def _scale_numbers(run: Path, factor: float) -> None:
    file = run / "evaluation" / "val" / "metrics.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["metrics"] = {name: value * factor for name, value in record["metrics"].items()}
    file.write_text(json.dumps(record), encoding="utf-8")
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as curves:
        header, *rows = csv.reader(curves)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([
            f"{float(cell) * factor:.6g}" if cell and name.startswith(("val/", "loss/")) else cell
            for name, cell in zip(header, row, strict=True)
        ])  # fmt: skip
    (run / "metrics.csv").write_text(text.getvalue(), encoding="utf-8")
