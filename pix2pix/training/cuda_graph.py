"""Records the training step as one CUDA graph and replays it with a single launch.

At batch 1 a GPU waits for the processor to name its next kernel; a graph names them all at once. Nothing in a step may
then depend on a number that the processor reads, and whatever changes from step to step lies where the graph reads it:
the batch, the learning rates and, by way of torch's generators, the seed of the dropout.
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

log = logging.getLogger(__name__)

WARM_UP = 3  # steps before the recording: by then kernels are chosen and the optimizers have their state
HOOKS_WITHIN_STEP = ("on_before_backward", "on_after_backward", "on_before_optimizer_step", "on_before_zero_grad")

Step = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True)
class Execution:
    """How a training step is carried out; what it computes is the same.

    Args:
        cuda_graph: as a CUDA graph, on one GPU.
        channels_last: with the channels of a pixel side by side in memory, as tensor cores read them.
        compiled: with kernels that `torch.compile` makes; they draw other dropout noise from the same seed.
    """

    cuda_graph: bool = False
    channels_last: bool = False
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """Of weights and batches."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


class Graph(Protocol):
    """What a device has carried out once and can carry out again, on the same memory."""

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Does `work` where it will be recorded, and gives its result."""
        ...

    def record(self, work: Callable[[], Any]) -> Any:
        """Notes what `work` would do, and gives its result, whose memory is filled by each `replay`."""
        ...

    def replay(self) -> None:
        """Does it."""
        ...


class CudaGraph:
    """A CUDA graph, its memory its own. Warm-up and capture share one stream.

    Autograd runs each gradient on the stream of its forward pass. A gradient that still belongs to the default stream
    would break the capture, so no step runs there.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Runs `work` on the stream of the capture, after what was queued before it and before what follows."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def record(self, work: Callable[[], Any]) -> Any:
        """Captures the kernels; threads that load data may use the device meanwhile."""
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
            return work()

    def replay(self) -> None:
        """Launches them all."""
        self.graph.replay()


class CUDAGraphStep:
    """A step that is recorded for the first shape of batches to come often enough, and then replayed for that one.

    Batches of another shape, such as the last one of an epoch, run without the graph. So do all, after a warning, where
    the recording fails.

    Args:
        step: takes a source and a target (B, C, H, W), updates weights in place, and gives tensors, in dictionaries.
            It must change nothing else: what it does in Python is done while it is recorded, and not in a replay.
        optimizers: those that the step uses, fused; their learning rates may change between steps.
        graph: what records.
    """

    def __init__(self, step: Step, optimizers: Sequence[Optimizer], graph: Graph | None = None) -> None:
        self.step, self.graph = step, graph or CudaGraph()
        self.groups: list[dict[str, Any]] = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.taken: Counter[Any] = Counter()  # steps by shape, before the recording
        self.recorded: Any = None  # the shape of batches that is recorded
        self.failed = False  # whether a recording was tried in vain

    def __call__(self, source: Tensor, target: Tensor) -> Any:
        """One step; its result is overwritten by the next one."""
        shapes = source.shape, target.shape
        if self.recorded is None and not self.failed:
            self.taken[shapes] += 1
            if self.taken[shapes] > WARM_UP:
                self._record(source, target)
        if shapes != self.recorded:
            return self._run(source, target)
        self._fill(source, target)
        self.graph.replay()
        return self.result

    def _run(self, source: Tensor, target: Tensor) -> Any:
        """A step without the graph, to the bit what the graph computes."""
        with _round_rates(self.groups):
            return self.graph.warm_up(lambda: self.step(source, target))

    def _record(self, source: Tensor, target: Tensor) -> None:
        self.source, self.target = torch.empty_like(source), torch.empty_like(target)
        self.rates = [torch.empty((), device=source.device) for _ in self.groups]
        try:
            with _read_rates_from(self.groups, self.rates), _restore_random_state_on_failure(source.device):
                self.result = self.graph.record(lambda: self.step(self.source, self.target))
            self.recorded = source.shape, target.shape
        except RuntimeError as error:
            self.failed = True
            log.warning(
                "The training step cannot be recorded as a CUDA graph: %s. Training continues without it: slower, "
                "with the same results. step.cuda_graph=false turns it off from the start.",
                str(error).partition("\n")[0].rstrip("."),
            )

    def _fill(self, source: Tensor, target: Tensor) -> None:
        """Puts what is new where the recorded kernels read it."""
        self.source.copy_(source, non_blocking=True)
        self.target.copy_(target, non_blocking=True)
        for group, rate in zip(self.groups, self.rates, strict=True):
            rate.fill_(group["lr"])


def warn_about_skipped_hooks(callbacks: Sequence[pl.Callback]) -> None:
    """Says which hooks of the user's callbacks lie within a step: once that is recorded, nobody calls them."""
    for callback in callbacks:
        kind = type(callback)
        hooks = [name for name in HOOKS_WITHIN_STEP if _is_own(callback, name)]
        if hooks and not kind.__module__.startswith("pix2pix."):  # what ours measure there is refused beforehand
            log.warning(
                "%s: %s would hear nothing after the first %d steps, as a recorded step calls no callback. Set "
                "step.cuda_graph=false where that matters, or use on_train_batch_end, which is called in every step.",
                *(kind.__name__, " and ".join(hooks), WARM_UP),
            )


def _is_own(callback: pl.Callback, name: str) -> bool:
    hook = getattr(callback, name)
    return getattr(hook, "__func__", hook) is not getattr(pl.Callback, name)


@contextmanager
def _round_rates(groups: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Rounds learning rates to float32 for a while, as the recorded optimizers read them.

    A resumed run takes its first steps without the graph. Its weights are those of an unbroken one only if both take
    the same rate, to the last bit.
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
    """Leaves the device's random numbers where they are when the recording fails."""
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
    """Lets optimizers read their learning rates from tensors while they are recorded.

    Afterwards they hold numbers again: that is what schedules set and checkpoints keep.
    """
    before = [{name: group[name] for name in ("lr", "capturable")} for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group.update(lr=rate, capturable=True)
    try:
        yield
    finally:
        for group, own in zip(groups, before, strict=True):
            group.update(own)


def match_memory_format(optimizer: Optimizer) -> None:
    """Gives an optimizer's state the layout of the weights, which may be another one than when it was saved.

    A checkpoint's weights are copied into those that are there; its optimizers' state takes their place as it is.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter).copy_(value)
