"""Label maps: palettes, and conversion between colours, class indices and one-hot channels."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.data.device import device_constant
from pix2pix.data.images.class_colours import UNLABELLED, PaletteChoice, resolve_colours
from pix2pix.data.images.decode import Picture, pil_to_tensor
from pix2pix.data.images.lab import join_lightness

VOID = 255  # number of pixels without a class, in files of class numbers
NO_CLASS = -1  # the same in tensors of classes
VOID_COLOURS = ((224, 224, 192), (255, 0, 255), (1, 2, 3))  # Pascal VOC's; others for palettes that contain it
RIM = 4  # pixels around those of no class in which blended ones have none; a smaller map is blended over two
HALF_A_LEVEL = 0.5 / 127.5  # half a level of 8 bits, in [-1, 1]


class Palette:
    """The classes of a label map and their colours.

    Args:
        choice: a key of PALETTES; or colours (r, g, b) of 0 to 255, as a list or by the names of the classes; or a
            number of classes, for label maps whose pixels are class numbers. Their colours are black and white for two
            classes, else those of Pascal VOC.

    Pixels without a class have a colour that no class has, and are -1 in all channels of one-hot label maps.

    Raises:
        ValueError: for an unknown name, fewer than two classes, or two classes of one colour.
    """

    def __init__(self, choice: PaletteChoice) -> None:
        colours = resolve_colours(choice)
        if len(set(map(tuple, colours.values()))) < max(len(colours), 2):
            raise ValueError(f"palette {choice!r}: needs two or more classes, each with a colour of its own.")
        self.classes = list(colours)
        self.is_numbered = isinstance(choice, int)  # classes have no colours, so the colours in a file mean nothing
        self.ignored = [index for index, name in enumerate(self.classes) if name == UNLABELLED]
        self.pixels = torch.tensor(list(colours.values()), dtype=torch.uint8)
        self.colours = tuple(map(tuple, (self.pixels.to(torch.float32) / 127.5 - 1).tolist()))  # in [-1, 1]
        taken = set(map(tuple, self.pixels.tolist()))
        self.void = next(colour for colour in VOID_COLOURS if colour not in taken)
        self.void_colour = tuple(level / 127.5 - 1 for level in self.void)

    def __len__(self) -> int:
        return len(self.classes)

    def classify(self, image: Tensor) -> Tensor:
        """The class of each pixel, int64 (..., H, W): the one of the nearest colour, because JPEG changes colours.

        Args:
            image: (..., 3, H, W) in [-1, 1].
        """
        pixels = image.movedim(-3, -1)
        colours = device_constant(self.colours, image.device)
        # |p - c|^2 without the |p|^2 that all classes share: one product instead of a difference for every class
        return (colours.square().sum(dim=1) - 2 * pixels @ colours.T).argmin(dim=-1)

    def find_void(self, image: Tensor) -> Tensor:
        """The pixels without a class, a mask (..., H, W) of a label map (..., 3, H, W) in [-1, 1].

        A map in colours is resized smoothly. Its blended pixels around those without a class have none, either.
        """
        pixels = image.movedim(-3, -1)
        void = _is_near(pixels, device_constant((self.void_colour,), image.device)[0])
        # Most maps have no such pixel. A GPU would wait for the question, and an exported graph cannot ask it.
        if image.device.type == "cpu" and not torch.compiler.is_compiling() and not void.any():
            return void
        nearest = device_constant(self.colours, image.device)[self.classify(image)]
        is_blend = ~_is_near(pixels, nearest)
        for _ in range(RIM):
            void = void | (is_blend & _dilate(void))
        return void

    def find_labelled(self, image: Tensor) -> Tensor:
        """The pixels with a class, a mask (..., 1, H, W) of a label map (..., 3, H, W) in [-1, 1]."""
        return ~self.find_void(image).unsqueeze(-3)

    def true_classes(self, image: Tensor) -> Tensor:
        """The class of each pixel of a label map, as from `classify`, but NO_CLASS for pixels without one."""
        return self.classify(image).masked_fill(self.find_void(image), NO_CLASS)

    def decode_label_map(self, picture: Picture, name: str) -> Tensor:
        """A label map from a file, in the colours of the palette: uint8 (3, H, W).

        The pixels of a file with one channel are class numbers; so are those of a file with a colour table, if this
        palette is a number of classes. 255 stands for the class `unlabelled` if the palette has one, else for no class.
        With two classes, dark pixels are 0 and light ones 1; but in a file of 0, 1 and 255, 255 is no class.

        Raises:
            ValueError: for a class that the palette does not have, or pixels that are no classes.
        """
        numbers = self._class_numbers(picture, name)
        if numbers is None:
            assert isinstance(picture, Image.Image)
            return self._decode_colours(picture)
        if numbers.dtype.kind == "f" and (numbers != np.rint(numbers)).any():
            raise ValueError(f"{name}: a label map of floats that are not whole numbers. Save the classes as integers.")
        classes = self._number_classes(numbers.astype(np.int64))
        if classes.min() < NO_CLASS or classes.max() >= len(self):
            wrong = classes.min() if classes.min() < NO_CLASS else classes.max()
            raise ValueError(
                f"{name}: holds class {wrong}, where data.palette has {len(self)} classes, 0 to {len(self) - 1}, and "
                f"{VOID} is no class. Correct the file, or train with the number of classes as data.palette, or with "
                "a colour for each."
            )
        colours = torch.cat([self.pixels, torch.tensor([self.void], dtype=torch.uint8)])
        return colours[torch.from_numpy(classes)].permute(2, 0, 1).contiguous()

    def _number_classes(self, numbers: np.ndarray) -> np.ndarray:
        """The classes that the numbers in a file mean, int64; NO_CLASS for pixels without one."""
        # Two classes are also written as 0 and 255, in 16 bits as 0 and 65535: then the brighter half is 1.
        is_void = numbers == VOID
        if len(self) == 2 and numbers.max() > 1:
            others = numbers[~is_void]
            if numbers.max() > VOID or not others.size or others.max() != 1:
                return (numbers > (65535 if numbers.max() > 255 else 255) // 2).astype(np.int64)
        elif len(self) > VOID:
            return numbers
        return np.where(is_void, self.ignored[0] if self.ignored else NO_CLASS, numbers)

    def _decode_colours(self, picture: Image.Image) -> Tensor:
        """A label map in colours, uint8 (3, H, W).

        Index 255 in a colour table means no class, unless its colour is one of this palette.
        """
        pixels = pil_to_tensor(picture, "RGB")
        if self.is_numbered:
            return pixels
        void = torch.tensor(self.void, dtype=torch.uint8)[:, None, None]
        looks_void = (pixels == void).all(dim=0)
        if looks_void.any():  # a blend in a JPEG may have this colour by chance; it counts as its nearest class
            pixels[0] -= looks_void.to(torch.uint8)
        if picture.mode == "P":
            has_class = (pixels[:, None] == self.pixels.T[:, :, None, None]).all(dim=0).any(dim=0)
            pixels = torch.where(torch.from_numpy(np.asarray(picture) == VOID) & ~has_class, void, pixels)
        return pixels

    def _class_numbers(self, picture: Picture, name: str) -> np.ndarray | None:
        """The class numbers (H, W) in a file; None for a file that holds colours."""
        if isinstance(picture, Image.Image):
            if len(picture.getbands()) > 1:
                return self._grey_numbers(picture) if self.is_numbered else None
            return None if picture.mode == "P" and not self.is_numbered else np.asarray(picture)
        if picture.ndim == 3 and picture.shape[2] > 1:
            raise ValueError(
                f"{name}: a label map of {picture.shape[2]} channels. Save it as class numbers in one channel, "
                "or as 8-bit colours."
            )
        return picture.reshape(picture.shape[:2])

    def _grey_numbers(self, picture: Image.Image) -> np.ndarray | None:
        """The class numbers (H, W) of a file that repeats them in three channels; None for one that holds colours."""
        red, green, blue = pil_to_tensor(picture, "RGB").numpy()
        is_class = (red < len(self)) | (red == VOID)
        return red if is_class.all() and (red == green).all() and (red == blue).all() else None

    def one_hot(self, classes: Tensor) -> Tensor:
        """One channel per class, 1 at the pixels of the class and -1 elsewhere: (..., classes, H, W).

        Pixels of NO_CLASS are -1 in all channels.
        """
        # one_hot takes no negative class: NO_CLASS is coded as 0, and multiplied away.
        channels = torch.nn.functional.one_hot(classes.clamp(min=0), len(self)) * (classes >= 0)[..., None]
        return channels.movedim(-1, -3).to(torch.float32) * 2 - 1

    def encode(self, image: Tensor) -> Tensor:
        """Converts a label map (..., 3, H, W) in [-1, 1] to one channel per class."""
        return self.one_hot(self.true_classes(image))

    def paint(self, classes: Tensor) -> Tensor:
        """The colours of the classes: (..., 3, H, W) in [-1, 1]; pixels of NO_CLASS get the void colour."""
        return device_constant((*self.colours, self.void_colour), classes.device)[classes].movedim(-1, -3)


def _is_near(pixels: Tensor, colours: Tensor) -> Tensor:
    """Where pixels (..., 3) have these colours in 8 bits, (...)."""
    return (pixels - colours).abs().amax(dim=-1) < HALF_A_LEVEL


def _dilate(mask: Tensor) -> Tensor:
    """A mask (..., H, W) with the neighbours of its pixels."""
    height, width = mask.shape[-2:]
    flat = mask.reshape(-1, 1, height, width).to(torch.float32)
    return (torch.nn.functional.max_pool2d(flat, 3, stride=1, padding=1) > 0).reshape(mask.shape)


def to_displayable(image: Tensor, palette: Palette | None, source: Tensor | None = None) -> Tensor:
    """Converts an image of the networks (..., C, H, W) to one that can be shown, both in [-1, 1].

    An image with one channel per class of `palette` is painted in its colours. Two channels made from a `source` of one
    are Lab's a and b, and are joined with it, the lightness. Other images are returned as they are.
    """
    if palette is not None and image.shape[-3] == len(palette):
        return palette.paint(image.argmax(dim=-3).masked_fill((image == -1).all(dim=-3), NO_CLASS))
    if source is not None and (source.shape[-3], image.shape[-3]) == (1, 2):
        return join_lightness(source, image)
    return image
