"""Label maps: palettes, and conversion between colours, class indices and one-hot channels."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.data.device import device_constant
from pix2pix.data.images.class_colours import UNLABELLED, PaletteChoice, resolve_colours
from pix2pix.data.images.decode import Picture, pil_to_tensor
from pix2pix.data.images.lab import join_lightness

VOID = 255  # in files of class numbers: of no class
NO_CLASS = -1  # the same in tensors of classes
VOID_COLOURS = ((224, 224, 192), (255, 0, 255), (1, 2, 3))  # that of Pascal VOC; others where a palette has it
HALF_A_LEVEL = 0.5 / 127.5  # of 8 bits, in [-1, 1]


class Palette:
    """The classes of a label map and their colours.

    Args:
        choice: a key of PALETTES; or colours (r, g, b) of 0 to 255, as a list or by the names of the classes; or a
            number of classes, for label maps that hold the classes themselves. These are given colours: black and
            white for two, else those of Pascal VOC.

    Pixels of no class have a colour of their own, which belongs to no class, and no channel of one-hot label maps.

    Raises:
        ValueError: for a name that is none, or colours that do not tell the classes apart.
    """

    def __init__(self, choice: PaletteChoice) -> None:
        colours = resolve_colours(choice)
        if len(set(map(tuple, colours.values()))) < max(len(colours), 2):
            raise ValueError(f"palette {choice!r}: two or more classes of different colours are needed.")
        self.classes = list(colours)
        self.is_counted = isinstance(choice, int)  # a number of classes: the colours of a file mean nothing
        self.ignored = [index for index, kind in enumerate(self.classes) if kind == UNLABELLED]
        self.pixels = torch.tensor(list(colours.values()), dtype=torch.uint8)
        self.colours = tuple(map(tuple, (self.pixels.to(torch.float32) / 127.5 - 1).tolist()))  # in [-1, 1]
        taken = set(map(tuple, self.pixels.tolist()))
        self.void = next(colour for colour in VOID_COLOURS if colour not in taken)
        self.void_colour = tuple(level / 127.5 - 1 for level in self.void)

    def __len__(self) -> int:
        return len(self.classes)

    def classify(self, image: Tensor) -> Tensor:
        """The class of each pixel, int64 (..., H, W): that of the nearest colour, as label maps come as JPEGs.

        Args:
            image: (..., 3, H, W) in [-1, 1].
        """
        pixels = image.movedim(-3, -1)
        colours = device_constant(self.colours, image.device)
        # |p - c|^2 without the |p|^2 that all classes share: one product instead of a difference for every class
        return (colours.square().sum(dim=1) - 2 * pixels @ colours.T).argmin(dim=-1)

    def find_void(self, image: Tensor) -> Tensor:
        """Which pixels (..., H, W) of a label map (..., 3, H, W) in [-1, 1] are of no class."""
        colour = device_constant((self.void_colour,), image.device)[0]
        return (image.movedim(-3, -1) - colour).abs().amax(dim=-1) < HALF_A_LEVEL

    def true_classes(self, image: Tensor) -> Tensor:
        """The class of each pixel of a label map, as `classify` gives it; NO_CLASS for pixels of none."""
        return self.classify(image).masked_fill(self.find_void(image), NO_CLASS)

    def decode_label_map(self, picture: Picture, name: str) -> Tensor:
        """A label map from a file, painted in the colours of the palette: uint8 (3, H, W).

        A file of one channel holds the classes themselves, as does one with colours of its own where this palette is a
        mere number. 255 is the class `unlabelled` where there is one, and else no class. With two classes, 0 and 255
        (or anything darker and lighter) are 0 and 1; 255 beside 1 is no class.
        """
        numbers = self._class_numbers(picture, name)
        if numbers is None:
            assert isinstance(picture, Image.Image)
            return self._decode_colours(picture)
        if numbers.dtype.kind == "f" and (numbers != np.rint(numbers)).any():
            raise ValueError(f"{name}: a label map of floats that are no whole numbers. Save the classes as integers.")
        classes = self._number_classes(numbers.astype(np.int64))
        if classes.min() < NO_CLASS or classes.max() >= len(self):
            wrong = classes.min() if classes.min() < NO_CLASS else classes.max()
            raise ValueError(
                f"{name}: holds class {wrong}, where data.palette has {len(self)} classes, 0 to {len(self) - 1}, and "
                f"{VOID} is no class. Set data.palette to the number of classes, or give a colour to each."
            )
        colours = torch.cat([self.pixels, torch.tensor([self.void], dtype=torch.uint8)])
        return colours[torch.from_numpy(classes)].permute(2, 0, 1).contiguous()

    def _number_classes(self, numbers: np.ndarray) -> np.ndarray:
        """The classes that numbers in a file stand for, int64; NO_CLASS for pixels of none."""
        is_void = numbers == VOID
        if len(self) == 2 and numbers.max() > 1:
            if numbers.max() > VOID or not _is_binary(numbers[~is_void]):
                return (numbers > (65535 if numbers.max() > 255 else 255) // 2).astype(np.int64)
        elif len(self) > VOID:
            return numbers
        return np.where(is_void, self.ignored[0] if self.ignored else NO_CLASS, numbers)

    def _decode_colours(self, picture: Image.Image) -> Tensor:
        """A label map of colours, uint8 (3, H, W); index 255 of a file's own palette is no class unless it is a colour
        of this palette."""
        pixels = pil_to_tensor(picture, "RGB")
        if self.is_counted:
            return pixels
        void = torch.tensor(self.void, dtype=torch.uint8)[:, None, None]
        looks_void = (pixels == void).all(dim=0)
        if looks_void.any():  # by chance, as blends of JPEGs may: the nearest class counts
            pixels[0] -= looks_void.to(torch.uint8)
        if picture.mode == "P":
            own = (pixels[:, None] == self.pixels.T[:, :, None, None]).all(dim=0).any(dim=0)
            pixels = torch.where(torch.from_numpy(np.asarray(picture) == VOID) & ~own, void, pixels)
        return pixels

    def _class_numbers(self, picture: Picture, name: str) -> np.ndarray | None:
        """The classes (H, W) that a file holds as numbers; None for one that holds colours."""
        if isinstance(picture, Image.Image):
            if len(picture.getbands()) > 1:
                return self._grey_numbers(picture) if self.is_counted else None
            return None if picture.mode == "P" and not self.is_counted else np.asarray(picture)
        if picture.ndim == 3 and picture.shape[2] > 1:
            raise ValueError(
                f"{name}: a label map of {picture.shape[2]} channels; one of classes or 8-bit colours is needed."
            )
        return picture.reshape(picture.shape[:2])

    def _grey_numbers(self, picture: Image.Image) -> np.ndarray | None:
        """The classes (H, W) that were saved as grey in three channels; None for one that holds colours."""
        red, green, blue = pil_to_tensor(picture, "RGB").numpy()
        is_class = (red < len(self)) | (red == VOID)
        return red if is_class.all() and (red == green).all() and (red == blue).all() else None

    def one_hot(self, classes: Tensor) -> Tensor:
        """A channel for each class, 1 where the pixel is of it and -1 elsewhere: (..., classes, H, W).

        Pixels of NO_CLASS are -1 in all channels.
        """
        channels = torch.nn.functional.one_hot(classes.clamp(min=0), len(self)) * (classes >= 0)[..., None]
        return channels.movedim(-1, -3).to(torch.float32) * 2 - 1

    def encode(self, image: Tensor) -> Tensor:
        """A label map (..., 3, H, W) in [-1, 1] with a channel for each class."""
        return self.one_hot(self.true_classes(image))

    def paint(self, classes: Tensor) -> Tensor:
        """The colours of the classes: (..., 3, H, W) in [-1, 1]; pixels of NO_CLASS have the last of the colours."""
        return device_constant((*self.colours, self.void_colour), classes.device)[classes].movedim(-1, -3)


def _is_binary(numbers: np.ndarray) -> bool:
    """Whether numbers are 0 and 1, or 1 alone."""
    return numbers.size > 0 and numbers.max() == 1


def to_displayable(image: Tensor, coded: Palette | None, source: Tensor | None = None) -> Tensor:
    """An image as a picture in [-1, 1]: painted, when it is `coded` with a channel for each class of a palette.

    Two other channels are Lab's a and b, which become a picture with the lightness of their `source`.
    """
    if coded is not None and image.shape[-3] == len(coded):
        return coded.paint(image.argmax(dim=-3).masked_fill((image == -1).all(dim=-3), NO_CLASS))
    return join_lightness(source, image) if image.shape[-3] == 2 and source is not None else image
