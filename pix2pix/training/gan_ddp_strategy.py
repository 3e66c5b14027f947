"""Trains on several devices, one process each, and averages gradients of both networks between them."""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import torch
import torch.distributed as dist
from pydantic import Field
from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

STARTED_BY = "PIX2PIX_STARTED_BY"  # the first process, if it started the others


class GANDDPStrategy(DDPStrategy):
    """Data-parallel training of two networks: every backward pass ends with the mean gradient over all processes.

    DistributedDataParallel expects a gradient for every parameter in every backward pass. A GAN's passes reach D and G
    in turn, so DDP would search the graph for unused parameters twice per step and send zeros for the other network.
    This strategy wraps no module. It sends gradients while the rest of the pass is computed, and before the loss scale
    is removed, so that either all processes skip a step or none does.

    Losses and accuracies stay local until a callback averages them with `average_over_processes`; all processes then
    log the same numbers and stop at the same step. Buffers stay local, too; those of the first process are saved.

    Args:
        message_megabytes: the least size of a message of gradients; docs/measurements.md says how it was chosen.
        timeout_minutes: how long a process waits for another before the training fails.
        settings: arguments of Lightning's DDPStrategy, such as `process_group_backend`.
    """

    def __init__(
        self,
        *,
        message_megabytes: Annotated[float, Field(gt=0)] = 4.0,
        timeout_minutes: Annotated[float, Field(gt=0)] = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(timeout=timedelta(minutes=timeout_minutes), **settings)
        self.buckets = GradientBuckets(round(message_megabytes * 1e6))
        os.environ.setdefault(STARTED_BY, str(os.getpid()))  # child processes inherit it

    def setup_environment(self) -> None:
        """Connects to the other processes. A process that the first one started exits when the first one does."""
        # Lightning starts the others by the command line, so they share nothing with the first but the environment.
        first = int(os.environ[STARTED_BY])
        if first != os.getpid():
            threading.Thread(target=_exit_with_parent, args=[first], daemon=True).start()
        super().setup_environment()

    def configure_ddp(self) -> None:
        """Copies the weights of the first process to all others, and sends each gradient as soon as it is complete."""
        assert self.model is not None
        _sync_module_states(self.model)
        # The hook runs as soon as a gradient is complete: it is sent while the backward pass computes the next one.
        for parameter in filter(lambda parameter: parameter.requires_grad, self.model.parameters()):
            parameter.register_post_accumulate_grad_hook(self.buckets.add)

    def pre_backward(self, closure_loss: Tensor) -> None:
        """Forgets the messages of a pass that did not end, such as one that could not be recorded as a CUDA graph."""
        self.buckets.clear()

    def post_backward(self, closure_loss: Tensor) -> None:
        """Waits for the mean gradients of this pass, which belong to the network about to step."""
        self.buckets.finish()


class GradientBuckets:
    """Averages gradients over all processes while the backward pass computes the remaining ones.

    Every process computes the same gradients in the same order, so all agree on the content of each message.

    Args:
        min_bytes: the least size of a message. Larger gradients are sent alone, without a copy; smaller ones together.
    """

    def __init__(self, min_bytes: int) -> None:
        self.min_bytes = min_bytes
        self.small: list[Tensor]
        self.sent: list[tuple[list[Tensor], Tensor, dist.Work]]  # gradients, their message, and its way
        self.clear()

    def clear(self) -> None:
        """Forgets all gradients and messages."""
        self.small, self.sent = [], []

    def add(self, parameter: Tensor) -> None:
        """Adds the gradient of a parameter, which is complete for this pass."""
        gradient = parameter.grad
        assert gradient is not None
        if gradient.nbytes >= self.min_bytes:
            self._send([gradient])
            return
        self.small.append(gradient)
        if sum(small.nbytes for small in self.small) >= self.min_bytes:
            self._send_small()

    def finish(self) -> None:
        """Sends the remaining gradients, and replaces all by their means.

        Raises ConnectionError if another process has ended.
        """
        if self.small:
            self._send_small()
        # In the order in which they were sent. Gradients that were sent alone are their own message, averaged in place.
        sent, self.sent = self.sent, []
        for tensors, message, work in sent:
            with detect_lost_process():
                work.wait()
            unflatten_mean(message, tensors)

    def _send_small(self) -> None:
        small, self.small = self.small, []
        self._send(small)

    def _send(self, tensors: list[Tensor]) -> None:
        message = flatten(tensors)
        with detect_lost_process():
            work = dist.all_reduce(message, async_op=True)
        assert work is not None
        self.sent.append((tensors, message, work))


def average_over_processes(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers, with scalar tensors replaced by their means over all processes, which take one message.

    All processes must call it at the same step with the same names. A single process gets its own numbers back.

    Raises ConnectionError if another process has ended.
    """
    tensors = {name: number for name, number in numbers.items() if isinstance(number, Tensor)}
    if not tensors or not (dist.is_available() and dist.is_initialized()):
        return dict(numbers)
    # NCCL takes only tensors on the GPU; those from a checkpoint are on the CPU
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    message = torch.stack([number.to(device) for number in tensors.values()])
    with detect_lost_process():
        dist.all_reduce(message)
    return {**numbers, **dict(zip(tensors, (message / dist.get_world_size()).unbind(), strict=True))}


def agree_in_all_processes(is_so: bool) -> bool:
    """Whether it is so in all processes, each of which must call this at the same step."""
    return bool(average_over_processes({"is_so": torch.tensor(float(is_so))})["is_so"] == 1)


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """The message for some tensors: a single tensor itself, or several concatenated."""
    return tensors[0] if len(tensors) == 1 else torch.cat([tensor.reshape(-1) for tensor in tensors])


def unflatten_mean(message: Tensor, tensors: Sequence[Tensor]) -> None:
    """Divides the sums in a message by the number of processes, and copies the means into the tensors."""
    message /= dist.get_world_size()
    if len(tensors) > 1:
        for tensor, mean in zip(tensors, message.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))


@contextmanager
def detect_lost_process() -> Iterator[None]:
    """Raises ConnectionError if gloo reports that another process has ended; NCCL ends this process itself."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ConnectionError(f"another process of this training has ended; its output says why ({error})") from error


def _exit_with_parent(parent: int) -> None:
    """Exits when the parent has ended; otherwise a parent killed during start-up would be waited for 30 minutes."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
