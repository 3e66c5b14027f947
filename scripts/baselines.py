"""Compares the validation L1 of a run with two trivial baselines.

python scripts/baselines.py outputs/demo
"""

import argparse

from torch import Tensor

from pix2pix.core.errors import exit_with_message
from pix2pix.core.utf8 import ensure_utf8
from pix2pix.data.evaluation_pairs import EvaluationPairs
from pix2pix.evaluation.metrics import pair_metrics
from pix2pix.inference.generator import load_generator
from pix2pix.runs.run import Run
from pix2pix.training.build import build_data, build_model


def main() -> None:
    """Prints the mean L1 over the validation pairs, 0 to 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run directory")
    run = Run(parser.parse_args().run)
    config = run.config()
    data, untrained, trained = build_data(config), build_model(config), load_generator(run.path)
    colour = mean_colour(data.training_plain)
    guesses = {
        "always the mean colour of the training targets": lambda pair: colour.expand_as(pair.target),
        "the network before training": lambda pair: untrained.generate(pair.source[None], pair.name)[0],
        f"the trained network ({trained.checkpoint.name})": lambda pair: trained.generate(pair.source[None], pair.name)[
            0
        ],
    }
    print(f"L1 on the {len(data.validation)} validation pairs of {run.path} (0 to 1, lower is better)")
    for name, guess in guesses.items():
        print(f"  {mean_l1(data.validation, guess):.4f}  {name}")


def mean_colour(pairs: EvaluationPairs) -> Tensor:
    """The mean target over all pixels of all pairs, (C, 1, 1)."""
    return sum(pairs[index].target.mean(dim=(1, 2), keepdim=True) for index in range(len(pairs))) / len(pairs)


def mean_l1(pairs: EvaluationPairs, guess) -> float:
    """The mean over the pairs of the L1 between a guess and the target."""
    values = [
        float(pair_metrics(guess(pair)[None], pair.target[None])["l1"])
        for pair in map(pairs.__getitem__, range(len(pairs)))
    ]
    return sum(values) / len(values)


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
