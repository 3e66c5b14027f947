"""What the dashboard shows of a run, read from its files as far as they can be read."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from natsort import natsorted

from pix2pix.core.atomic_files import is_temporary
from pix2pix.data.images.picture_files import printable_name
from pix2pix.evaluation.load_comparison import parse_folder_name
from pix2pix.evaluation.result_settings import result_settings
from pix2pix.runs.metrics import read_newest_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import list_sheets, newest_sheet, parse_epoch
from pix2pix.runs.state import RunState, read_state

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

MAX_LINE_BYTES = 2**16
MAX_SETTINGS = 4  # of a run, in the column of what differs

log = logging.getLogger(__name__)
T = TypeVar("T")
REPORTED: set[str] = set()  # problems that were logged already


@dataclass
class RunCard:
    """A run on the page; paths are relative to the folder of runs.

    Args:
        name: the path of the run.
        state: how far it is; None if its files do not tell.
        best: the best value of the metric that chose `best.ckpt`, or of a run that goes on its last validation.
        started: when its first session began, as ISO 8601; "" if unknown.
        settings: those that can change the results, for `describe_differences`.
        sheets: the epochs and files of its sample sheets, up to the newest that can be read.
        evaluations: its evaluation pages.
        problems: what could not be read, in sentences.
    """

    name: str
    state: RunState | None = None
    best: dict[str, float] = field(default_factory=dict)
    started: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    sheets: list[tuple[int, Path]] = field(default_factory=list)
    evaluations: list[Path] = field(default_factory=list)
    problems: tuple[str, ...] = ()

    @property
    def sample(self) -> Path | None:
        """The newest readable sample sheet."""
        return self.sheets[-1][1] if self.sheets else None

    def to_json(self, differs: str, link: Callable[[Path], str]) -> dict[str, Any]:
        """The card as the page's script takes it."""
        state = asdict(self.state) | {"text": self.state.describe()} if self.state else {"kind": "unknown", "text": "?"}
        return {
            **{"name": printable_name(self.name), "path": self.name, "state": state, "best": self.best},
            **{"differs": differs, "started": self.started, "problems": [*map(printable_name, self.problems)]},
            "sheets": [{"at": epoch, "source": link(path)} for epoch, path in self.sheets],
            "evaluations": [
                {"name": printable_name(page.parent.name), "link": link(page)} for page in self.evaluations
            ],
        }


class CardReader:
    """Makes cards, and those of finished runs again only when their files have changed.

    Args:
        outputs: the folder of the runs.
    """

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._cards: dict[Path, tuple[tuple[int, ...], RunCard]] = {}

    def read(self, run: Run) -> RunCard:
        """The card of a run."""
        files = (run.provenance_file, run.config_file, run.path / "metrics.csv", run.path / "samples", run.evaluation)
        times = tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)
        before, card = self._cards.get(run.path, (None, None))
        if card is None or before != times or not (card.state and card.state.kind == "finished"):
            card = make_card(run, self.outputs)
            self._cards[run.path] = times, card
        return card


def make_card(run: Run, outputs: Path) -> RunCard:
    """Collects what the page shows of a run, as far as its files can be read."""
    problems: list[str] = []
    name = run.path.relative_to(outputs) if run.path.is_relative_to(outputs) else run.path
    card = RunCard(str(name))
    config, settings = _try_read(lambda: _read_config(run), run.config_file, problems) or (None, {})
    provenance = _try_read(run.provenance, run.provenance_file, problems)
    metrics = run.path / "metrics.csv"
    if _try_read(lambda: _require_header(metrics) or True, metrics, problems) and config and provenance is not None:
        card.state = _try_read(lambda: read_state(run, config, provenance), metrics, problems)
        card.best = _try_read(lambda: _read_best(run, provenance), run.provenance_file, problems) or {}
    card.started = next((str(session.get("started", "")) for session in (provenance or {}).get("sessions", [])), "")
    card.settings = settings
    sheets = _try_read(lambda: _list_sheets(run, problems), run.path / "samples", problems) or []
    card.sheets = [(epoch, name / path.relative_to(run.path)) for epoch, path in sheets]
    pages = _try_read(lambda: natsorted(run.evaluation.glob("*/index.html"), key=str), run.evaluation, problems) or []
    card.evaluations = [name / page.relative_to(run.path) for page in pages if not is_temporary(page.parent)]
    card.problems = tuple(problems)
    return card


