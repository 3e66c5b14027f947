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

STARTED_BY = "PIX2PIX_STARTED_BY"  # the process that started the others, where it is one of them


class GANDDPStrategy(DDPStrategy):
    """Data-parallel training of two players: every backward pass ends with the mean gradient over all processes.

    Torch's own wrapper, DistributedDataParallel, awaits a gradient for every parameter in every backward pass. Here one
    pass reaches D, the next one G, so it would have to search the graph for what is left out twice a step, and to send
    zeros for the other player. Without a wrapper G and D are called as in one process; the gradients go out
    while the rest of the pass is computed, before a loss scale is taken off: all processes skip a step, or none.

    Losses and accuracies are each process's own until somebody looks at them, who asks for `averaged` ones: so all
    log, watch and diagnose the same numbers, and stop at the same step. Buffers are each process's own, too, and the
    first one's are saved.

    Args:
        message_megabytes: of gradients, at least, in a message; see docs/measurements.md for how it was chosen.
        timeout_minutes: how long a process waits for another before the training fails.
        settings: those of Lightning's DDPStrategy, such as `process_group_backend`.
    """

    def __init__(
        self,
        *,
        message_megabytes: Annotated[float, Field(gt=0)] = 4.0,
        timeout_minutes: Annotated[float, Field(gt=0)] = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(timeout=timedelta(minutes=timeout_minutes), **settings)
        self.messages = GradientBuckets(round(message_megabytes * 1e6))
        os.environ.setdefault(STARTED_BY, str(os.getpid()))  # those that it starts inherit it

    def setup_environment(self) -> None:
        """Meets the other processes; one that was started by the first ends with it, however that ends."""
        first = int(os.environ[STARTED_BY])
        if first != os.getpid():
            threading.Thread(target=_exit_with_parent, args=[first], daemon=True).start()
        super().setup_environment()

    def configure_ddp(self) -> None:
        """Gives every process the weights of the first one, and sends off each gradient as soon as it is there."""
        assert self.model is not None
        _sync_module_states(self.model)
        for parameter in filter(lambda parameter: parameter.requires_grad, self.model.parameters()):
            parameter.register_post_accumulate_grad_hook(self.messages.add)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Waits for the means of the gradients of this pass, which are those of the player about to step."""
        self.messages.finish()


class GradientBuckets:
    """Means of gradients over all processes, sent while a backward pass is still computing the others.

    Every process computes the same gradients in the same order, so they agree on what is in each message.

    Args:
        least: bytes of a message. Larger gradients go as they are, which saves copying them; smaller ones together.
    """

    def __init__(self, least: int) -> None:
        self.least = least
        self.small: list[Tensor] = []
        self.sent: list[tuple[list[Tensor], Tensor, dist.Work]] = []

    def add(self, parameter: Tensor) -> None:
        """Takes the gradient of a parameter, complete for this pass."""
        gradient = parameter.grad
        assert gradient is not None
        if gradient.nbytes >= self.least:
            self._send([gradient])
            return
        self.small.append(gradient)
        if sum(small.nbytes for small in self.small) >= self.least:
            self._send_small()

    def finish(self) -> None:
        """Sends the rest, and leaves the means in the gradients.

        Raises ConnectionError when another process has ended.
        """
        if self.small:
            self._send_small()
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
    """Numbers of this process, with tensors () as their means over all processes, which go in one message.

    All processes must ask, for the same names at the same step. One alone gets what it gave.

    Raises ConnectionError when another process has ended.
    """
    own = {name: number for name, number in numbers.items() if isinstance(number, Tensor)}
    if not own or not (dist.is_available() and dist.is_initialized()):
        return dict(numbers)
    # NCCL takes tensors of the GPU alone; those of a checkpoint lie on the CPU
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    message = torch.stack([number.to(device) for number in own.values()])
    with detect_lost_process():
        dist.all_reduce(message)
    return {**numbers, **dict(zip(own, (message / dist.get_world_size()).unbind(), strict=True))}


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """A message: a tensor alone as it is, several of them one after the other."""
    return tensors[0] if len(tensors) == 1 else torch.cat([tensor.reshape(-1) for tensor in tensors])


def unflatten_mean(message: Tensor, tensors: Sequence[Tensor]) -> None:
    """Leaves the sums over all processes, which came back in the message, in the tensors as means."""
    message /= dist.get_world_size()
    if len(tensors) > 1:
        for tensor, mean in zip(tensors, message.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))


@contextmanager
def detect_lost_process() -> Iterator[None]:
    """Raises ConnectionError when gloo says that another process has ended; NCCL ends the process by itself."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ConnectionError(f"another process of this training has ended, and says why ({error})") from error


def _exit_with_parent(parent: int) -> None:
    """Ends this process when its parent is gone; else it would wait 30 minutes for a parent killed during start-up."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
