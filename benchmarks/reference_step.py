"""The reference algorithm as a plain PyTorch loop, to which all speeds are compared.

The authors' PyTorch implementation, its maths and its way of doing things: networks of modules with activations in
place, two forward passes of D, its gradients switched off while G learns, Adam as torch makes it by default, float32,
which on a GPU means TF32 in convolutions, labels on the device, losses read now and then.
`tests/benchmarks/test_step.py` holds it to recordings of the original.
"""

from typing import Any

import torch
from torch import Tensor, nn

LOSSES = {"vanilla": nn.BCEWithLogitsLoss, "lsgan": nn.MSELoss}


class Block(nn.Module):
    """One level of the U-Net: halve, what lies within, double; its input beside what comes out, except outermost."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None, *, seen: int, dropout: float) -> None:
        super().__init__()
        self.outermost, norm = seen == 0, nn.BatchNorm2d
        down: list[nn.Module] = [nn.Conv2d(seen or 3, inner, 4, 2, 1, bias=False)]
        up = [nn.ReLU(True), nn.ConvTranspose2d(inner * (2 if within else 1), outer, 4, 2, 1, bias=self.outermost)]
        if not self.outermost:
            down.insert(0, nn.LeakyReLU(0.2, True))
            up += [norm(outer), *([nn.Dropout(dropout)] if dropout else [])]
        else:
            up.append(nn.Tanh())
        if within is not None and not self.outermost:
            down.append(norm(inner))
        self.model = nn.Sequential(*down, *([within] if within else []), *up)

    def forward(self, x: Tensor) -> Tensor:
        """The activation in place changes what is passed on, too: a ReLU follows there, so nothing is lost."""
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def unet(depth: int = 8, base: int = 64, dropout: float = 0.5) -> nn.Module:
    """The U-Net with the given number of downsamplings; dropout in the blocks of full width."""
    widths = [base * min(2**level, 8) for level in range(depth)]
    network = None
    for level in reversed(range(1, depth)):
        outer, inner = widths[level - 1], widths[level]
        noisy = outer == inner and level < depth - 1
        network = Block(outer, inner, network, seen=outer, dropout=dropout if noisy else 0.0)
    return Block(3, base, network, seen=0, dropout=0.0)


def patchgan(strided: int = 3, base: int = 64) -> nn.Module:
    """The discriminator with the given number of stride-2 convolutions: 3 see 70 pixels, 0 is the PixelGAN."""
    if not strided:
        within = [nn.Conv2d(base, 2 * base, 1, bias=False), nn.BatchNorm2d(2 * base), nn.LeakyReLU(0.2, True)]
        return nn.Sequential(
            nn.Conv2d(6, base, 1), nn.LeakyReLU(0.2, True), *within, nn.Conv2d(2 * base, 1, 1, bias=False)
        )
    layers: list[nn.Module] = [nn.Conv2d(6, base, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    widths = [base * min(2**level, 8) for level in range(strided + 1)]
    for level in range(1, strided + 1):
        stride = 2 if level < strided else 1
        layers.append(nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=False))
        layers += [nn.BatchNorm2d(widths[level]), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))


class ReferenceStep:
    """Takes one step of both networks per call, and returns the losses as numbers in the steps that read them.

    Args:
        generator: on the device that it is to be trained on, as is `discriminator`.
        discriminator: see above.
        mode: a key of LOSSES.
        read_every: losses are read after every so many steps; 100 is what the authors' `print_freq` says.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, mode: str = "vanilla", *, read_every: int = 1
    ) -> None:
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.read_every, self.taken = read_every, 0
        device = next(generator.parameters()).device
        self.labels = {value: torch.tensor(value, device=device) for value in (0.0, 1.0)}
        self.adversarial, self.l1 = LOSSES[mode](), nn.L1Loss()
        settings: dict[str, Any] = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.optimizer_g = torch.optim.Adam(generator.parameters(), **settings)
        self.optimizer_d = torch.optim.Adam(discriminator.parameters(), **settings)

    def __call__(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """`source` and `target`: (B, 3, H, W) in [-1, 1]. G_L1 is already times its weight. Nothing when not read."""
        fake = self.generator(source)
        losses = self._step_d(source, target, fake) | self._step_g(source, target, fake)
        self.taken += 1
        return {} if self.taken % self.read_every else {name: loss.item() for name, loss in losses.items()}

    def _step_d(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        self._require_grad(True)
        self.optimizer_d.zero_grad()
        d_fake = self._gan(self.discriminator(torch.cat((source, fake), 1).detach()), 0.0)
        d_real = self._gan(self.discriminator(torch.cat((source, target), 1)), 1.0)
        ((d_fake + d_real) * 0.5).backward()
        self.optimizer_d.step()
        return {"D_real": d_real, "D_fake": d_fake}

    def _step_g(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        self._require_grad(False)
        self.optimizer_g.zero_grad()
        g_gan = self._gan(self.discriminator(torch.cat((source, fake), 1)), 1.0)
        g_l1 = self.l1(fake, target) * 100.0
        (g_gan + g_l1).backward()
        self.optimizer_g.step()
        return {"G_GAN": g_gan, "G_L1": g_l1}

    def _gan(self, logits: Tensor, label: float) -> Tensor:
        return self.adversarial(logits, self.labels[label].expand_as(logits))

    def _require_grad(self, on: bool) -> None:
        for parameter in self.discriminator.parameters():
            parameter.requires_grad = on
