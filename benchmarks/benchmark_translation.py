"""Speed of evaluation and translation relative to the authors' test loop, and their memory.

python benchmarks/benchmark_translation.py ../shared/datasets/facades --json benchmarks/results/translation.json

A U-Net of full width with random weights on pairs of 256x256, the sides in turn in one run (see
benchmarks/benchmark.py): `evaluate` beside their loop over pairs, which shows three pictures of each and measures
nothing; `translate` beside their loop over single pictures, which shows two. Then the largest memory of each side
after a few pictures, and after ten times as many. Reading the weights is left out on every side.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.benchmark import sides_that_run_here
from benchmarks.interleaved import RATIOS, Contender, format_quartiles, run_in_turns, summarize
from benchmarks.machine import describe_machine
from benchmarks.reference_step import unet
from benchmarks.translation_contenders import CONTENDERS
from pix2pix.core.errors import exit_with_message
from pix2pix.export.import_reference import import_reference
from pix2pix.models.initialisation import initialise

CASES = {"evaluation": ["reference", "evaluate"], "translation": ["reference_single", "translate", "translate_half"]}
TIMES = 10  # how many times as many pictures the memory is measured with


def prepare(place: Path, dataset: Path, count: int, width: int = 64) -> None:
    """Writes the run, the reference's weights, and `count` pairs and single pictures, repeated from the data set."""
    torch.manual_seed(0)
    network = unet(base=width)
    initialise(network)
    torch.save(network.state_dict(), place / "latest_net_G.pth")
    settings = ["data=facades", f"data.path={dataset.resolve()}", f"output_dir={place}/outputs"]
    import_reference(place / "latest_net_G.pth", settings, name="run")
    originals = sorted((dataset / "test").glob("*.jpg"))
    (place / "pairs").mkdir()
    (place / "singles").mkdir()
    for number in range(count):
        file = originals[number % len(originals)]
        (place / "pairs" / f"{number:05}.jpg").symlink_to(file.resolve())
        with Image.open(file) as picture:
            middle = picture.width // 2
            picture.crop((middle, 0, picture.width, picture.height)).save(
                place / "singles" / f"{number:05}.jpg", quality=95
            )


def measure(place: Path, names: Sequence[str], rounds: int, pictures: int, threads: int) -> dict[str, Any]:
    """All turns of all contenders, and their summary."""
    sides = [side(name, place, threads) for name in names]
    run_in_turns(sides, rounds, pictures, first=pictures)
    return {each.name: summarize(each.turns, sides[0].turns) for each in sides}


def side(name: str, place: Path, threads: int) -> Contender:
    return Contender(name, "benchmarks.translation_contenders", [name, place, "--threads", threads])


def memory(place: Path, names: Sequence[str], pictures: int, threads: int) -> dict[str, Any]:
    """The peak memory of each contender in MiB, after `pictures` pictures and after ten times as many."""
    peaks = {}
    for name in names:
        alone = side(name, place, threads)
        counts = {count: alone.take_turn(count)["peak_mebibytes"] for count in (pictures, TIMES * pictures)}
        alone.end()
        peaks[name] = {str(count): round(peak) for count, peak in counts.items()}
    return peaks


def show(title: str, result: dict[str, Any]) -> None:
    first, *_ = result
    print(f"\n{title}\n| side | ms a picture (quartiles) | times as fast as {first} | by processor time | MiB |")
    print("|---|---|---|---|---|")
    for name, row in result.items():
        cells = [format_quartiles(row["ms"], 1), *(format_quartiles(row[ratio], 2) for ratio in RATIOS)]
        print(f"| {name} | {' | '.join(cells)} | {row['peak_mebibytes']} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "dataset", type=Path, help="pairs side by side, with the input on the right; its test split is used"
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=30, help="of each turn")
    parser.add_argument("--what", nargs="+", choices=[*CASES, "memory"], default=[*CASES, "memory"])
    parser.add_argument(
        "--sides", nargs="+", choices=CONTENDERS, help="of one comparison, the first against the others"
    )
    parser.add_argument("--width", type=int, default=64, help="of the network: channels after its first convolution")
    parser.add_argument("--threads", type=int, default=0, help="of each side; 0: as torch chooses")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    content: dict[str, Any] = {"machine": describe_machine(), "command": sys.argv, "pictures": options.pictures}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place, options.dataset, TIMES * options.pictures, options.width)
        if not sides_that_run_here(["translate_half"]):
            print("translate_half is left out: this CPU has no instructions for bfloat16.", flush=True)
        for what in options.what:
            names = options.sides or sides_that_run_here(CASES.get(what) or CONTENDERS)
            if what == "memory":
                content[what] = memory(place, names, options.pictures, options.threads)
                print(f"\nlargest memory in MiB, by the number of pictures\n{json.dumps(content[what], indent=1)}")
            else:
                content[what] = measure(place, names, options.rounds, options.pictures, options.threads)
                show(what, content[what])
    if options.json:
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with exit_with_message():
        main()
