"""Records the training step as one CUDA graph and replays it with a single launch.

At batch 1 a GPU waits for the CPU to launch each kernel; a graph launches all of them at once. A recorded step must not
depend on a value that the CPU reads. What changes from step to step is copied into memory that the graph reads: the
batch, the learning rates and, through torch's generators, the seed of the dropout.

`torch.cuda.make_graphed_callables` records forward and backward passes one by one, without the optimizers between them;
`torch.compile` in the mode `reduce-overhead` does the same, and draws other dropout noise.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from pix2pix.training.gan_ddp_strategy import agree_in_all_processes

log = logging.getLogger(__name__)

WARM_UP = 3  # steps before recording; after them kernels are chosen and optimizers have their state
HOOKS_WITHIN_STEP = ("on_before_backward", "on_after_backward", "on_before_optimizer_step", "on_before_zero_grad")

Step = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True)
class Execution:
    """How a training step is executed. The result is the same, apart from rounding and `compiled`'s dropout.

    Args:
        cuda_graph: whether the step is replayed as a CUDA graph.
        channels_last: whether weights and batches have the memory format that tensor cores read.
        compiled: whether `torch.compile` compiles the networks; it draws other dropout noise from the same seed.
    """

    cuda_graph: bool = False
    channels_last: bool = False
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory format of weights and batches."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


class Graph(Protocol):
    """Work that a device has recorded and can repeat on the same memory."""

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Runs `work` where it will be recorded, and returns its result."""
        ...

    def record(self, work: Callable[[], Any]) -> Any:
        """Records `work` without running it. Returns its result, whose memory each `replay` fills."""
        ...

    def replay(self) -> None:
        """Repeats the recorded work."""
        ...


