"""The training step of a checkout of the authors' repository, as the other side of a comparison.

The checkout is https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix. Of it only `models` and `util` are imported,
which need torch and numpy; their data loaders, web pages and option parsers are not.
"""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

REPOSITORY = "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
MODEL = Path("models") / "pix2pix_model.py"
U_NETS = {8: "unet_256", 7: "unet_128"}  # the authors' names, by depth
LEAST_DEPTH = 5  # of their U-Net
# The defaults of `train.py --model pix2pix`. Earlier versions read `gpu_ids`, later ones `device`.
OPTIONS: dict[str, Any] = {
    "isTrain": True,
    "name": "benchmark",
    "checkpoints_dir": "checkpoints",  # nothing is written there without `save_networks`
    "input_nc": 3,
    "output_nc": 3,
    "netD": "basic",
    "n_layers_D": 3,
    "norm": "batch",
    "init_type": "normal",
    "init_gain": 0.02,
    "direction": "AtoB",
    "preprocess": "resize_and_crop",
    "lr": 2e-4,
    "beta1": 0.5,
    "gan_mode": "vanilla",
    "pool_size": 0,
    "lambda_L1": 100.0,
}


def require_checkout(folder: Path) -> None:
    """Exits with an error unless `folder` has the file of the authors' model."""
    if not (folder / MODEL).is_file():
        raise SystemExit(f"{folder} has no {MODEL}: --reference takes a clone of {REPOSITORY}.")


def describe_reference(checkout: Path | None) -> dict[str, Any]:
    """The reference of a result: its code, and of a checkout the commit (None without git), and whether it differs."""
    if checkout is None:
        return {"code": "benchmarks/reference_step.py"}
    words = ["rev-parse", "HEAD"], ["diff", "HEAD", "--", "models", "util"]
    commit, changes = (_ask_git(checkout, *each) for each in words)
    return {"code": str(checkout), "commit": commit, "changed": None if commit is None else bool(changes)}


def _ask_git(folder: Path, *words: str) -> str | None:
    # A folder in another repository, such as an unpacked archive, has no commit of its own.
    if not (folder / ".git").exists():
        return None
    answer = subprocess.run(["git", "-C", str(folder), *words], check=False, capture_output=True, encoding="utf-8")
    return answer.stdout.strip() if answer.returncode == 0 else None


def import_model(checkout: Path) -> Any:
    """The module of the authors' pix2pix model.

    Its packages have the names `models` and `util`, so a process can import one checkout only.

    Raises:
        SystemExit: where the checkout has no such model, or a package that it imports is missing.
    """
    require_checkout(checkout)
    sys.path.insert(0, str(checkout))
    try:
        return importlib.import_module("models.pix2pix_model")
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{checkout / MODEL} cannot be imported, because the package {error.name} is missing. "
            f"Install it for this benchmark: {sys.executable} -m pip install {error.name}"
        ) from error


class AuthorsStep:
    """Takes one step of both networks per call, and returns the losses as numbers in the steps that read them.

    Args:
        checkout: a clone of the authors' repository.
        size: side of the pictures, a power of two, at least 32; the U-Net has 1x1 within up to 256.
        device: `cpu` or `cuda`.
        base: channels after the first convolution of both networks.
        dropout: whether the generator has the authors' dropout.
        read_every: losses are read after every so many steps; 100 is the authors' `print_freq`.

    Raises:
        SystemExit: as `import_model`, and for a smaller size.
    """

    def __init__(
        self, checkout: Path, size: int, device: str, *, base: int = 64, dropout: bool = True, read_every: int = 1
    ) -> None:
        depth = min(size.bit_length() - 1, max(U_NETS))
        if depth < LEAST_DEPTH:
            raise SystemExit(f"size {size}: the authors' U-Net takes pictures of at least {2**LEAST_DEPTH} a side.")
        theirs = import_model(checkout)
        places = {"gpu_ids": [0] if device == "cuda" else [], "device": torch.device(device)}
        networks = {"ngf": base, "ndf": base, "netG": U_NETS.get(depth, U_NETS[7]), "no_dropout": not dropout}
        self.model = theirs.Pix2PixModel(SimpleNamespace(**OPTIONS, **places, **networks))
        self.read_every, self.taken = read_every, 0
        if depth not in U_NETS:
            generator = theirs.networks.UnetGenerator(3, 3, depth, base, use_dropout=dropout)
            self.model.netG = theirs.networks.init_net(generator, gpu_ids=places["gpu_ids"])
            self.model.optimizer_G = torch.optim.Adam(self.model.netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
        for network in (self.model.netG, self.model.netD):
            network.to(device).train()

    def __call__(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """`source` and `target`: (B, 3, H, W) in [-1, 1]. G_L1 is already times its weight. Nothing when not read."""
        self.model.set_input({"A": source, "B": target, "A_paths": [], "B_paths": []})
        self.model.optimize_parameters()
        self.taken += 1
        return {} if self.taken % self.read_every else dict(self.model.get_current_losses())
