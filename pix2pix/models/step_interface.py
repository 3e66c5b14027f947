"""The interface of a training step, the component `training_step` of a configuration."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from torch import Tensor, nn

from pix2pix.models.objective import Objective
from pix2pix.models.returned_values import describe_value

Losses = dict[str, Tensor]


class StepResult(TypedDict):
    """The losses of a step, and the share of D's logits that were right. All are detached scalars.

    Each loss stands before its weight. Only `d_penalty` and `d_r1` include their own, which is a part of them.
    """

    losses: Losses
    accuracy: dict[str, Tensor]


def require_step_result(result: Any, step: object) -> StepResult:
    """The result of a step, detached. Raises ValueError for what is no mapping of scalar tensors."""
    name = f"training_step: {type(step).__qualname__}"
    if not isinstance(result, Mapping) or not isinstance(result.get("losses"), Mapping):
        raise ValueError(
            f"{name} returned a {type(result).__name__}. It must return {{'losses': ..., 'accuracy': ...}}, both "
            "mappings of names to scalar tensors."
        )
    parts = {part: result.get(part) or {} for part in ("losses", "accuracy")}
    for number, value in ((key, value) for values in parts.values() for key, value in values.items()):
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"{name}: {number} is {describe_value(value)}. It must be a scalar tensor, ().")
    losses, accuracy = ({key: value.detach() for key, value in values.items()} for values in parts.values())
    return {"losses": losses, "accuracy": accuracy}


class Update(Protocol):
    """Minimises a loss of one network by one step of its optimizer: `backward`, then `step`."""

    def __call__(self, loss: Tensor) -> None:
        """Backward, step, gradients back to zero."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of a loss to those that wait for the step."""
        ...

    def step(self) -> None:
        """One step of the optimizer; then the gradients are zero."""
        ...


@dataclass(frozen=True)
class Networks:
    """What a step trains: the networks, what they minimise, and how.

    Args:
        generator: maps a source to a picture like the target.
        discriminator: judges pairs; None when the objective has no adversarial term.
        objective: the loss terms and their weights.
        update_generator: minimises a loss by one step of G's optimizer.
        update_discriminator: the same for D's optimizer.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    objective: Objective
    update_generator: Update
    update_discriminator: Update


class TrainingStep(ABC):
    """Trains both networks on one batch. A step of your own derives from it, or from `pix2pix.training.Pix2PixStep`.

    Random draws come from the global generators of torch, NumPy and Python, which are seeded before each step from
    (seed, step, rank). What else a step keeps from one call to the next belongs in `state_dict`, so that runs resume
    exactly. A CUDA graph records a single call: `number` and everything else that Python sees, its random numbers
    included, is then the same in all steps.
    """

    @abstractmethod
    def __call__(self, source: Tensor, target: Tensor, networks: Networks, number: int) -> StepResult:
        """One step.

        Args:
            source: (B, C, H, W) in [-1, 1].
            target: (B, C', H, W) in [-1, 1].
            networks: the networks.
            number: the number of the step in the training, from 0.
        """

    def state_dict(self) -> dict[str, Any]:
        """What the step keeps between calls: plain values and tensors, for the checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state when a run resumes; {} from a checkpoint of another kind of step."""
        del state
