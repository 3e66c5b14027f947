"""Speed of a training step relative to the reference algorithm in plain PyTorch, and the overhead of the framework.

python benchmarks/benchmark.py --json benchmarks/results/step.json
python benchmarks/benchmark.py --what step --sizes 256 --batches 1 4 --sides reference ours
python benchmarks/benchmark.py --what overhead --sizes 64 256
python benchmarks/benchmark.py --device cuda --json benchmarks/results/step_cuda.json
python benchmarks/benchmark.py --reference ../pytorch-CycleGAN-and-pix2pix
python benchmarks/benchmark.py --check benchmarks/results/step*.json

Each side is a process of its own with the settings it has by itself. They take turns of a few steps, in an order that
turns round, while the others wait. A ratio is that of two turns of one round; given are its median over the rounds and
its quartiles. Where other programs want the processor, too, `--threads 1` and the ratios of processor time, which count
what each side itself used, come near to those of a quiet machine. `--check` measures again what was recorded on a CPU
of the same family, or else with the same vector instructions, and fails when a ratio fell by more than its spread: the
ratios differ between kinds of CPUs by more than any change of the code.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import interleaved
from benchmarks.authors_step import describe_reference, require_checkout
from benchmarks.interleaved import RATIOS, format_quartiles, summarize
from benchmarks.machine import describe_machine, find_results, read_results
from pix2pix.config.hardware import has_fast_bf16

STEP, OVERHEAD = ("reference", "plain", "fused", "memory", "ours", "bf16"), ("ours", "train")
NARROW = ("narrow_data", "narrow", "narrow_train")  # networks of next to no work: what is around the step shows
CASES = {  # what: sizes and batches, sides, and rounds of so many steps
    "step": [((256, 1), STEP, 15, 2), ((256, 4), ("reference", "ours", "bf16"), 8, 1)],
    "small": [((64, 1), ("reference", "ours", "bf16"), 15, 8), ((64, 16), ("reference", "ours", "bf16"), 8, 2)],
    "overhead": [((64, 1), NARROW, 25, 20), ((64, 1), OVERHEAD, 20, 8), ((256, 1), OVERHEAD, 20, 2)],
}
ON_GPU = ("reference", "ours", "bf16", "train", "fast_train")
GPU_CASES = {
    "step": [((256, 1), ON_GPU, 15, 50), ((256, 16), ON_GPU, 10, 20), ((256, 64), ON_GPU, 8, 10)],
    "small": [((64, 1), ON_GPU, 15, 50)],
    "overhead": [((256, 1), NARROW, 15, 50)],
}
DRIFT = 0.05
Case = tuple[tuple[int, int], Sequence[str], int, int]


class Side(interleaved.Contender):
    """A process that takes training steps when told to; see benchmarks/contenders.py."""

    def __init__(
        self, name: str, shape: tuple[int, int], steps: int, threads: int, device: str, checkout: Path | None
    ) -> None:
        words = [name, "--size", shape[0], "--batch", shape[1], "--steps", steps, "--threads", threads]
        words += ["--device", device, *(["--reference", checkout] if checkout else [])]
        super().__init__(name, "benchmarks.contenders", words)


def compare_steps(case: Case, threads: int = 0, device: str = "cpu", checkout: Path | None = None) -> dict[str, Any]:
    """All turns of all contenders, and their summary. `checkout`: the authors' code, for the side `reference`."""
    shape, names, rounds, steps = case
    sides = [Side(name, shape, (rounds + 2) * steps + 10, threads, device, checkout) for name in names]
    # On a GPU the first turn covers cuDNN's choice of kernels and the recording of a graph.
    interleaved.run_in_turns(sides, rounds, steps, first=2 if device == "cpu" else 10)
    first, *_ = sides
    return {
        "size": shape[0],
        "batch": shape[1],
        "rounds": rounds,
        "steps_a_turn": steps,
        "threads": threads,
        "device": device,
        "sides": {side.name: summarize(side.turns, first.turns) for side in sides},
    }


