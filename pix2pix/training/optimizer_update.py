"""One step of an optimizer, as a training step takes it."""

import pytorch_lightning as pl
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor


class OptimizerUpdate:
    """Minimises a loss of one network by one step of its optimizer; see `pix2pix.models.step_interface.Update`."""

    def __init__(self, module: pl.LightningModule, optimizer: LightningOptimizer) -> None:
        self.module, self.optimizer = module, optimizer

    def __call__(self, loss: Tensor) -> None:
        """Backward, step, gradients back to zero."""
        self.backward(loss)
        self.step()

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of a loss to those that wait for the step."""
        self.module.manual_backward(loss)

    def step(self) -> None:
        """One step of the optimizer; then the gradients are zero."""
        self.optimizer.step()
        self.optimizer.zero_grad()  # here, so that the gradients of one network take no memory in the step of the other