def describe_differences(cards: Sequence[RunCard]) -> list[str]:
    """What tells each run from the others: the settings in its folder's name, or those in which it is not as most."""
    counts: dict[str, Counter[str]] = {}
    for card in cards:
        for key, value in card.settings.items():
            counts.setdefault(key, Counter())[str(value)] += 1
    usual = {key: values.most_common(1)[0][0] for key, values in counts.items() if len(values) > 1}
    return [_describe_differences(card, usual) for card in cards]


def _describe_differences(card: RunCard, usual: dict[str, str]) -> str:
    named = parse_folder_name(Path(card.name).name)
    if not named:
        named = {key: value for key, value in card.settings.items() if str(value) != usual.get(key, str(value))}
    texts = (f"{key.removesuffix('._target_').rpartition('.')[2]}={value}" for key, value in named.items())
    words = list(dict.fromkeys(texts))  # the direction, for one, stands in several settings
    return ", ".join(words[:MAX_SETTINGS]) + (f" and {len(words) - MAX_SETTINGS} more" if words[MAX_SETTINGS:] else "")


def report_problems(problems: Iterable[str]) -> None:
    """Logs every problem once."""
    for problem in problems:
        if problem not in REPORTED:
            REPORTED.add(problem)
            log.warning("%s", problem)


def _try_read(read: Callable[[], T], file: Path, problems: list[str]) -> T | None:
    """Calls `read`; on any error adds a sentence to the problems and returns None."""
    try:
        return read()
    except Exception as error:
        reason = str(error) or type(error).__name__
        problems.append(reason if str(file) in reason else f"{file}: cannot be read ({reason}).")
        return None


def _read_best(run: Run, provenance: dict[str, Any]) -> dict[str, float]:
    if provenance.get("finished"):
        best = {name: float(value) for name, value in provenance.get("best", {}).items()}
    else:
        rows = [row for row in read_newest_metrics(run.path / "metrics.csv") if row.get("val/ssim")]
        best = {"val/ssim": float(rows[-1]["val/ssim"])} if rows else {}
    return {name: value for name, value in best.items() if math.isfinite(value)}


def _list_sheets(run: Run, problems: list[str]) -> list[tuple[int, Path]]:
    """The sheets up to the newest that can be read; only that one and those after it are opened."""
    sheet, unreadable = newest_sheet(run.path / "samples", "val")
    problems.extend(unreadable[:1])
    files = list_sheets(run.path / "samples", "val")
    return [(parse_epoch(file), file) for file in files[: files.index(sheet.path) + 1]] if sheet else []


def _read_config(run: Run) -> "tuple[RunConfig, dict[str, Any]]":
    """The configuration, and its settings that can change results. Raises ValueError for a damaged one."""
    found = _cached_config(run.config_file, run.config_file.stat().st_mtime_ns)
    if isinstance(found, str):
        raise ValueError(found)
    return found


@lru_cache(maxsize=4096)
def _cached_config(file: Path, changed: int) -> "tuple[RunConfig, dict[str, Any]] | str":
    """What `_read_config` returns, or the problem. `changed`, the file's time, is part of the cache key."""
    try:
        config = Run(file.parent).config()
        return config, result_settings(config)
    except Exception as error:
        return str(error) or type(error).__name__


def _require_header(metrics: Path) -> None:
    """Raises ValueError for a metrics table without a header line."""
    if not metrics.is_file():
        return
    with metrics.open("rb") as file:
        header = file.readline(MAX_LINE_BYTES).decode()
    if header and "step" not in header.strip().split(","):
        raise ValueError("its first line does not name the columns")
