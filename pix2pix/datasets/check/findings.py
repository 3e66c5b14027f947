"""A finding of `pix2pix data check`: the fault, its files and the remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One kind of fault and every file that has it.

    Args:
        severity: `error`, training would fail or learn nonsense; `warning`, it may be worse for it, or its
            evaluation would flatter; `note`, worth knowing.
        kind: a word for scripts: `broken`, `odd-width`, `duplicates` ...
        says: what is the matter, one clause.
        remedy: what to do.
        files: where.
    """

    severity: Severity
    kind: str
    message: str
    remedy: str
    files: Sequence[Path] = ()


def format_count(number: int, one: str, many: str) -> str:
    """`1 pair is`, `3 pairs are`."""
    return f"{number} {one if number == 1 else many}"
