"""pix2pix: paired image-to-image translation with conditional GANs (Isola et al., arXiv 1611.07004)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pix2pix.inference.translator import Translator, load_translator

__version__ = "0.1.0"
__all__ = ["Translator", "__version__", "load_translator"]


def __getattr__(name: str) -> Any:
    """Imports the translator on first use, so that the command line starts without torch."""
    if name not in {"Translator", "load_translator"}:
        raise AttributeError(f"module 'pix2pix' has no attribute {name!r}")
    from pix2pix.inference import translator

    return getattr(translator, name)
