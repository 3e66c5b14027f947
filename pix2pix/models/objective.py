"""The objective: an adversarial loss and the terms beside it, each with its weight (paper, section 3.1).

It computes the losses, in float32 whatever the precision of the networks. The training step multiplies G's losses by
their weights and adds them up.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from pix2pix.models.eval_mode import KeepsNetworksInEvalMode
from pix2pix.models.losses import AdversarialLoss
from pix2pix.models.returned_values import describe_value, require_loss
from pix2pix.models.terms import L1, L2, Dice, LabelCrossEntropy, SmoothL1, Term, Weight, label_mask


class Objective(KeepsNetworksInEvalMode):
    """G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G), and its ablations (equation 4, table 1).

    Its terms and a subclass may hold networks, such as the features of a perceptual loss. They move to the device of
    the training and stay in evaluation mode. They are not trained and not saved in checkpoints: each start builds them
    again. The buffers of the objective itself, of its adversarial loss and of its terms are saved.

    Args:
        adversarial: the adversarial term; None trains without a discriminator.
        conditional: whether the discriminator sees the source beside the image (equation 1) or the image alone (2).
        gan_weight: weight of the adversarial term.
        l1_weight: weight of the term `L1`, on images in [-1, 1]; the paper's lambda.
        l2_weight: weight of the term `L2`.
        smooth_l1_weight: weight of the term `SmoothL1`.
        cross_entropy_weight: weight of the term `LabelCrossEntropy`.
        dice_weight: weight of the term `Dice`.
        terms: further terms by their names, under which they are logged.

    Raises:
        ValueError: when there is neither an adversarial loss nor another term with a positive weight, a name is taken,
            or a term needs a discriminator that is not there.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss | None,
        *,
        conditional: bool = True,
        gan_weight: Annotated[float, Field(gt=0)] = 1.0,
        l1_weight: Weight = 100.0,
        l2_weight: Weight = 0.0,
        smooth_l1_weight: Weight = 0.0,
        cross_entropy_weight: Weight = 0.0,
        dice_weight: Weight = 0.0,
        terms: Mapping[str, Term] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        # A user's loss that forgot `super().__init__()` would fail only when it is moved to a device.
        if adversarial is not None and "_modules" not in vars(adversarial):
            nn.Module.__init__(adversarial)
        self.adversarial = adversarial
        self.conditional = conditional
        own: dict[str, Term] = {
            "l1": L1(l1_weight),
            "l2": L2(l2_weight),
            "smooth_l1": SmoothL1(smooth_l1_weight),
            "cross_entropy": LabelCrossEntropy(cross_entropy_weight),
            "dice": Dice(dice_weight),
        }
        all_terms = {**own, **_require_free_names(terms, own)}
        self.weights = {"gan": gan_weight} | {name: term.weight for name, term in all_terms.items()}
        active = {name: term for name, term in all_terms.items() if term.weight}
        self.terms = nn.ModuleDict(active)
        is_one_hot = any(term.of_label_maps for term in active.values())
        self.find_labelled: Callable[[Tensor], Tensor] | None = label_mask if is_one_hot else None
        """Finds the pixels of a target that have a class, a mask (B, 1, H, W); None where every pixel counts."""
        self.matches_features = any(term.compares == "features" for term in active.values())
        self._require_terms()

    def _require_terms(self) -> None:
        if self.adversarial is None and not self.terms:
            raise ValueError(
                "the objective has no term: set objective.adversarial, a positive weight such as "
                "objective.l1_weight=100, or a term in objective.terms."
            )
        if self.adversarial is None and self.matches_features:
            raise ValueError(
                "objective.terms: feature matching compares D's features, but there is no adversarial loss."
            )
        for name, term in self.terms.items():
            if untrained := [key for key, weight in term.named_parameters(recurse=False) if weight.requires_grad]:
                raise ValueError(
                    f"objective.terms.{name}: {untrained[0]} would not be trained, because the optimizers train the "
                    "networks alone. For a constant, use register_buffer or requires_grad_(False)."
                )

    def discriminate(self, discriminator: nn.Module, source: Tensor, image: Tensor) -> list[Tensor]:
        """The logits for an image, of each scale of the discriminator; most have one."""
        logits = discriminator(self._concatenate(source, image))
        scales = logits if isinstance(logits, list | tuple) else [logits]
        if not scales or not all(isinstance(scale, Tensor) for scale in scales):
            found = describe_value(logits)
            raise ValueError(f"the discriminator returned {found}. It must return logits, or a list of them.")
        return [scale.float() for scale in scales]

    def find_features(self, discriminator: nn.Module, source: Tensor, image: Tensor) -> list[list[Tensor]]:
        """The outputs of the discriminator's layers for an image, the logits last, for each of its scales."""
        if not hasattr(discriminator, "features"):
            raise ValueError(
                f"objective.terms: feature matching needs a discriminator with `features(x)`, which "
                f"{type(discriminator).__qualname__} has not. Add that method, or leave the term out."
            )
        features = discriminator.features(self._concatenate(source, image))  # pyright: ignore[reportCallIssue]
        return [[layer.float() for layer in scale] for scale in features]

    def _concatenate(self, source: Tensor, image: Tensor) -> Tensor:
        """What D sees: the image, with its source when conditional."""
        return torch.cat([source, image], dim=1) if self.conditional else image

    def discriminator_terms(
        self, discriminator: nn.Module, source: Tensor, target: Tensor, fake: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What D minimises: its losses on real and fake pairs, and the gradient penalty if the loss has one.

        D's terms carry their weights; G's are weighted in the step. The second mapping holds D's accuracies: the shares
        of logits on the right side of the loss's boundary, if it has one.
        """
        assert self.adversarial is not None
        fake = _hide_unlabelled(fake, target, self.mask_labelled(target))
        on_fake = self.discriminate(discriminator, source, fake)
        on_real = self.discriminate(discriminator, source, target)
        terms = {
            "fake": mean_over_scales(self.adversarial.fake, on_fake),
            "real": mean_over_scales(self.adversarial.real, on_real),
        }
        if self.adversarial.gradient_penalty:
            penalty = self._penalize_gradient(discriminator, source, target, fake)
            terms["penalty"] = self.adversarial.gradient_penalty * penalty
        boundary = self.adversarial.boundary
        if boundary is None:
            return terms, {}
        return terms, {
            "fake": mean_over_scales(lambda logits: (logits < boundary).float().mean(), on_fake),
            "real": mean_over_scales(lambda logits: (logits > boundary).float().mean(), on_real),
        }

    def generator_terms(
        self, discriminator: nn.Module | None, source: Tensor, target: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """What G minimises; the terms are not yet multiplied by `weights`."""
        terms, features, labelled = {}, (), self.mask_labelled(target)
        fake = _hide_unlabelled(fake, target, labelled)
        if discriminator is not None and self.adversarial is not None:
            if self.matches_features:
                with torch.no_grad():
                    features_of_target = self.find_features(discriminator, source, target)
                features = (self.find_features(discriminator, source, fake), features_of_target)
                logits = [scale[-1] for scale in features[0]]
            else:
                logits = self.discriminate(discriminator, source, fake)
            terms["gan"] = mean_over_scales(self.adversarial.generator, logits)
        pictures = fake.float(), target.float()
        for name, term in self.terms.items():
            terms[name] = require_loss(term(*(features if term.compares == "features" else pictures)), term, fake)
            if labelled is not None and term.is_pixel_mean:
                # Pixels of no class add nothing. The mean over all pixels becomes the mean over those with a class.
                terms[name] = terms[name] / labelled.float().mean().clamp(min=1e-9)
        return terms

    def mask_labelled(self, target: Tensor) -> Tensor | None:
        """The mask (B, 1, H, W) of the pixels that have a class; None where every pixel counts."""
        return None if self.find_labelled is None else self.find_labelled(target)

    def _penalize_gradient(self, discriminator: nn.Module, source: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """(|grad_x D(x)| - 1)^2 at a random point between each real and its fake (equation 3, last term)."""
        labelled = self.mask_labelled(target)
        position = torch.rand(target.shape[0], 1, 1, 1, device=target.device)
        image = torch.lerp(fake.float(), target.float(), position).requires_grad_()

        def penalise(logits: Tensor) -> Tensor:
            return (input_gradient(logits, image, labelled).flatten(1).norm(dim=1) - 1).square().mean()

        return mean_over_scales(penalise, self.discriminate(discriminator, source, image))


def input_gradient(logits: Tensor, image: Tensor, labelled: Tensor | None = None) -> Tensor:
    """The gradient of each picture's summed logits by the picture, (B, C, H, W), for penalties of it.

    It is 0 outside `labelled`, a mask (B, 1, H, W) of the pixels that have a class.
    """
    # A logit depends on its own picture alone, so the gradient of their sum holds each picture's gradient.
    # `create_graph`: the penalty is differentiated once more, with respect to D's weights.
    gradient = torch.autograd.grad(logits.sum(), image, create_graph=True)[0]
    return gradient if labelled is None else gradient * labelled


def _hide_unlabelled(fake: Tensor, target: Tensor, labelled: Tensor | None) -> Tensor:
    """The output, with the target's values at the pixels where the target has no class.

    There the output equals the target, so D cannot tell them apart and no term has a gradient.
    """
    return fake if labelled is None else torch.where(labelled, fake, target.to(fake.dtype))


def mean_over_scales(loss: Callable[[Tensor], Tensor], logits: Sequence[Tensor]) -> Tensor:
    """The mean of a loss over the scales of a discriminator."""
    losses = [loss(scale) for scale in logits]
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean()


def _require_free_names(terms: Mapping[str, Term], own: Mapping[str, Term]) -> Mapping[str, Term]:
    """Returns `terms`. Raises ValueError if a name in it is that of a term of the objective itself."""
    for name, term in terms.items():
        if "_modules" not in vars(term):
            raise ValueError(
                f"objective.terms.{name}: the constructor of {type(term).__qualname__} must call "
                "super().__init__(weight)."
            )
        if name == "gan":
            raise ValueError("objective.terms.gan: the adversarial term has this name. Choose another one.")
        if name in own and own[name].weight:
            raise ValueError(
                f"objective.terms.{name}: objective.{name}_weight={own[name].weight:g} is this term. "
                f"Set objective.{name}_weight=0, or choose another name."
            )
    return terms
