"""Part `correct`: compares steps and trainings on the device with the CPU and with a repetition."""

import copy
import os
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.notes import SKIPPED, Job, Notes, Options, last_lines, trainer
from pix2pix.config.compose import composed
from pix2pix.core.randomness import seed_step
from pix2pix.models.losses import CrossEntropy, LeastSquares, Objective
from pix2pix.training import build
from pix2pix.training.cuda_graph import CUDAGraphStep
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

    def __init__(self, options: Options, words: list[str], *, half: bool = False, graph: bool = False) -> None:
        key = " ".join(word for word in words if not word.startswith("data.batch_size"))
        if key not in MODELS:
            MODELS[key] = build.build_model(composed(words))
        self.model = copy.deepcopy(MODELS[key]).to(options.device).train()
        self.layout = self.model.execution.memory_format
        players = self.model.generator, self.model.discriminator
        optimizers = self.model.configure_optimizers()
        updates = [make_update(optimizer) for optimizer in optimizers]

        def step(source: Tensor, target: Tensor) -> Any:
            # As Lightning sets autocast: no cast of a weight is kept, for D's are updated within the step.
            with torch.autocast(options.device, torch.bfloat16, cache_enabled=False) if half else nullcontext():
                return pix2pix_step(source, target, *players, self.model.objective, *updates)

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


LAST = ["step.channels_last=true"]
Way = tuple[list[str], dict[str, bool]]
PLAN: list[tuple[str, bool, Way, Way]] = [  # what, whether kernels are deterministic, one way and the other
    ("graph against eager, deterministic", True, ([], {"graph": True}), ([], {})),
    ("eager again, deterministic", True, ([], {}), ([], {})),
    ("eager again, fastest kernels", False, ([], {}), ([], {})),
    ("channels_last against eager, deterministic", True, (LAST, {}), ([], {})),
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


# ------------------------------------------------------------------------------------------------------------ trainings


def trainings(options: Options, notes: Notes) -> None:
    """Runs `pix2pix train` killed and resumed, in 16-mixed, and diverging; and the tests marked `gpu`."""
    folder, cpu = Path(options.work) / "trainings", options.device == "cpu"
    width, pairs = (4, 60) if options.tiny else (32, 200)
    small = [*trainer(options), f"data.size={32 if options.tiny else 128}", f"output_dir={folder}", "logger=csv"]
    small += [f"generator.base_channels={width}", f"discriminator.base_channels={width}", "data.pairs.val_pairs=8"]
    exact = [*small, "trainer.deterministic=true", "trainer.max_epochs=2", f"data.pairs.train_pairs={pairs}"]
    exact += [f"callbacks.checkpoint.every_n_steps={15 if options.tiny else 30}"]
    kinds = {"eager": []} if cpu else {"eager": [], "graph": ["step.cuda_graph=true"]}
    half = [*small, "precision=bf16-mixed" if cpu else "precision=16-mixed", "data.pairs.train_pairs=100"]
    jobs = {f"{kind}_unbroken": [*exact, *words] for kind, words in kinds.items()}
    jobs |= {f"{kind}_killed": [*exact, *words] for kind, words in kinds.items()}
    jobs |= {"half": [*half, "trainer.max_epochs=1", "trainer.log_every_n_steps=10"]}
    jobs |= {"diverging": [*small, "trainer.max_epochs=8", "data.pairs.train_pairs=30", "optimizer.lr=1e12"]}
    going = {name: Job(options, name, ["train", f"name={name}", *words]) for name, words in jobs.items()}
    for kind in kinds:
        _kill_once_saved(notes, going[f"{kind}_killed"], folder / f"{kind}_killed")
        name = f"{kind}_killed"
        going[f"{kind}_resumed"] = Job(options, f"{kind}_resumed", ["train", f"name={name}", *jobs[name]])
    tests = None if cpu else _own_tests()
    for name, job in going.items():
        code = job.wait(notes.until - 15)
        notes.put(name, {"exit": code, "seconds": job.seconds(), "said": job.last_output(2).splitlines()})
        if code != 0 and not name.endswith("_killed") and name != "diverging":
            notes.add_finding(f"{name} ends with {code}", job.last_output())
    _judge(options, notes, folder, kinds)
    if tests is not None:
        output = tests.communicate(timeout=max(1.0, notes.seconds_left() - 2))[0]
        notes.put("the tests marked gpu", {"exit": tests.returncode, "said": last_lines(output).splitlines()})


def _own_tests() -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "tests/test_gpu.py"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")


def _kill_once_saved(notes: Notes, job: Job, run: Path) -> None:
    while not (run / "checkpoints" / "last.ckpt").is_file() and not job.is_over() and notes.seconds_left() > 20:
        time.sleep(0.02)
    job.kill()


def _judge(options: Options, notes: Notes, folder: Path, kinds: dict[str, Any]) -> None:
    """Checks the results of the trainings."""
    for kind in kinds:
        with notes.record_errors(f"comparing {kind}"):
            one, other = (_last(folder / f"{kind}_{which}") for which in ("unbroken", "killed"))
            unequal = [name for name, value in one.items() if not torch.equal(value, other[name])]
            notes.put(
                f"{kind}: resumed against unbroken", {"equal": not unequal, "unequal": unequal[:5], "tensors": len(one)}
            )
            if unequal:
                notes.add_finding(
                    f"{kind}: the resumed run is not bit-equal to the unbroken one", ", ".join(unequal[:5])
                )
    with notes.record_errors("what the diverging run left"):
        kept = folder / "diverging" / "checkpoints" / "last.ckpt"
        spoilt = sum(int((~v.isfinite()).sum()) for v in _last(folder / "diverging").values()) if kept.is_file() else 0
        notes.put("diverging: numbers in last.ckpt that are not finite", {"count": spoilt})
    with notes.record_errors("overflows of 16-mixed"):
        lines = (folder / "half" / "metrics.csv").read_text(encoding="utf-8").splitlines()
        rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
        last = [{name: row.get(name) for name in ("step", "overflow_steps", "loss_scale")} for row in rows[-2:]]
        notes.put("16-mixed: overflows", {"rows": last})
    shutil.rmtree(folder, ignore_errors=True)


def _last(run: Path) -> dict[str, Tensor]:
    """The weights and optimizer states of a run's last checkpoint."""
    content = torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    states = [
        (n, k, v) for n, o in enumerate(content["optimizer_states"]) for k, s in o["state"].items() for v in s.values()
    ]
    moments = {f"optimizer {n} {k} {i}": v for i, (n, k, v) in enumerate(states) if isinstance(v, Tensor)}
    return content["state_dict"] | moments


ITEMS = {"parity": (parity, 15, 40), "steps": (steps, 20, 60), "trainings": (trainings, 40, 90)}
