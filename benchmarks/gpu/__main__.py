"""Measures the project on a GPU in five parts, and writes results as they are measured.

python -m benchmarks.gpu --data ../shared/datasets --parity ../shared/parity --out measured --seconds 840
python -m benchmarks.gpu --data ../shared/datasets --out tried --device cpu --tiny      # tries the program, no more

correct   steps against the CPU and the authors' recordings, variants of the step, resumed runs, overflows
fast      milliseconds of a step at batch 1, 16 and 64, the authors' and ours
train     where the time of `pix2pix train` goes; 1, 2, 4, 8 trainings at once
good      the paper's ablations and parts of recipes at 128x128, all on the test pairs; takes what time is left
several   speed, results and resuming, with several GPUs

Each part is made of items, in the order of their worth; each item is a process of its own, forked from this one, which
imports everything once and touches no GPU. What crashes or hangs costs itself. An item that no longer fits is skipped,
and says so. OUT/gpu_PART.json holds the machine, the command and what was found, from the first number on.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu import correct, fast, pretrained, recipes, several_gpus, training
from benchmarks.gpu.notes import FORK, SKIPPED, Notes, describe_machine_and_card, last_lines, read_notes, show

Item = tuple[Callable[[argparse.Namespace, Notes], None], float, float]  # itself, seconds at least and at most
PARTS: dict[str, Mapping[str, Item]] = {
    "correct": correct.ITEMS,
    "fast": fast.ITEMS,
    "train": training.TRAIN,
    "good": recipes.GOOD,
    "several": several_gpus.ITEMS,
}
TINY_SHARE = 0.1  # of the seconds that an item needs, where the program itself is tried
TINY_LEAVES_OUT = {"fast.batch_16", "fast.batch_64"}


def list_items() -> list[tuple[str, str]]:
    """All items: their part and their name."""
    return [(part, name) for part in PARTS for name in PARTS[part]]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder that holds facades/")
    parser.add_argument("--parity", default="../shared/parity", help="the folder of the authors' recordings")
    parser.add_argument(
        "--networks", type=Path, help="a folder with alexnet.safetensors and vgg16.safetensors, for LPIPS"
    )
    parser.add_argument("--out", required=True, help="where gpu_PART.json are put")
    parser.add_argument(
        "--parts", default=",".join(PARTS), help="some of them, or items such as fast.batch_1, in order"
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=840, help="for everything")
    parser.add_argument("--commit", default="", help="where the checkout has no history of its own")
    parser.add_argument("--tiny", action="store_true", help="small networks and few steps: tries the program")
    chosen = parser.parse_args()
    known = [*PARTS, *map(".".join, list_items())]
    if unknown := set(chosen.parts.split(",")) - set(known):
        parser.error(f"--parts: there is no {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    if chosen.networks is not None:
        pretrained.use_files(chosen.networks.resolve())
    chosen.work = tempfile.mkdtemp(prefix="gpu_")
    return chosen


def main() -> None:
    chosen = options()
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # asking for a GPU otherwise spoils it for forked processes
    end, about = time.time() + chosen.seconds, describe_machine_and_card(chosen)
    Path(chosen.out).mkdir(parents=True, exist_ok=True)
    os.environ |= {"PIX2PIX_TRUSTED_MODULES": f"{chosen.work}/trusted", "PYTHONWARNINGS": "ignore"}
    items = [item for word in chosen.parts.split(",") for item in list_items() if word in {item[0], ".".join(item)}]
    items = [item for item in items if not (chosen.tiny and ".".join(item) in TINY_LEAVES_OUT)]
    share, done = (TINY_SHARE if chosen.tiny else 1.0), {}
    for number, (part, name) in enumerate(items):
        work, least, most = PARTS[part][name]
        later = sum(PARTS[p][n][1] for p, n in items[number + 1 :])
        chosen.item, chosen.until = f"{part}.{name}", min(time.time() + most, end - later * share)
        if chosen.until - time.time() < least * share:
            result: dict[str, Any] = {"outcome": SKIPPED}
        else:
            result = measure(chosen, about, part, name, work)
        write(chosen, about, part, name, result)
        done[chosen.item] = {key: result.get(key) for key in ("outcome", "seconds")}
        done[chosen.item]["findings"] = len(result.get("findings", []))
    print(f"\nWhat was done; runs and what they said are in {chosen.work}")
    show(done)
    raise SystemExit(any(row["findings"] or row["outcome"] != "done" for row in done.values()))


def measure(chosen: argparse.Namespace, about: dict[str, Any], part: str, name: str, work: Any) -> dict[str, Any]:
    """Runs an item and writes its results so far; ends it and its child processes when its time is over."""
    print(f"\n===== {chosen.item}: up to {chosen.until - time.time():.0f} s", flush=True)
    began, process = time.time(), FORK.Process(target=run, args=(chosen, work))
    process.start()
    while process.is_alive() and time.time() < chosen.until + 4:
        process.join(0.5)
        write(chosen, about, part, name, {"outcome": "running"} | read_notes(chosen, chosen.item))
    outcome = (
        "out of time" if process.is_alive() else "done" if process.exitcode == 0 else f"ended with {process.exitcode}"
    )
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)  # also what it has left running
    process.join()
    result = read_notes(chosen, chosen.item) | {"outcome": outcome, "seconds": round(time.time() - began, 1)}
    show(result.get("results", {}))
    return result


def run(chosen: argparse.Namespace, work: Any) -> None:
    """The process of an item."""
    os.setpgrp()
    notes = Notes(chosen)
    try:
        work(chosen, notes)
    except BaseException:
        notes.add_finding(f"{chosen.item} broke off", last_lines(traceback.format_exc(), 10))
        raise SystemExit(1) from None


def write(chosen: argparse.Namespace, about: dict[str, Any], part: str, name: str, result: dict[str, Any]) -> None:
    file = Path(chosen.out) / f"gpu_{part}.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    command = ["python", "-m", "benchmarks.gpu", *sys.argv[1:]]
    items = content.get("items", {}) | {name: result}
    file.write_text(
        json.dumps({"part": part, "machine": about, "command": command, "items": items}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
