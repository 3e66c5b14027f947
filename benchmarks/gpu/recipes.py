"""Part `good`: the paper's ablations and the parts of `configs/recipe` on real facades, each run on all test pairs.

Two stages (`plan.py`): the ablations and each part alone; then the parts that pay, together. Further seeds of the first
stage fill the card at any time.
"""

import json
import os
import statistics
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.gpu.notes import FORK, Notes, Options, enter_job, facades, last_lines
from benchmarks.gpu.plan import (
    LARGE,
    SCORERS,
    URGENT,
    Planned,
    choose_better,
    first_stage,
    judged,
    measure_gains,
    parts,
    second_stage,
)
from benchmarks.gpu.training import mps
from pix2pix.cli import main as pix2pix
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.evaluation.evaluate import evaluate
from pix2pix.inference.generator import load_generator
from pix2pix.runs.run import Run

AT_ONCE = 24


def good(options: Options, notes: Notes) -> None:
    """Trains and judges as many runs as fit, `AT_ONCE` at a time."""
    folder, at_once = Path(options.work) / "good", 3 if options.tiny else AT_ONCE
    queue, going, done, awaited = list(first_stage(options)), {}, {}, judged(options)
    with mps(options, notes):
        while (queue or going) and notes.seconds_left() > 4:
            while queue and len(going) < at_once and notes.seconds_left() > _usual_seconds(done):
                planned = queue.pop(0)
                going[planned.name] = FORK.Process(target=train_and_judge, args=(options, folder, planned))
                going[planned.name].start()
            for name, process in list(going.items()):
                if not process.is_alive():
                    process.join()
                    done[name] = _note_run(options, notes, going.pop(name).exitcode, name)
            if awaited and awaited <= done.keys():
                awaited, better = set(), choose_better(done, parts(options))
                gains = {part: measure_gains(done, part) for part in parts(options)}
                notes.put("the better recipe", {"parts": better} | gains)
                queue = [*second_stage(options, better), *queue]
            time.sleep(0.1)
        notes.put("not finished", [*going, *(planned.name for planned in queue)])
        for process in going.values():
            process.kill()
    _pack(options)


def _usual_seconds(done: dict[str, dict[str, Any]]) -> float:
    """Seconds that a run takes, with its evaluation; of the urgent ones, which are longer, nothing follows."""
    usual = [result["judged_after"] for name, result in done.items() if name not in URGENT and "judged_after" in result]
    return 1.2 * statistics.median(usual) if usual else 20.0


def train_and_judge(options: Options, folder: Path, planned: Planned) -> None:
    """A training and its evaluation on the test pairs, in one process; numbers and twelve pictures are kept."""
    name, is_scorer, began = planned.name, planned.name in SCORERS, time.time()
    os.environ["CUDA_MPS_CLIENT_PRIORITY"] = "0" if name in URGENT else "1"  # the kernels of 0 come first
    experiment = "facades_scorer" if is_scorer else "facades"
    words = facades(options, folder, name, *planned.words, experiment=experiment)
    enter_job(words, Path(options.work) / f"{name}.log", Path(options.work))
    try:
        pix2pix()
    except SystemExit as end:
        if end.code:
            raise
    result: dict[str, Any] = {"words": planned.words, "seconds": time.time() - began}
    if options.device == "cuda":
        result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.empty_cache()
    run = Run(folder / name)
    scorer = None if is_scorer else _wait_for_scorer(options, folder, name)
    limit = 8 if options.tiny else None
    judged = evaluate(
        run, split="test", scorer=scorer, perceptual=not is_scorer, limit=limit, device=options.device
    ).folder
    content = json.loads((judged / "metrics.json").read_text(encoding="utf-8"))
    result |= {key: content[key] for key in ("step", "pairs", "intervals", "spread")} | content["metrics"]
    if name in {LARGE, SCORERS[1]}:
        _write_weights(options, run, name)
    _keep(options, run, judged, result | {"judged_after": time.time() - began})
    if not is_scorer:
        for checkpoint in run.checkpoints.glob("*.ckpt"):
            checkpoint.unlink()


def _kept(options: Options) -> Path:
    return Path(options.work) / "kept"


def _wait_for_scorer(options: Options, folder: Path, name: str) -> Path | None:
    """The scorer of the run's size, once it is trained; None if its training has failed."""
    scorer = SCORERS[name == LARGE]
    while not (_kept(options) / scorer / "result.json").is_file():
        if _failure(options, scorer).is_file():
            return None
        time.sleep(0.2)
    return folder / scorer


def _failure(options: Options, name: str) -> Path:
    """The file that says that a run has failed."""
    return Path(options.work) / f"{name}.failed"


def _keep(options: Options, run: Run, judged: Path, result: dict[str, Any]) -> None:
    """Copies what is read later; result.json, the last file, says that the run is done."""
    kept = _kept(options) / run.path.name
    kept.mkdir(parents=True)
    for file in (judged / "metrics.json", judged / "per_image.csv", run.path / "config.yaml"):
        (kept / file.name).write_bytes(file.read_bytes())
    (kept / "losses.csv").write_bytes((run.path / "metrics.csv").read_bytes())
    outputs = [Image.open(file).convert("RGB") for file in sorted((judged / "images").glob("*_output.png"))[::9][:12]]
    sheet = Image.new("RGB", (sum(output.width for output in outputs), outputs[0].height))
    for number, output in enumerate(outputs):
        sheet.paste(output, (number * output.width, 0))
    sheet.save(kept / "sheet.jpg", quality=88)
    write_text_atomic(kept / "result.json", json.dumps(result, default=str))


def _write_weights(options: Options, run: Run, name: str) -> None:
    """A generator in 16 bits, in two files."""
    checkpoint = "best" if name in SCORERS else "last"
    weights = load_generator(run.path, device="cpu", checkpoint=checkpoint).generator.state_dict()
    halves = {key: value.half().contiguous() if value.is_floating_point() else value for key, value in weights.items()}
    total, size, files = sum(value.nbytes for value in halves.values()), 0, (dict[str, Tensor](), dict[str, Tensor]())
    for key, value in halves.items():
        files[2 * size >= total][key] = value
        size += value.nbytes
    for number, part in enumerate(files):
        save_file(part, Path(options.out) / f"{name}_{number + 1}_of_2.safetensors")


def _note_run(options: Options, notes: Notes, code: int | None, name: str) -> dict[str, Any]:
    file = _kept(options) / name / "result.json"
    result = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    notes.put(name, result | {"exit": code})
    if code != 0:
        _failure(options, name).touch()
        log = Path(options.work) / f"{name}.log"
        notes.add_finding(f"{name} ends with {code}", last_lines(log.read_text(encoding="utf-8", errors="replace")))
    return result


def _pack(options: Options) -> None:
    for suffixes, name in (((".jpg",), "good_pictures.zip"), ((".json", ".csv", ".yaml"), "good_numbers.zip")):
        with zipfile.ZipFile(Path(options.out) / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(_kept(options).rglob("*")):
                if file.suffix in suffixes:
                    archive.write(file, file.relative_to(_kept(options)))


GOOD = {"good": (good, 60, 100_000)}
