"""The least work of a training step: floating-point operations and bytes of weights, per network.

python benchmarks/count_operations.py --size 256 --batch 1
python benchmarks/count_operations.py --networks          # every generator and discriminator there is

Operations are those of the convolutions, two for each multiply and add, counted by torch on a step of shapes alone.
Bytes are those of the weights: each is read forward and backward, its gradient written, and Adam reads weight,
gradient and two moments and writes three of them. Nothing is trained, nothing allocated.
"""

import argparse

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pix2pix.models import EncoderDecoder, PatchGAN, ResNet, UNet
from pix2pix.models.losses import CrossEntropy
from pix2pix.models.objective import Objective
from pix2pix.training.step import pix2pix_step

FLOAT = 4  # bytes
FIELDS = (1, 16, 34, 70, 142, 286)
ADAM = 7  # four reads and three writes of a float for each weight


def operations(size: int, batch: int) -> dict[str, int]:
    """The operations of one step: of the forward pass of each network, and of the whole step."""
    with torch.device("meta"):
        generator, discriminator = UNet(depth=min(size.bit_length() - 1, 8)), PatchGAN(6)
        source, target = torch.empty(2, batch, 3, size, size)
        operations_by_part = {
            "generator, forward": count(lambda: generator(source)),
            "discriminator, forward": count(lambda: discriminator(torch.cat([source, target], 1))),
        }
        updates = [lambda loss: loss.backward()] * 2
        step = (source, target, generator, discriminator, Objective(CrossEntropy()), *updates)
        return operations_by_part | {"whole step": count(lambda: pix2pix_step(*step))}


def networks(size: int, batch: int) -> dict[str, tuple[int, int]]:
    """The operations of a forward pass and the number of weights of every network."""
    depth = min(size.bit_length() - 1, 8)
    with torch.device("meta"):
        source, pair = torch.empty(batch, 3, size, size), torch.empty(batch, 6, size, size)
        generators = {
            "unet": UNet(depth=depth),
            "encoder_decoder": EncoderDecoder(depth=depth),
            "resnet6": ResNet(blocks=6),
            "resnet9": ResNet(blocks=9),
        }
        judges = {f"patchgan, {field} pixels": PatchGAN(6, receptive_field=field) for field in FIELDS}
    inputs = dict.fromkeys(generators, source) | dict.fromkeys(judges, pair)
    candidates = generators | judges
    return {name: (count(lambda n=net, x=inputs[name]: n(x)), weights(net)) for name, net in candidates.items()}


def count(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--networks", action="store_true", help="forward passes of all networks instead of a step")
    options = parser.parse_args()
    print(f"{options.size}x{options.size}, batch {options.batch}")
    if options.networks:
        print("| network | GFLOP forward | M weights | MB through Adam |\n|---|---|---|---|")
        for name, (count, numbers) in networks(options.size, options.batch).items():
            print(f"| {name} | {count / 1e9:.1f} | {numbers / 1e6:.2f} | {numbers * FLOAT * ADAM / 1e6:.0f} |")
        return
    for name, count in operations(options.size, options.batch).items():
        print(f"{name:<24} {count / 1e9:8.1f} GFLOP")
    for name, network in (
        ("generator", UNet(depth=min(options.size.bit_length() - 1, 8))),
        ("discriminator", PatchGAN(6)),
    ):
        numbers = weights(network)
        megabytes = numbers * FLOAT * ADAM / 1e6
        print(f"{name:<24} {numbers / 1e6:8.2f} M weights, {megabytes:.0f} MB through Adam")


if __name__ == "__main__":
    main()
