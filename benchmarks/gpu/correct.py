"""Part `correct`: compares steps and trainings on the device with the CPU and with a repetition."""

import copy
import os
from contextlib import ExitStack, nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.notes import SKIPPED, Notes, Options
from benchmarks.gpu.recovery import trainings
from pix2pix.config.compose import compose_settings
from pix2pix.config.parse import parse_config
from pix2pix.core.randomness import seed_step
from pix2pix.models.losses import CrossEntropy, LeastSquares
from pix2pix.models.objective import Objective
from pix2pix.training import build
from pix2pix.training.cuda_graph import CUDAGraphStep
from pix2pix.training.half_weights import HalfWeights
from pix2pix.training.step import pix2pix_step

PRECISIONS = {"float32, TF32 off": (False, False), "float32, TF32 as torch has it": (True, False), "bf16": (True, True)}
COMPARED = ("fake", "logits", "losses", "weights", "moved")  # `moved`: what three steps changed of the weights
MODELS: dict[str, Any] = {}  # by their words: drawing the weights takes seconds, copying them does not


def make_update(optimizer: torch.optim.Optimizer) -> Any:
    def update(loss: Tensor) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return update


# --------------------------------------------------------------------------------------------------------------- parity


def parity(options: Options, notes: Notes) -> None:
    """Compares the forward pass and steps of the authors' recorded trainings with the CPU, in several precisions."""
    from tests import parity as fixtures  # which needs pytest

    fixtures.FOLDER = Path(options.parity)
    for name in fixtures.NAMES[: 1 if options.tiny else None]:
        fixture = fixtures.Fixture(name)
        cpu = _three_steps(fixture, "cpu", "float32, TF32 off")
        theirs = [step[key] for step in fixture.losses for key in ("G_GAN", "G_L1", "D_real", "D_fake")]
        notes.put(f"{name}: CPU against the authors' recording", {"losses": _error(cpu["losses"], theirs)})
        for precision in PRECISIONS:
            with notes.record_errors(f"parity: {name}, {precision}"):
                ours = _three_steps(fixture, options.device, precision)
                notes.put(
                    f"{name}: {precision}, against the CPU", {key: _error(ours[key], cpu[key]) for key in COMPARED}
                )


def _error(ours: Any, theirs: Any) -> float:
    """The largest relative error of losses; |ours - theirs| / |theirs| of tensors."""
    if isinstance(ours, list):
        return max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(ours, theirs, strict=True))
    return float((ours - theirs).norm() / theirs.norm())


def _three_steps(fixture: Any, device: str, precision: str) -> dict[str, Any]:
    """The outputs of both networks before training, the losses in the recording's order, and the weights."""
    torch.backends.cudnn.allow_tf32, half = PRECISIONS[precision]
    networks = [fixture.generator().to(device).train(), fixture.discriminator().to(device).train()]
    pair, start = [image.to(device) for image in (fixture.source, fixture.target)], _flatten_weights(networks)
    objective = Objective(LeastSquares() if fixture.options["gan_mode"] == "lsgan" else CrossEntropy())
    autocast = torch.autocast(device, torch.bfloat16, cache_enabled=False) if half else nullcontext()
    updates = [make_update(torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)) for n in networks]
    with torch.no_grad(), autocast:
        fake, logits = copy.deepcopy(networks[0])(pair[0]), copy.deepcopy(networks[1])(torch.cat(pair, 1))
    losses: list[float] = []
    for _ in fixture.losses:
        with autocast:
            result = pix2pix_step(*pair, *networks, objective, *updates)["losses"]
        losses += [float(result["g_gan"]), 100 * float(result["g_l1"])]  # the recording holds G_L1 times its weight
        losses += [float(result["d_real"]), float(result["d_fake"])]
    weights = _flatten_weights(networks)
    return dict(
        zip(COMPARED, (fake.float().cpu(), logits.float().cpu(), losses, weights, weights - start), strict=True)
    )


def _flatten_weights(networks: list[Any]) -> Tensor:
    parameters = [parameter for network in networks for parameter in network.parameters()]
    return torch.cat([parameter.detach().float().flatten().cpu() for parameter in parameters]).double()


# ---------------------------------------------------------------------------------------------------------------- steps


class EagerGraph:
    """Stands in for a CUDA graph on the CPU, to test this program only."""

    def warm_up(self, work: Any) -> Any:
        return work()

    def record(self, work: Any) -> Any:
        self.work, self.result = work, {}
        return self.result

    def replay(self) -> None:
        self.result |= self.work()


