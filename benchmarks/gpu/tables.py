r"""Prints the table of part `good`, and joins its sheets of pictures.

python -m benchmarks.gpu.tables benchmarks/results/gpu_h100_recipes.json paper resize perceptual
python -m benchmarks.gpu.tables measured/gpu_good.json paper resize --sheets pictures --data ../shared/datasets \
    --output sheet.jpg
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from benchmarks.machine import read_results
from pix2pix.core.errors import exit_with_message

METRICS = ("lpips", "kid", "score_class_iou", "score_pixel_accuracy", "l1", "ssim", "lab_l", "lab_a", "lab_b")
SIDE, TEXT = 128, 84  # pixels of a picture, and of the column of names


def main() -> None:
    """A row for each kind of run: means over its seeds with their standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="gpu_good.json, or what was kept of it")
    parser.add_argument("kinds", nargs="+", help="runs without their seeds, as NAME or NAME=TITLE")
    parser.add_argument("--sheets", type=Path, help="the folder of the unpacked good_pictures.zip")
    parser.add_argument("--data", type=Path, help="the folder that holds facades/, for inputs and targets")
    parser.add_argument("--columns", type=int, default=8, help="pictures in a row, at most 12")
    parser.add_argument("--output", type=Path, help="the picture to write")
    options = parser.parse_args()
    runs = read_results(options.file, "items", "good", "results")
    require_kinds(runs, options.kinds)
    if options.output and not (options.sheets and options.data):
        parser.error("--output needs --sheets and --data, whose pictures it joins.")
    print(format_table(runs, options.kinds))
    if options.output:
        join_sheets(options.sheets, options.kinds, options.data, options.columns).save(options.output, quality=85)


def require_kinds(runs: dict[str, Any], kinds: Sequence[str]) -> None:
    """Exits with the kinds of run that there are, if one that is asked for is not among them."""
    known = sorted({name[:-3] for name, run in runs.items() if name[:-1].endswith("_s") and "lpips" in run})
    if missing := [kind for kind in _titles(kinds) if kind not in known]:
        raise SystemExit(f"{', '.join(missing)}: there is no such run with results. Choose from {', '.join(known)}.")


def format_table(runs: dict[str, Any], kinds: Sequence[str]) -> str:
    """A Markdown table. `seconds` is of runs that began first, with a full card; `GiB` is the peak on the GPU."""
    lines = ["| | n | " + " | ".join(METRICS) + " | seconds | GiB |", "|---" * (len(METRICS) + 4) + "|"]
    for kind, title in _titles(kinds).items():
        seeds = [run for name, run in runs.items() if name[:-1] == f"{kind}_s" and "lpips" in run]
        cells = [title, str(len(seeds))]
        for metric in METRICS:
            values = [run[metric] for run in seeds]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 and metric in METRICS[:3] else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        first = runs.get(f"{kind}_s1", {})
        cells += [f"{first['seconds']:.0f}" if first else "", f"{max(run['peak_gib'] for run in seeds):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def join_sheets(sheets: Path, kinds: Sequence[str], data: Path, columns: int) -> Image.Image:
    """Rows of the same test pairs: inputs, the outputs of each kind with seed 1, targets."""
    pairs = sorted((data / "facades" / "test").iterdir(), key=lambda file: file.stem)[::9][:columns]
    halves = [Image.open(file).convert("RGB") for file in pairs]
    rows = {"input": [_half(pair, 1) for pair in halves]}
    for kind, title in _titles(kinds).items():
        sheet = Image.open(sheets / f"{kind}_s1" / "sheet.jpg")
        rows[title] = [sheet.crop((SIDE * n, 0, SIDE * (n + 1), SIDE)) for n in range(columns)]
    rows["target"] = [_half(pair, 0) for pair in halves]
    joined = Image.new("RGB", (TEXT + columns * SIDE, len(rows) * SIDE), "white")
    draw = ImageDraw.Draw(joined)
    for row, (name, pictures) in enumerate(rows.items()):
        draw.multiline_text((4, row * SIDE + SIDE // 2 - 6), name.replace("_", "\n"), fill="black")
        for column, picture in enumerate(pictures):
            joined.paste(picture, (TEXT + column * SIDE, row * SIDE))
    return joined


def _titles(kinds: Sequence[str]) -> dict[str, str]:
    return {kind.partition("=")[0]: kind.partition("=")[2] or kind for kind in kinds}


def _half(pair: Image.Image, which: int) -> Image.Image:
    """One image of a pair side by side."""
    width = pair.width // 2
    return pair.crop((which * width, 0, (which + 1) * width, pair.height)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )


if __name__ == "__main__":
    with exit_with_message():
        main()
