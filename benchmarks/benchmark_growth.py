"""How time and memory grow: with pictures, batches, data sets and the number of runs compared.

python benchmarks/benchmark_growth.py --json benchmarks/results/growth.json
python benchmarks/benchmark_growth.py --what pairs_in_two_folders --counts 100 1000 --folder /tmp/growth
python benchmarks/benchmark_growth.py --show benchmarks/results/growth.json

Every row is measured in processes of its own; steps and the reference's in turns, as in benchmarks/benchmark.py. Below
each table stands the exponent b of y = a x^b, by least squares over all rows in logarithms, and that of its last two
rows: what does not grow, such as weights and libraries, lowers the first one more than the second. Data sets of a
million pairs are links to one small picture. What was measured before stays in the file, so that tables, and rows of
them, can be measured one by one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmark import compare_steps

from benchmarks.interleaved import format_quartiles
from benchmarks.machine import describe_machine, read_results

ROOT = Path(__file__).parents[1]
SIDES = ("reference", "ours", "bf16")
TINY = ["data.size=32", "data.source.train_pairs=12", "data.source.val_pairs=8", "generator.base_channels=4"]
TINY += ["discriminator.base_channels=4", "discriminator.receptive_field=16", "trainer.max_epochs=2"]
TINY += ["trainer.log_every_n_steps=1", "data.batch_size=4", "name=run"]


class Table(NamedTuple):
    """A table: what is measured, and for which sizes."""

    title: str
    against: str  # what the number is, which time and memory are fitted against
    counts: list[int]
    rows: Callable[[int, Path], dict[str, Any]]


def size(side: int, folder: Path) -> dict[str, Any]:
    """Training steps of one pair of this size; fitted against pixels."""
    return {"count": side**2, "label": f"{side}x{side}", **steps(side, 1)}


def batch_at(side: int) -> Callable[[int, Path], dict[str, Any]]:
    return lambda batch, folder: {"count": batch, "label": str(batch), **steps(side, batch)}


def steps(side: int, batch: int) -> dict[str, Any]:
    """Five turns of half a second or one step per contender; three if a step takes many seconds."""
    work = batch * side**2 / 256**2  # of steps of a third of a second
    rounds, turn = 5 if work < 16 else 3, max(1, round(2 / max(work, 0.2)))
    result = compare_steps(((side, batch), SIDES, rounds, turn))["sides"]
    values = {f"{name}, ms": row["ms"]["median"] for name, row in result.items()}
    values |= {f"{name}, MiB": row["peak_mebibytes"] for name, row in result.items()}
    return {"values": values, "times_as_fast": {name: result[name]["times_as_fast"] for name in SIDES[1:]}}


def alone(case: str) -> Callable[[int, Path], dict[str, Any]]:
    """A case of benchmarks/scaling.py."""

    def row(count: int, folder: Path) -> dict[str, Any]:
        words = [case, str(count), "--folder", str(folder / case / str(count))]
        command = [sys.executable, "-m", "benchmarks.scaling", *words]
        output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
        result = json.loads(output.splitlines()[-1])
        seconds = {name if "," in name else f"{name}, s": value for name, value in result["seconds"].items()}
        number, label = (count**2, f"{count}x{count}") if case.startswith("translate") else (count, f"{count:,}")
        return {"count": number, "label": label, "values": seconds | {"more memory, MiB": result["mebibytes"]}}

    return row


def runs(count: int, folder: Path) -> dict[str, Any]:
    """Compares copies of a finished run, which is trained first."""
    if not (folder / "runs" / "run").is_dir():
        program = [sys.executable, "-m", "pix2pix.cli"]
        subprocess.run([*program, "train", *TINY, f"output_dir={folder / 'runs'}"], cwd=ROOT, check=True)
        subprocess.run([*program, "evaluate", folder / "runs" / "run"], cwd=ROOT, check=True)
    return alone("runs")(count, folder)


MANY = [10**power for power in range(2, 7)]
SIDES_OF_PICTURES = [64, 128, 256, 512, 1024, 2048, 4096]
TABLES = {
    "step_by_size": Table("A training step, batch 1", "pixels", SIDES_OF_PICTURES[:5], size),
    "step_by_batch_at_64": Table("A training step at 64x64", "batch", [2**n for n in range(7)], batch_at(64)),
    "step_by_batch_at_256": Table("A training step at 256x256", "batch", [1, 2, 4, 8], batch_at(256)),
    "translation": Table("Translating one picture", "pixels", SIDES_OF_PICTURES, alone("translate")),
    "translation_in_tiles": Table("The same in tiles of 256", "pixels", [512, 1024, 2048], alone("translate_in_tiles")),
    "pairs_side_by_side": Table("Pairs side by side in one file", "pairs", MANY, alone("side_by_side")),
    "pairs_in_two_folders": Table("Pairs in two folders", "pairs", MANY, alone("two_folders")),
    "runs": Table("Comparing runs", "runs", [1, 3, 10, 30, 100, 300], runs),
}


def exponent(rows: Sequence[dict[str, Any]], name: str) -> float | None:
    """The exponent b of y = a x^b, by least squares in logarithms; None with fewer than two positive values."""
    points = [(row["count"], row["values"][name]) for row in rows]
    if len(points) < 2 or min(value for _, value in points) <= 0:
        return None
    counts, values = np.log(np.array(points)).T
    return float(np.polyfit(counts, values, 1)[0])


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """The table in Markdown, with its exponents."""
    table, columns = TABLES[name], list(rows[0]["values"])
    ratios = list(rows[0].get("times_as_fast", ()))
    print(f"\n{table.title}\n")
    print(f"| {table.against} | {' | '.join([*columns, *(f'{ratio}, times as fast' for ratio in ratios)])} |")
    print("|" + "---|" * (1 + len(columns) + len(ratios)))
    for row in rows:
        cells = [f"{value:.3g}" if value < 100 else f"{value:,.0f}" for value in row["values"].values()]
        cells += [format_quartiles(row["times_as_fast"][name], 2) for name in ratios]
        print(f"| {' | '.join([row['label'], *cells])} |")
    for title, some in (("exponent, all rows", rows), ("exponent, last two", rows[-2:])):
        fitted = [exponent(some, column) for column in columns]
        print(f"| {title} | {' | '.join('' if b is None else f'{b:.2f}' for b in fitted)} |{' |' * len(ratios)}")


def fill(options: argparse.Namespace, folder: Path, recorded: dict[str, Any]) -> Iterator[None]:
    """Measures the chosen tables row by row, and keeps rows of other sizes."""
    for name in options.what:
        table = recorded.setdefault(name, {"machine": describe_machine(), "rows": []})
        for count in options.counts or TABLES[name].counts:
            row = TABLES[name].rows(count, folder) | {"command": sys.argv}
            others = [other for other in table["rows"] if other["count"] != row["count"]]
            table["rows"] = sorted([*others, row], key=lambda row: row["count"])
            yield
        show(name, table["rows"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--counts", type=int, nargs="+", help="in place of a table's own")
    parser.add_argument("--folder", type=Path, help="for what is measured on, kept; else a temporary one")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    parser.add_argument("--show", type=Path, metavar="JSON", help="print the tables of a file")
    options = parser.parse_args()
    if options.show:
        for name, table in read_results(options.show, "results").items():
            show(name, table["rows"])
        return
    recorded = read_results(options.json, "results") if options.json and options.json.is_file() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for _ in fill(options, (options.folder or Path(temporary)).resolve(), recorded):
            if options.json:
                options.json.write_text(json.dumps({"results": recorded}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
