"""A profile of the training step: time and operations of its parts, and time by kind of operation.

python benchmarks/profile_step.py --size 256 --batch 1 --json benchmarks/results/profile.json
python benchmarks/profile_step.py --precision bf16-mixed

The parts are timed as they come, medians over the steps. The roof is what this machine reaches in a convolution of the
shape that it likes best, of those in the networks; the share of it says how far a part is from being as fast as that.
Kinds of operations are torch's own account of the same steps, its profiler's cost left out.
"""

import argparse
import json
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe_machine
from pix2pix.core.allocator import keep_freed_memory
from pix2pix.models import PatchGAN, UNet
from pix2pix.models.losses import CrossEntropy
from pix2pix.models.objective import Objective
from pix2pix.training.step import pix2pix_step

WARM_UP = 3
KINDS = {  # the first that is part of an operator's name
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("convolution", "mkldnn", "conv"),
    "convolutions as matrix products": ("bmm", "aten::mm", "unfold"),  # those of models/winograd.py
    "batch norm": ("batch_norm",),
    "Adam": ("_fused_adam",),
    "activations, dropout": ("relu", "tanh", "dropout", "bernoulli", "threshold"),
    "joining, copying, casting": ("cat", "copy_", "clone", "contiguous", "_to_copy", "slice", "fill_", "zero_"),
    "losses": ("l1_loss", "abs", "sgn", "softplus", "mean", "sum", "mul", "div"),
}


class Parts:
    """The seconds of each part of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.now: Counter[str] = Counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.now[name] += time.perf_counter() - started

    def end_step(self, whole: float) -> None:
        self.now["the rest"] = whole - sum(self.now.values())
        for name, seconds in self.now.items():
            self.seconds[name].append(seconds)
        self.now = Counter()

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(seconds) for name, seconds in self.seconds.items()}


class Timed(nn.Module):
    """A network whose forward passes are timed."""

    def __init__(self, network: nn.Module, name: str, parts: Parts) -> None:
        super().__init__()
        self.network, self.name, self.parts = network, name, parts

    def forward(self, x: Tensor) -> Tensor:
        with self.parts.part(self.name):
            return self.network(x)


def time_update(optimizer: torch.optim.Optimizer, network: str, parts: Parts) -> Callable[[Tensor], None]:
    def update(loss: Tensor) -> None:
        with parts.part(f"{network}, backward"):
            loss.backward()
        with parts.part(f"{network}, Adam"):
            optimizer.step()
        optimizer.zero_grad()

    return update


def stepper(size: int, batch: int, parts: Parts, device: str = "cpu") -> Callable[[], None]:
    """A step of full width whose parts are timed; on the meta device they are only counted."""
    with torch.device(device):
        generator, discriminator = UNet(depth=min(size.bit_length() - 1, 8)), PatchGAN(6)
        source, target = torch.rand(2, batch, 3, size, size) * 2 - 1
    fused = device == "cpu"
    optimizers = [torch.optim.Adam(p.parameters(), 2e-4, (0.5, 0.999), fused=fused) for p in (generator, discriminator)]
    updates = [time_update(o, name, parts) for o, name in zip(optimizers, ("G", "D"), strict=True)]
    networks = Timed(generator, "G, forward", parts), Timed(discriminator, "D, forward (three times)", parts)
    return lambda: [loss.item() for loss in _losses(source, target, networks, updates, device)]


def _losses(source: Tensor, target: Tensor, networks: Any, updates: Any, device: str) -> list[Tensor]:
    losses = pix2pix_step(source, target, *networks, Objective(CrossEntropy()), *updates)["losses"]
    return list(losses.values()) if device != "meta" else []


class Counted(Parts):
    """Counts floating-point operations instead of seconds."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        with FlopCounterMode(display=False) as counter:
            yield
        self.now[name] += counter.get_total_flops()


def operations(size: int, batch: int) -> dict[str, int]:
    counted = Counted()
    stepper(size, batch, counted, "meta")()
    return dict(counted.now)


def roof(precision: torch.dtype) -> float:
    """The best operations per second of a forward convolution, over some shapes of the networks at 256x256."""
    best = 0.0
    for channels, size, batch in ((64, 128, 1), (128, 64, 1), (256, 32, 1), (256, 32, 8)):
        x, w = torch.rand(batch, channels, size, size, dtype=precision), torch.rand(2 * channels, channels, 4, 4)
        w = w.to(precision)
        work = 2 * batch * 2 * channels * channels * 16 * (size // 2) ** 2
        times = []
        with torch.no_grad():
            for _ in range(15):
                started = time.perf_counter()
                F.conv2d(x, w, stride=2, padding=1)
                times.append(time.perf_counter() - started)
        best = max(best, work / statistics.median(times[3:]))
    return best


def kinds(step: Callable[[], None], steps: int) -> dict[str, float]:
    """Seconds per step of each kind of operation, by torch's profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as account:
        for _ in range(steps):
            step()
    seconds: Counter[str] = Counter()
    for row in account.key_averages():
        if not row.key.startswith("ProfilerStep"):
            seconds[_kind(row.key)] += row.self_cpu_time_total / 1e6 / steps
    return dict(seconds.most_common())


def _kind(operator: str) -> str:
    name = operator.removeprefix("aten::")
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "everything else")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", choices=["32", "bf16-mixed"], default="32")
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    keep_freed_memory()
    kind = torch.bfloat16 if options.precision == "bf16-mixed" else torch.float32
    parts = Parts()
    step = stepper(options.size, options.batch, parts)
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        for number in range(WARM_UP + options.steps):
            started = time.perf_counter()
            step()
            parts.end_step(time.perf_counter() - started)
            if number < WARM_UP:
                parts.seconds.clear()
        by_kind = kinds(step, max(3, options.steps // 4))
    result = {
        "machine": describe_machine(),
        "size": options.size,
        "batch": options.batch,
        "precision": options.precision,
        "roof_gflops": roof(kind) / 1e9,
        "parts_ms": {name: 1000 * seconds for name, seconds in parts.medians().items()},
        "gflop": {name: count / 1e9 for name, count in operations(options.size, options.batch).items()},
        "kinds_ms": {name: 1000 * seconds for name, seconds in by_kind.items()},
    }
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def show(result: dict[str, Any]) -> None:
    parts, whole = result["parts_ms"], sum(result["parts_ms"].values())
    print(f"{result['size']}x{result['size']}, batch {result['batch']}, precision {result['precision']}: ", end="")
    print(f"{whole:.0f} ms a step; roof {result['roof_gflops']:.0f} GFLOP/s\n")
    print("| part | ms | share | GFLOP | GFLOP/s | of the roof |\n|---|---|---|---|---|---|")
    for name, ms in sorted(parts.items(), key=lambda part: -part[1]):
        count = result["gflop"].get(name, 0)
        rate = count / ms * 1000
        work = f"{count:.1f} | {rate:.0f} | {rate / result['roof_gflops']:.0%}" if count else " | | "
        print(f"| {name} | {ms:.1f} | {ms / whole:.0%} | {work} |")
    print("\n| kind of operation | ms | share |\n|---|---|---|")
    whole = sum(result["kinds_ms"].values())
    for name, ms in result["kinds_ms"].items():
        print(f"| {name} | {ms:.1f} | {ms / whole:.0%} |")


if __name__ == "__main__":
    main()
