"""A training by several processes, one for each device: what they tell each other in a step."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import torch
import torch.distributed as dist
from pydantic import Field
from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

STARTED_BY = "PIX2PIX_STARTED_BY"  # the process that started the others, where it is one of them


class PlayersTogether(DDPStrategy):
    """Data-parallel training of two players: every backward pass ends with the mean gradient over all processes.

    Torch's own wrapper, DistributedDataParallel, awaits a gradient for every parameter in every backward pass. Here one
    pass reaches D, the next one G, so it would have to search the graph for what is left out twice a step, and to send
    zeros for the other player. Without a wrapper G and D are called as in one process; the gradients go out in buckets
    while the rest of the pass is computed, before a loss scale is taken off: all processes skip a step, or none.

    Losses and accuracies become means over all processes, too: all of them log, watch and diagnose the same numbers,
    and stop at the same step. Buffers are each process's own, and the first one's are saved.

    Args:
        bucket_megabytes: of gradients in a message; see docs/performance.md for how it was chosen.
        settings: those of Lightning's DDPStrategy, such as `process_group_backend` and `timeout`.
    """

    def __init__(self, *, bucket_megabytes: Annotated[float, Field(gt=0)] = 50.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.buckets = Buckets(round(bucket_megabytes * 1e6))
        os.environ.setdefault(STARTED_BY, str(os.getpid()))  # those that it starts inherit it

    def setup_environment(self) -> None:
        """Meets the other processes; one that was started by the first ends with it, however that ends."""
        first = int(os.environ[STARTED_BY])
        if first != os.getpid():
            threading.Thread(target=_end_with, args=[first], daemon=True).start()
        super().setup_environment()

    def configure_ddp(self) -> None:
        """Gives every process the weights of the first one, and each gradient to its bucket as soon as it is there."""
        assert self.model is not None
        _sync_module_states(self.model)
        for parameter in filter(lambda parameter: parameter.requires_grad, self.model.parameters()):
            parameter.register_post_accumulate_grad_hook(self.buckets.add)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Waits for the means of the gradients of this pass, which are those of the player about to step."""
        self.buckets.finish()

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """The step, its numbers averaged."""
        result: Any = super().training_step(*args, **kwargs)
        average([*result["losses"].values(), *result["accuracy"].values()])
        return result


class Buckets:
    """Means of gradients over all processes, sent while a backward pass is still computing the others.

    Every process computes the same gradients in the same order, so they agree on what is in each message.

    Args:
        limit: bytes from which on a message is sent.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.filling: list[Tensor] = []
        self.sent: list[tuple[list[Tensor], Tensor, dist.Work]] = []

    def add(self, parameter: Tensor) -> None:
        """Takes the gradient of a parameter, complete for this pass."""
        assert parameter.grad is not None
        self.filling.append(parameter.grad)
        if sum(gradient.nbytes for gradient in self.filling) >= self.limit:
            self._send()

    def finish(self) -> None:
        """Sends the rest, and leaves the means in the gradients.

        Raises ConnectionError when another process has ended.
        """
        if self.filling:
            self._send()
        sent, self.sent = self.sent, []
        for tensors, flat, work in sent:
            with connected():
                work.wait()
            spread(flat, tensors)

    def _send(self) -> None:
        tensors, self.filling = self.filling, []
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with connected():
            work = dist.all_reduce(flat, async_op=True)
        assert work is not None
        self.sent.append((tensors, flat, work))


def average(tensors: Sequence[Tensor]) -> None:
    """Replaces tensors of one type by their means over all processes, in one message.

    Raises ConnectionError when another process has ended.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with connected():
        dist.all_reduce(flat)
    spread(flat, tensors)


def spread(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Writes the sums over all processes in `flat` back as means, in the order in which they were joined."""
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


@contextmanager
def connected() -> Iterator[None]:
    """Raises ConnectionError when another process has ended meanwhile."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(f"another process of this training has ended, and says why ({error})") from error


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone: killed at the start, that would be waited for by the half hour."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