def show(what: str, result: dict[str, Any]) -> None:
    first, *_ = result["sides"]
    print(f"\n{what}: {result['size']}x{result['size']}, batch {result['batch']}")
    print(
        f"| side | ms a step (quartiles) | times as fast as {first} | by processor time | ms more | page faults | MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, row in result["sides"].items():
        cells = [
            format_quartiles(row["ms"], 1),
            *(format_quartiles(row[ratio], 2) for ratio in RATIOS),
            format_quartiles(row["ms_more"], 1),
        ]
        print(f"| {name} | {' | '.join(cells)} | {row['page_faults']:.0f} | {row['peak_mebibytes']} |", flush=True)


def has_regressed(recorded: dict[str, float], now: dict[str, float]) -> bool:
    """Whether a ratio is below the recorded one by more than the wider of the two spreads, between their quartiles.

    Runs an hour apart differ by some percent though each is steady by itself, so the spread is at least DRIFT.
    """
    spread = max(one["high"] - one["low"] for one in (recorded, now))
    return now["median"] < recorded["median"] - max(spread, DRIFT * recorded["median"])


def sides_that_run_here(sides: Iterable[str], device: str = "cpu") -> list[str]:
    """The sides without bf16, where the device has no instructions for it: emulated, it says nothing of the code."""
    is_fast = has_fast_bf16("gpu" if device == "cuda" else "cpu")
    return [side for side in sides if side not in {"bf16", "fast_train", "translate_half"} or is_fast]


def find_record(files: Iterable[Path]) -> dict[str, Any]:
    """The record of this family of CPUs, else of one with the same vector instructions; exits where there is none."""
    contents = {file: read_results(file) for file in files if "cuda" not in file.name}
    records = [content for file, content in contents.items() if find_results(content, file, "machine", "instructions")]
    machine = describe_machine()
    here = machine["instructions"]
    alike = [record for record in records if record["machine"]["instructions"] == here]
    if alike:
        return next((record for record in alike if record["machine"].get("family") == machine["family"]), alike[0])
    known = ", ".join(record["machine"]["instructions"] for record in records)
    raise SystemExit(
        f"This CPU computes with {here}, and the records are of {known}. Measure a known version first: "
        f"python benchmarks/benchmark.py --json benchmarks/results/step_{here.lower()}.json"
    )


def check(files: Iterable[Path]) -> None:
    """Exits with the ratios that have fallen."""
    worse = []
    for what, results in find_record(files)["results"].items():
        for then in results:
            shape = then["size"], then["batch"]
            sides = sides_that_run_here(then["sides"])
            now = compare_steps((shape, sides, then["rounds"], then["steps_a_turn"]), then["threads"])
            show(what, now)
            for side in sides:
                ratios = then["sides"][side]["times_as_fast"], now["sides"][side]["times_as_fast"]
                if has_regressed(*ratios):
                    was, is_ = (format_quartiles(ratio, 2) for ratio in ratios)
                    worse.append(f"{what} {shape[0]}x{shape[0]} batch {shape[1]}, {side}: {is_}, recorded {was}")
    if worse:
        raise SystemExit("\n".join(["Slower than recorded:", *worse]))
    print("\nNothing is slower than recorded.")


def cases(what: str, options: argparse.Namespace) -> list[Case]:
    """The cases of the table above, or those of the chosen sizes, batches, contenders and rounds."""
    chosen: list[Case] = [
        (
            shape,
            sides_that_run_here(options.sides or sides, options.device),
            options.rounds or rounds,
            options.steps or steps,
        )
        for shape, sides, rounds, steps in (GPU_CASES if options.device == "cuda" else CASES)[what]
    ]
    if not (options.sizes or options.batches):
        return chosen
    shapes = [(size, batch) for size in options.sizes or [256] for batch in options.batches or [1]]
    return [(shape, *chosen[-1][1:]) for shape in shapes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--sizes", type=int, nargs="+", help="sides of the pictures, powers of two")
    parser.add_argument("--batches", type=int, nargs="+")
    parser.add_argument("--sides", nargs="+", help="the first one is what the others are compared with")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, help="turns of each side")
    parser.add_argument("--steps", type=int, help="of each turn")
    parser.add_argument("--threads", type=int, default=0, help="of each side; 0: as torch chooses")
    parser.add_argument("--reference", type=Path, metavar="PATH", help="a clone of the authors' repository")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    parser.add_argument("--check", type=Path, nargs="+", metavar="JSON", help="measure again, and compare with these")
    options = parser.parse_args()
    if "bf16" not in sides_that_run_here(["bf16"], options.device):
        print(f"bf16 is left out: this {options.device.upper()} has no instructions for it.", flush=True)
    if options.check and options.reference:
        parser.error("--check compares with records of benchmarks/reference_step.py: leave out --reference.")
    if options.check:
        check(options.check)
        return
    checkout = options.reference and options.reference.resolve()
    if checkout:
        require_checkout(checkout)
    machine = describe_machine() | ({"gpu": torch.cuda.get_device_name()} if options.device == "cuda" else {})
    content: dict[str, Any] = {"machine": machine, "command": sys.argv, "reference": describe_reference(checkout)}
    content["results"] = {}
    for what in options.what:
        content["results"][what] = []
        for case in cases(what, options):
            result = compare_steps(case, options.threads, options.device, checkout)
            show(what, result)
            content["results"][what].append(result)
            if options.json:
                options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