class CudaGraph:
    """A CUDA graph with its own memory pool. Warm-up and capture share one stream.

    Autograd computes each gradient on the stream of its forward pass. A gradient that belongs to the default stream
    would break the capture, so no step runs on that stream.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Runs `work` on the capture stream, after earlier and before later work of the current stream."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def record(self, work: Callable[[], Any]) -> Any:
        """Captures the kernels; other threads, which load data, may use the device meanwhile."""
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
            return work()

    def replay(self) -> None:
        """Launches all recorded kernels."""
        self.graph.replay()


class CUDAGraphStep:
    """A step that is recorded for the first batch shape that occurs often enough, and then replayed for that shape.

    Batches of another shape, such as the last one of an epoch, run without the graph. So do all batches, after a
    warning, if the recording fails. With several processes, each records its own step, messages included. Either all of
    them replay or none does, as NCCL requires; for that their batches of a step must have the same shapes.

    Args:
        step: takes a source and a target (B, C, H, W), updates weights in place, and returns tensors in dictionaries.
            It must have no other effect: its Python code runs while it is recorded, and not in a replay.
        optimizers: the fused optimizers of the step; their learning rates may change between steps.
        graph: what records; a CUDA graph by default.
        agree: tells whether all processes could record their step; each calls it once.
    """

    def __init__(
        self,
        step: Step,
        optimizers: Sequence[Optimizer],
        graph: Graph | None = None,
        agree: Callable[[bool], bool] = agree_in_all_processes,
    ) -> None:
        self.step, self.graph, self.agree = step, graph or CudaGraph(), agree
        self.groups: list[dict[str, Any]] = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.step_counts: Counter[Any] = Counter()  # steps before the recording, by shape
        self.recorded_shapes: Any = None  # the shapes of the recorded source and target
        self.has_failed = False  # whether a recording has failed, here or in another process

    def __call__(self, source: Tensor, target: Tensor) -> Any:
        """Runs one step. The next step overwrites the result."""
        shapes = source.shape, target.shape
        if self.recorded_shapes is None and not self.has_failed:
            self.step_counts[shapes] += 1
            # The first shape that is common enough; the odd last batch of an epoch comes once in an epoch.
            if self.step_counts[shapes] > WARM_UP:
                self._record(source, target)
        if shapes != self.recorded_shapes:
            return self._run(source, target)
        self._fill(source, target)
        self.graph.replay()
        return self.result

    def _run(self, source: Tensor, target: Tensor) -> Any:
        """Runs a step without the graph, bit-equal to a replay."""
        with _round_rates(self.groups):
            return self.graph.warm_up(lambda: self.step(source, target))

    def _record(self, source: Tensor, target: Tensor) -> None:
        # The memory that the recorded kernels read: it must stay where it is as long as the graph is used.
        self.source, self.target = torch.empty_like(source), torch.empty_like(target)
        self.rates = [torch.empty((), device=source.device) for _ in self.groups]
        reason = ""
        try:
            with _read_rates_from(self.groups, self.rates), _restore_random_state_on_failure(source.device):
                self.result = self.graph.record(lambda: self.step(self.source, self.target))
        except RuntimeError as error:
            reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        if self.agree(not reason):
            self.recorded_shapes = source.shape, target.shape
            return
        self.has_failed = True
        log.warning(
            "The training step cannot be recorded as a CUDA graph: %s. Training continues without it: slower, with the "
            "same results. execution.cuda_graph=false turns it off from the start.",
            reason or "another process of this training could not record its own",
        )

    def _fill(self, source: Tensor, target: Tensor) -> None:
        """Copies the batch and the learning rates to where the recorded kernels read them."""
        self.source.copy_(source, non_blocking=True)
        self.target.copy_(target, non_blocking=True)
        for group, rate in zip(self.groups, self.rates, strict=True):
            rate.fill_(group["lr"])


def warn_about_skipped_hooks(callbacks: Sequence[pl.Callback]) -> None:
    """Warns about hooks of user callbacks within a step, because a replay does not call them."""
    for callback in callbacks:
        kind = type(callback)
        # Hooks of this package are refused by `config/rules.py` before the training starts.
        hooks = [name for name in HOOKS_WITHIN_STEP if _is_own(callback, name)]
        if hooks and not kind.__module__.startswith("pix2pix."):  # those of this package are refused earlier
            log.warning(
                "%s: %s is not called after the first %d steps, because a recorded step calls no callback. Set "
                "execution.cuda_graph=false if that matters, or use on_train_batch_end, which is called in every step.",
                *(kind.__name__, " and ".join(hooks), WARM_UP),
            )


def _is_own(callback: pl.Callback, name: str) -> bool:
    hook = getattr(callback, name)
    return getattr(hook, "__func__", hook) is not getattr(pl.Callback, name)


@contextmanager
def _round_rates(groups: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Rounds learning rates to float32 within the block, as the recorded optimizers read them.

    A resumed run takes its first steps without the graph. Its weights equal those of an uninterrupted run only if both
    use the same rates, to the last bit.
    """
    before = [group["lr"] for group in groups]
    for group, rate in zip(groups, before, strict=True):
        group["lr"] = float(torch.tensor(rate, dtype=torch.float32))
    try:
        yield
    finally:
        for group, rate in zip(groups, before, strict=True):
            group["lr"] = rate


@contextmanager
def _restore_random_state_on_failure(device: torch.device) -> Iterator[None]:
    """Restores the state of the device's random generator if the recording fails."""
    if device.type != "cuda":
        yield
        return
    state = torch.cuda.get_rng_state(device)
    try:
        yield
    except RuntimeError:
        torch.cuda.set_rng_state(state, device)
        raise


@contextmanager
def _read_rates_from(groups: Sequence[dict[str, Any]], rates: Sequence[Tensor]) -> Iterator[None]:
    """Makes optimizers read their learning rates from tensors within the block, for recording.

    Afterwards the groups hold numbers again, which schedules set and checkpoints store.
    """
    before = [{name: group[name] for name in ("lr", "capturable")} for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group.update(lr=rate, capturable=True)
    try:
        yield
    finally:
        for group, original in zip(groups, before, strict=True):
            group.update(original)


def match_memory_format(optimizer: Optimizer) -> None:
    """Converts an optimizer's state to the memory format of the weights, which may have changed since it was saved.

    Loading a checkpoint copies weights into existing tensors, but replaces the state of optimizers.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter).copy_(value)
