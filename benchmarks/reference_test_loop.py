"""The authors' test loop in plain PyTorch, to which evaluation and translation are compared.

What `test.py` of their PyTorch implementation does by default (its network: benchmarks/reference_step.py): one picture
after the other, read in the process itself and resized to 256 by Pillow's bicubic; the network in training mode without
gradients, so that dropout is on and norms take the statistics of the picture; every picture shown is cut to 8 bits and
saved as PNG before the next one is read; a page at the end. The pictures are not measured: `test.py` does not.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

SIZE = 256


class Pairs(Dataset[dict[str, Tensor | str]]):
    """Their data set `aligned`: A | B in one file, halved, and both resized."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        image = Image.open(self.files[index]).convert("RGB")
        middle = image.width // 2
        a, b = image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))
        return {"A": tensor_of(a), "B": tensor_of(b), "path": str(self.files[index])}


class Singles(Pairs):
    """Their data set `single`: pictures without targets."""

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        picture = Image.open(self.files[index]).convert("RGB")
        return {"A": tensor_of(picture), "path": str(self.files[index])}


def tensor_of(picture: Image.Image) -> Tensor:
    """Resized, as float32 (3, 256, 256) in [-1, 1]."""
    pixels = np.array(picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    return image.sub_(0.5).div_(0.5)


def picture_of(image: Tensor) -> Image.Image:
    """The first of a batch in 8 bits, cut and not rounded."""
    values = (np.transpose(image[0].cpu().float().numpy(), (1, 2, 0)) + 1) / 2.0 * 255.0
    return Image.fromarray(values.astype(np.uint8))


def run(network: nn.Module, data: Pairs, results: Path, source: str = "A") -> None:
    """Translates all pictures; writes `NAME_real_A.png`, `NAME_fake_B.png` and so on, and index.html.

    Args:
        network: from source to target.
        data: the pictures.
        results: the folder.
        source: which image of the pairs is the input, `A` or `B`; the other one is called real, too.
    """
    images = results / "images"
    images.mkdir(parents=True, exist_ok=True)
    target = "B" if source == "A" else "A"
    network.train()
    rows = []
    for batch in DataLoader(data, batch_size=1, shuffle=False, num_workers=0):
        with torch.no_grad():
            fake = network(batch[source])
        shown = {"real_A": batch[source], "fake_B": fake} | ({"real_B": batch[target]} if target in batch else {})
        name = Path(batch["path"][0]).stem
        for label, image in shown.items():
            picture_of(image).save(images / f"{name}_{label}.png")
        rows.append(row(name, list(shown)))
    (results / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>", encoding="utf-8")


def row(name: str, labels: Sequence[str]) -> str:
    name = html.escape(name)
    cells = "".join(f'<td><img width="256" src="images/{name}_{label}.png"><br>{label}</td>' for label in labels)
    return f"<h3>{name}</h3><table><tr>{cells}</tr></table>"
