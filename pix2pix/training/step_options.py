"""`Pix2PixStep`, the `training_step` of a configuration: the paper's step, with options of later work."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from pix2pix.models.augmentation import Transform
from pix2pix.models.image_pool import ImagePool
from pix2pix.models.objective import Objective
from pix2pix.models.regularised_objective import RegularisedObjective
from pix2pix.models.step_interface import Networks, StepResult, TrainingStep
from pix2pix.training.accumulated_step import accumulated_step
from pix2pix.training.step import pix2pix_step


class Pix2PixStep(TrainingStep):
    """The paper's step, `pix2pix_step`; nothing else by default.

    Args:
        discriminator_steps: D is updated in each training step, G in every n-th alone, as in WGAN (arXiv 1701.07875,
            algorithm 1).
        micro_batches: number of parts in which a batch is computed; see `accumulated_step`.
        augmentation: transformations of what D sees; see `pix2pix.models.augmentation`.
        r1_weight: gamma of the R1 penalty; 0 has none. See `pix2pix.models.regularised_objective.r1_penalty`.
        r1_every: the penalty is computed in every n-th step alone, and weighs n times as much (arXiv 1912.04958,
            section 3.1).
        pool_size: number of earlier pairs with which half of D's pairs are exchanged; 0 has none. See
            `pix2pix.models.image_pool`.
    """

    def __init__(
        self,
        *,
        discriminator_steps: Annotated[int, Field(ge=1)] = 1,
        micro_batches: Annotated[int, Field(ge=1)] = 1,
        augmentation: Sequence[Transform] = (),
        r1_weight: Annotated[float, Field(ge=0)] = 0.0,
        r1_every: Annotated[int, Field(ge=1)] = 16,
        pool_size: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.discriminator_steps, self.micro_batches = discriminator_steps, micro_batches
        self.augmentation, self.r1_weight, self.r1_every = tuple(augmentation), r1_weight, r1_every
        self.pool = ImagePool(pool_size) if pool_size else None

    def __call__(self, source: Tensor, target: Tensor, networks: Networks, number: int) -> StepResult:
        """One step; see `TrainingStep`."""
        is_generators_turn = (number + 1) % self.discriminator_steps == 0
        update_generator = networks.update_generator if is_generators_turn else SkippedUpdate()
        parts = networks.generator, networks.discriminator, self.regularise(networks.objective, number)
        updates = update_generator, networks.update_discriminator
        if self.micro_batches > 1:
            return accumulated_step(source, target, *parts, *updates, micro_batches=self.micro_batches)
        return pix2pix_step(source, target, *parts, *updates)

    def regularise(self, objective: Objective, number: int) -> Objective | RegularisedObjective:
        """The objective of a step, with the regularisation of D that the step has."""
        if not (self.augmentation or self.r1_weight or self.pool):
            return objective
        is_due = number % self.r1_every == 0
        r1_weight = self.r1_weight * self.r1_every * is_due if self.r1_weight else None
        return RegularisedObjective(objective, augmentation=self.augmentation, r1_weight=r1_weight, pool=self.pool)

    def state_dict(self) -> dict[str, Any]:
        """The pool."""
        return {"pool": self.pool.state_dict()} if self.pool else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the pool."""
        if self.pool and "pool" in state:
            self.pool.load_state_dict(state["pool"])


class SkippedUpdate:
    """Leaves the network as it is: its losses are only logged."""

    def __call__(self, loss: Tensor) -> None:
        """Nothing."""

    def backward(self, loss: Tensor) -> None:
        """Nothing."""

    def step(self) -> None:
        """Nothing."""
