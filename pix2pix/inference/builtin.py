"""The translators in the box: trained generators that are installed with the package, and go by a name."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pix2pix.inference.hub import download_model, is_hub_address

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class BuiltinTranslator:
    """A translator in the box.

    Args:
        name: what it is asked for by.
        does: in a line, what it makes of what.
    """

    name: str
    does: str

    @property
    def file(self) -> Path:
        """Its weights, which carry their configuration."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """What it was trained on, how, how good it is, and what it cannot do."""
        return FOLDER / f"{self.name}.md"


FACADES = BuiltinTranslator("facades", "makes photos of buildings from label maps, 256x256 pixels")
BUILTIN = {FACADES.name: FACADES}
DEFAULT = FACADES  # what the demo shows without a RUN


def locate_translator(path: str | Path) -> Path:
    """Where a translator is: the file of the built-in one of this name, one of the hub (hf://), else the path itself.

    A folder or file of that name in the current directory comes first, and that is logged.

    Raises:
        FileNotFoundError: for a mere name that is neither here nor in the box.
        ValueError, OSError: what `pix2pix.inference.hub.download_model` raises.
    """
    if is_hub_address(path):
        return download_model(path)
    here, name = Path(path), str(path)
    known = BUILTIN.get(name)
    if here.exists():
        if known is not None:
            log.warning(
                "%s: taken from the current directory, %s. The built-in translator of this name is %s.",
                *(name, here.resolve(), known.file),
            )
        return here
    if known is not None:
        return known.file
    if len(here.parts) == 1 and not here.suffix:
        raise FileNotFoundError(
            f"{name}: neither a run or file in the current directory nor a built-in translator, of which there are: "
            f"{', '.join(BUILTIN)}. Give a directory that `pix2pix train` made, a file of weights, or one of these. "
            "Others to download: pix2pix models list."
        )
    return here
