"""Part `fast`: milliseconds of a step alone, the authors' and this one, and the limits of the card."""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Any

import torch

from benchmarks.gpu.correct import OwnStep, batches, full_width
from benchmarks.gpu.notes import SKIPPED, Notes, Options, read_notes
from benchmarks.reference_step import ReferenceStep, patchgan, unet

GIGAFLOP_A_PAIR = 86.9  # U-Net 256 and PatchGAN 70 of full width, both networks: benchmarks/count_operations.py
LAST = ["execution.channels_last=true"]
WAYS: dict[str, tuple[list[str], dict[str, bool]]] = {  # in the order of their worth
    "graph, bf16, channels_last": (LAST, {"half": True, "graph": True}),
    "eager": ([], {}),
    "graph": ([], {"graph": True}),
    "bf16, channels_last": (LAST, {"half": True}),
    "graph, bf16": ([], {"half": True, "graph": True}),
    "bf16": ([], {"half": True}),
    "channels_last": (LAST, {}),
}
Turn = Callable[[], Any]


def ceilings(options: Options, notes: Notes) -> None:
    """Measures a large product of bf16 matrices and a large copy."""
    size = 256 if options.tiny else 8192
    a, b = (torch.randn(size, size, device=options.device).bfloat16() for _ in range(2))
    block = torch.randn(1000 if options.tiny else 2**29, device=options.device)
    other = torch.empty_like(block)
    product = statistics.median(time_steps(options, lambda: a @ b, 10))
    copy = statistics.median(time_steps(options, lambda: other.copy_(block), 10))
    result = {"matmul_tflops": 2 * size**3 / product / 1e9, "copy_gb_per_second": 2 * block.nbytes / copy / 1e6}
    notes.put("ceilings", result)


def batch_1(options: Options, notes: Notes) -> None:
    compare(options, notes, 1)


def batch_16(options: Options, notes: Notes) -> None:
    compare(options, notes, 16)


def batch_64(options: Options, notes: Notes) -> None:
    compare(options, notes, 64)


def compare(options: Options, notes: Notes, batch: int) -> None:
    """Builds the contenders one after the other, then lets them take turns, with the authors' settings for all.

    TF32 is as torch has it, on in convolutions, and cuDNN chooses its kernels by the clock. What is too late is left
    out: sides are built in the order of their worth, and of each one block is timed as soon as it stands.
    """
    torch.backends.cudnn.benchmark = True
    count, sides, milliseconds, about = (3 if options.tiny else 10), {}, {}, {}
    for name in ["authors", *WAYS]:
        if notes.seconds_left() < (4 if options.tiny else 9):
            notes.put(name, SKIPPED)
            continue
        with notes.record_errors(f"{name}, batch {batch}"):
            sides[name], about[name] = build_model_and_data(options, name, batch)
            milliseconds[name] = time_steps(options, sides[name], count)
            report(options, notes, batch, milliseconds, about)
    for block in range(2):
        for name in list(sides) if block % 2 else reversed(list(sides)):
            if notes.seconds_left() > 2:
                milliseconds[name] += time_steps(options, sides[name], count)
    report(options, notes, batch, milliseconds, about)


def build_model_and_data(options: Options, name: str, batch: int) -> tuple[Turn, dict[str, Any]]:
    """A contender after ten steps of warm-up, the time to build it, and its peak memory."""
    began, cuda, base = time.time(), options.device == "cuda", 0
    if cuda:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        base = torch.cuda.memory_allocated()
    step = authors(options) if name == "authors" else ours(options, name, batch)
    inputs = cycle(batches(options, batch))

    def turn() -> None:
        step(*next(inputs))

    for _ in range(3 if options.tiny else 10):
        turn()
    peak = (torch.cuda.max_memory_allocated() - base) / 2**30 if cuda else None
    return turn, {"peak_gib": peak, "seconds_to_build": round(time.time() - began, 1)}


def authors(options: Options) -> ReferenceStep:
    """The authors' step, which reads its losses every 100 steps."""
    networks = (unet(6, 8), patchgan(3, 8)) if options.tiny else (unet(), patchgan())
    generator, discriminator = (network.to(options.device) for network in networks)
    return ReferenceStep(generator, discriminator, read_every=100)


def ours(options: Options, name: str, batch: int) -> OwnStep:
    words, flags = WAYS[name]
    return OwnStep(options, full_width(options, batch, *words), **flags)


def time_steps(options: Options, work: Turn, count: int) -> list[float]:
    """Milliseconds of each of so many calls that follow each other without waiting; by events, where there are any."""
    work()
    if options.device == "cpu":
        marks = [time.perf_counter()]
        for _ in range(count):
            work()
            marks.append(time.perf_counter())
        return [1000 * (b - a) for a, b in pairwise(marks)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    torch.cuda.synchronize()
    work()  # the device is busy when the clock starts, as in a training
    for number, event in enumerate(events):
        if number:
            work()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in pairwise(events)]


def report(options: Options, notes: Notes, batch: int, milliseconds: dict[str, Any], about: dict[str, Any]) -> None:
    """Writes medians and quartiles so far."""
    ceiling = read_notes(options, "fast.ceilings").get("results", {}).get("ceilings", {}).get("matmul_tflops")
    for name, values in milliseconds.items():
        low, median, high = statistics.quantiles(values, n=4)
        rate = GIGAFLOP_A_PAIR * batch / median
        result = {"ms": median, "low": low, "high": high, "images_per_second": 1000 * batch / median, "tflops": rate}
        result["share_of_matmul"] = rate / ceiling if ceiling and not options.tiny else None
        if "authors" in milliseconds:
            result["times_as_fast_as_authors"] = statistics.median(milliseconds["authors"]) / median
        notes.put(name, result | about[name] | {"all_ms": [round(value, 4) for value in values]})


ITEMS = {"ceilings": (ceilings, 6, 12), "batch_1": (batch_1, 15, 34), "batch_16": (batch_16, 15, 28)}
ITEMS |= {"batch_64": (batch_64, 15, 32)}
