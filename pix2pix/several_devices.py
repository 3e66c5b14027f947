"""A training by several processes, one for each device: what they tell each other in a step."""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

STARTED_BY = "PIX2PIX_STARTED_BY"  # the process that started the others, where it is one of them


class PlayersTogether(DDPStrategy):
    """Data-parallel training of two players: every backward pass ends with the mean gradient over all processes.

    Torch's own wrapper, DistributedDataParallel, awaits a gradient for every parameter in every backward pass. Here one
    pass reaches D, the next one G, so it would have to search the graph for what is left out twice a step, and to send
    zeros for the other player. Without a wrapper G and D are called as in one process; a pass is followed by one
    message with the gradients that it left, before a loss scale is taken off: all processes skip a step, or none.

    Losses and accuracies become means over all processes, too: all of them log, watch and diagnose the same numbers,
    and stop at the same step. Buffers are each process's own, and the first one's are saved.

    The arguments are those of Lightning's DDPStrategy, such as `process_group_backend` and `timeout`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        os.environ.setdefault(STARTED_BY, str(os.getpid()))  # those that it starts inherit it

    def setup_environment(self) -> None:
        """Meets the other processes; one that was started by the first ends with it, however that ends."""
        first = int(os.environ[STARTED_BY])
        if first != os.getpid():
            threading.Thread(target=_end_with, args=[first], daemon=True).start()
        super().setup_environment()

    def configure_ddp(self) -> None:
        """Gives every process the weights of the first one."""
        assert self.model is not None
        _sync_module_states(self.model)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Averages the gradients there are: those of the player about to step, as a step leaves none behind."""
        assert self.lightning_module is not None
        average([p.grad for p in self.lightning_module.parameters() if p.grad is not None])

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """The step, its numbers averaged."""
        result: Any = super().training_step(*args, **kwargs)
        average([*result["losses"].values(), *result["accuracy"].values()])
        return result


def average(tensors: Sequence[Tensor]) -> None:
    """Replaces tensors of one type by their means over all processes, in one message.

    Raises ConnectionError when another process has ended.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    try:
        dist.all_reduce(flat)
    except RuntimeError as error:
        raise ConnectionError(f"another process of this training has ended, and says why ({error})") from error
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone: killed at the start, that would be waited for by the half hour."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
