"""A finding of `pix2pix data check`: the problem, its files and the remedy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One kind of problem and every file that has it.

    Args:
        severity: `error`, training would fail or learn nonsense; `warning`, training may suffer, or the evaluation
            would be too good; `note`, worth knowing.
        kind: an identifier for scripts: `broken`, `odd-width`, `duplicates` ...
        message: what is the matter, one clause.
        remedy: what to do about it.
        files: the files that have it.
    """

    severity: Severity
    kind: str
    message: str
    remedy: str
    files: Sequence[Path] = ()

    @classmethod
    def from_error(cls, severity: Severity, kind: str, error: object) -> Self:
        """The finding of an error of training, whose first sentence is the message."""
        message, *remedy = re.split(r"(?<!\.)\. ", str(error), maxsplit=1)  # not after an ellipsis
        return cls(severity, kind, message.removesuffix("."), "".join(remedy))
