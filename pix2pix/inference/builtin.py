"""Built-in translators: trained generators that are installed with the package and have a name."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pix2pix.core.arguments import require_path
from pix2pix.inference.hub import download_model, is_hub_address

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class BuiltinTranslator:
    """A built-in translator.

    Args:
        name: its name, which commands accept in place of a run.
        purpose: one line on its input and output.
    """

    name: str
    purpose: str

    @property
    def file(self) -> Path:
        """The file of weights and configuration."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """The model card: training data, training, quality and limits."""
        return FOLDER / f"{self.name}.md"


FACADES = BuiltinTranslator("facades", "makes photos of buildings from label maps, 256x256 pixels")
BUILTIN = {FACADES.name: FACADES}
DEFAULT = FACADES  # what the demo shows without a RUN


def locate_translator(path: str | Path) -> Path:
    """The file of a translator: the built-in one of this name, one of the Hugging Face Hub (hf://), or the path itself.

    A folder or file of this name in the current directory takes precedence, with a warning.

    Raises:
        FileNotFoundError: for a name that is neither in the current directory nor built in.
        ValueError: for an empty text.
        ValueError, OSError: what `pix2pix.inference.hub.download_model` raises.
    """
    require_path(path, "run")
    if is_hub_address(path):
        return download_model(path)
    location, name = Path(path), str(path)
    known = BUILTIN.get(name)
    if location.exists():
        if known is not None:
            log.warning(
                "%s: using the one in the current directory, %s. The built-in translator of this name is %s.",
                *(name, location.resolve(), known.file),
            )
        return location
    if known is not None:
        return known.file
    if len(location.parts) == 1 and not location.suffix:
        raise FileNotFoundError(
            f"{name}: neither a run or file in the current directory nor a built-in translator "
            f"({', '.join(BUILTIN)}). Give a directory that `pix2pix train` made, a file of weights, or one of these. "
            "To download others: pix2pix models list."
        )
    return location