class OwnStep:
    """The project's step with its own model and optimizers, without Lightning."""

    def __init__(
        self, options: Options, words: list[str], *, half: bool = False, graph: bool = False, copies: bool = True
    ) -> None:
        key = " ".join(word for word in words if not word.startswith("data.batch_size"))
        if key not in MODELS:
            MODELS[key] = build.build_model(parse_config(compose_settings(words)))
        self.model = copy.deepcopy(MODELS[key]).to(options.device).train()
        self.layout = self.model.execution.memory_format
        networks = self.model.generator, self.model.discriminator
        optimizers = self.model.configure_optimizers()
        updates = [make_update(optimizer) for optimizer in optimizers]
        half_weights = list(map(HalfWeights, networks, optimizers)) if half and copies else []

        def step(source: Tensor, target: Tensor) -> Any:
            # As Lightning sets autocast: no cast of a weight is kept, for D's are updated within the step.
            autocast = torch.autocast(options.device, torch.bfloat16, cache_enabled=False)
            with ExitStack() as stack:
                for context in [*([autocast] if half else []), *(each.use() for each in half_weights)]:
                    stack.enter_context(context)
                return pix2pix_step(source, target, *networks, self.model.objective, *updates)

        own = EagerGraph() if options.device == "cpu" else None
        self.step = CUDAGraphStep(step, optimizers, own) if graph else step

    def __call__(self, source: Tensor, target: Tensor) -> Any:
        return self.step(source.contiguous(memory_format=self.layout), target.contiguous(memory_format=self.layout))


def full_width(options: Options, batch: int, *words: str) -> list[str]:
    """U-Net 256 and PatchGAN 70."""
    narrow = ["generator.base_channels=8", "discriminator.base_channels=8"] if options.tiny else []
    return [f"data.size={64 if options.tiny else 256}", f"data.batch_size={batch}", *narrow, *words]


def batches(options: Options, batch: int) -> list[Tensor]:
    """Four random batches on the device; zeros would be faster."""
    size, generator = 64 if options.tiny else 256, torch.Generator().manual_seed(0)
    return [(torch.rand(2, batch, 3, size, size, generator=generator) * 2 - 1).to(options.device) for _ in range(4)]


LAST = ["execution.channels_last=true"]
Way = tuple[list[str], dict[str, bool]]
PLAN: list[tuple[str, bool, Way, Way]] = [  # what, whether kernels are deterministic, one way and the other
    ("graph against eager, deterministic", True, ([], {"graph": True}), ([], {})),
    ("eager again, deterministic", True, ([], {}), ([], {})),
    ("eager again, fastest kernels", False, ([], {}), ([], {})),
    ("channels_last against eager, deterministic", True, (LAST, {}), ([], {})),
    (
        "bf16 with copies of weights against without, deterministic",
        True,
        ([], {"half": True}),
        ([], {"half": True, "copies": False}),
    ),
    (
        "graph, bf16, channels_last against eager bf16",
        False,
        (LAST, {"graph": True, "half": True}),
        ([], {"half": True}),
    ),
]


def steps(options: Options, notes: Notes) -> None:
    """Compares variants of the step: thirty steps from one seed, bit-equal or the distance of losses and weights."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what deterministic products of matrices ask for
    known: dict[str, Any] = {}
    for what, deterministic, ours, theirs in PLAN:
        if notes.seconds_left() < 8:
            notes.put(what, SKIPPED)
            continue
        with notes.record_errors(f"steps: {what}"):
            torch.backends.cudnn.benchmark = not deterministic
            torch.use_deterministic_algorithms(deterministic, warn_only=True)
            torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore
            key = f"{deterministic} {theirs}"
            known[key] = known.get(key) or _train(options, *theirs)
            notes.put(what, _compare(_train(options, *ours), known[key]))


def _train(options: Options, words: list[str], flags: dict[str, bool]) -> tuple[Tensor, list[Tensor]]:
    """The weights at the end, and the losses of each step."""
    ours, losses = OwnStep(options, full_width(options, 1, *words), **flags), []
    for number, (source, target) in enumerate(islice(cycle(batches(options, 1)), 8 if options.tiny else 30)):
        seed_step(0, number, 0)
        losses.append(torch.stack(list(ours(source, target)["losses"].values())).clone())
    return torch.stack(losses).cpu(), [p.detach().float().cpu().contiguous() for p in ours.model.parameters()]


def _compare(a: tuple[Tensor, list[Tensor]], b: tuple[Tensor, list[Tensor]]) -> dict[str, Any]:
    apart = (a[0] != b[0]).any(dim=1).nonzero().flatten().tolist()
    pairs = list(zip(a[1], b[1], strict=True))
    return {
        "equal": not apart and all(torch.equal(x, y) for x, y in pairs),
        "first_step_apart": apart[0] + 1 if apart else None,
        "losses_apart": float((a[0] - b[0]).abs().max()),
        "weights_apart": max(float((x - y).abs().max()) for x, y in pairs),
        "finite": bool(a[0].isfinite().all()),
    }


ITEMS = {"parity": (parity, 1, 40), "steps": (steps, 15, 25), "trainings": (trainings, 40, 90)}
