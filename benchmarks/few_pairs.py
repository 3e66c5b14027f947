"""Trains recipes with few pairs, each with as many steps, and prints how good they are.

python -m benchmarks.few_pairs ../shared/datasets facades NETWORKS --pairs 50 400 --recipes paper resize --output few

NETWORKS holds the weights that LPIPS and KID compare with (`gpu/convert_networks.py`). A run that is finished is not
trained again, and one that was stopped goes on. Two of these programs may share a folder, each with runs of its own.
"""

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

from benchmarks.gpu.plan import few_pairs
from benchmarks.gpu.pretrained import use_files
from benchmarks.machine import describe_machine, write_results
from pix2pix.cli.main import main as pix2pix
from pix2pix.core.errors import exit_with_message
from pix2pix.evaluation.evaluate import evaluate

METRICS = ("lpips", "kid", "l1", "ssim", "lab_l", "lab_a", "lab_b")


def main() -> None:
    """Trains and judges the runs one after another, each in a process of its own."""
    options = read_options()
    use_files(options.networks)
    if not (options.root / options.data / options.split).is_dir():
        raise ValueError(f"{options.root / options.data}: has no {options.split}/. Name another part with --split.")
    runs = {}
    for pairs in options.pairs:
        for recipe in options.recipes:
            process = multiprocessing.get_context("fork").Process(target=train_and_judge, args=(options, pairs, recipe))
            process.start()
            process.join()
            if process.exitcode:
                raise ValueError(f"{recipe} with {pairs} pairs ended with {process.exitcode}; its reason stands above.")
            runs[name_run(options, pairs, recipe)] = read_metrics(options, pairs, recipe)
    print(format_table(runs))
    write_results(options.json, machine=describe_machine(), steps=options.steps, size=options.size, runs=runs)


def read_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder that holds the data set")
    parser.add_argument("data", help="its name, which is also that of its experiment: facades, maps, edges2shoes")
    parser.add_argument("networks", type=Path, help="a folder with alexnet.safetensors and vgg16.safetensors")
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--recipes", nargs="+", default=["paper", "better"])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--split", default="test", help="what the outputs are compared on")
    parser.add_argument("--output", type=Path, default=Path("outputs/few_pairs"))
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    return parser.parse_args()


def name_run(options: argparse.Namespace, pairs: int, recipe: str) -> str:
    return f"{options.data}_{pairs}_{recipe}"


def train_and_judge(options: argparse.Namespace, pairs: int, recipe: str) -> None:
    """A run of half the paper's width in batches of 4, and its evaluation."""
    folder = few_pairs(options.root / options.data, options.output / f"pairs_{pairs}", pairs)
    words = [f"experiment={options.data}", f"data.root={folder.parent.resolve()}", f"recipe={recipe}", "seed=1"]
    words += [f"data.size={options.size}", "data.batch_size=4", "logger=csv", "callbacks.samples=null"]
    words += ["generator.base_channels=32", "discriminator.base_channels=32", "trainer.max_epochs=null"]
    words += [f"trainer.max_steps={options.steps}", "trainer.check_val_every_n_epoch=null"]
    words += [f"trainer.val_check_interval={options.steps // 3}", "callbacks.checkpoint.min_seconds=60"]
    name = name_run(options, pairs, recipe)
    sys.argv = ["pix2pix", "train", *words, f"output_dir={options.output}", f"name={name}"]
    try:
        pix2pix()
    except SystemExit as end:
        if end.code:
            raise
    evaluate(options.output / name, split=options.split, perceptual=True)


def read_metrics(options: argparse.Namespace, pairs: int, recipe: str) -> dict[str, object]:
    """The numbers of a run that was judged."""
    file = options.output / name_run(options, pairs, recipe) / "evaluation" / options.split / "metrics.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    return {"pairs": pairs, "recipe": recipe, "intervals": content["intervals"], **content["metrics"]}


def format_table(runs: dict[str, dict[str, object]]) -> str:
    """The runs as a Markdown table."""
    lines = [["pairs", "recipe", *METRICS], ["---"] * (2 + len(METRICS))]
    for run in runs.values():
        lines.append([str(run["pairs"]), f"`{run['recipe']}`", *(f"{run[metric]:.3f}" for metric in METRICS)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    with exit_with_message():
        main()
