"""pix2pix: paired image-to-image translation with conditional GANs (Isola et al., arXiv 1611.07004).

The public functions and classes; docs/api.md describes them. Each is imported on first use, so that the command line
starts without torch.
"""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig
    from pix2pix.evaluation.compare import compare
    from pix2pix.evaluation.comparison import Comparison
    from pix2pix.evaluation.evaluate import evaluate
    from pix2pix.evaluation.results import Evaluation
    from pix2pix.inference.translator import Translator, load_translator
    from pix2pix.runs.run import Run
    from pix2pix.training.module import Pix2Pix
    from pix2pix.training.train_from_python import train

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "Evaluation",
    "Pix2Pix",
    "Run",
    "RunConfig",
    "Translator",
    "__version__",
    "compare",
    "evaluate",
    "load_translator",
    "train",
]

__getattr__ = lazy_getattr(
    __name__,
    {
        "Comparison": "evaluation.comparison",
        "Evaluation": "evaluation.results",
        "Pix2Pix": "training.module",
        "Run": "runs.run",
        "RunConfig": "config.schema",
        "Translator": "inference.translator",
        "compare": "evaluation.compare",
        "evaluate": "evaluation.evaluate",
        "load_translator": "inference.translator",
        "train": "training.train_from_python",
    },
)
