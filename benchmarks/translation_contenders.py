"""One contender of a comparison of evaluation and translation, in its own process.

python -m benchmarks.translation_contenders evaluate WORKPLACE

The workplace is a folder that benchmarks/benchmark_translation.py has made: a run, its weights as the reference has
them, pairs and single pictures. A turn takes the requested number, from the first one on, and writes its
results into a folder of its own. Reading the weights is no part of it. Each side imports what it needs alone, as its
memory is measured too.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.interleaved import ResultPipe, read_step_counts, resource_usage

Turn = Callable[[int], None]


def reference(place: Path, folder: str) -> Turn:
    """The authors' loop over pairs or single pictures."""
    from benchmarks import reference_test_loop

    network = reference_network(place)
    kind, source = {"pairs": (reference_test_loop.Pairs, "B"), "singles": (reference_test_loop.Singles, "A")}[folder]
    results = place / f"reference_{folder}"
    return lambda count: reference_test_loop.run(network, kind(files(place / folder, count)), results, source)


def reference_network(place: Path, dropout: float = 0.5) -> torch.nn.Module:
    """The authors' U-Net with the weights of the workplace."""
    from benchmarks.reference_step import unet

    state = torch.load(place / "latest_net_G.pth", weights_only=True)
    network = unet(base=len(state["model.0.weight"]), dropout=dropout)
    network.load_state_dict(state)
    return network


def translate(place: Path, *, half: bool = False) -> Turn:
    """`pix2pix translate` without its gallery."""
    from pix2pix.inference.files import translate_files
    from pix2pix.inference.translator import load_translator

    translator = load_translator(place / "outputs/run", half=half)
    results = place / f"translate_{half}"
    return lambda count: print(translate_files(translator, files(place / "singles", count), results).summary(results))


def evaluate(place: Path) -> Turn:
    """`pix2pix evaluate` with metrics, pictures and page, of a run that is already loaded."""
    from pix2pix.evaluation import evaluate as evaluation
    from pix2pix.runs.run import Run

    trained = evaluation.load_generator(place / "outputs/run")
    trained.pack()
    evaluation.load_generator = lambda *_, **__: trained

    def turn(count: int) -> None:
        evaluation.evaluate(Run(place / "outputs/run"), split="test", data=part(place, count))

    return turn


def part(place: Path, count: int) -> Path:
    """A folder with the first `count` pairs as its test split."""
    folder = place / f"first_{count}"
    for split, files_ in (("train", files(place / "pairs", 1)), ("test", files(place / "pairs", count))):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for file in files_:
            if not (folder / split / file.name).exists():
                os.link(file, folder / split / file.name)
    return folder


def files(folder: Path, count: int) -> list[Path]:
    return sorted(folder.iterdir())[:count]


CONTENDERS: dict[str, Callable[[Path], Turn]] = {
    "reference": lambda place: reference(place, "pairs"),
    "evaluate": evaluate,
    "reference_single": lambda place: reference(place, "singles"),
    "translate": translate,
    "translate_half": lambda place: translate(place, half=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=CONTENDERS)
    parser.add_argument("workplace", type=Path)
    parser.add_argument("--threads", type=int, default=0, help="of the network; 0: as torch chooses")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    turn = CONTENDERS[options.side](options.workplace)
    for pictures in read_step_counts():
        before, started = resource_usage(), time.perf_counter()
        turn(pictures)
        ANSWERS.send([(time.perf_counter() - started) / pictures] * pictures, before)


if __name__ == "__main__":
    ANSWERS = ResultPipe()
    main()
