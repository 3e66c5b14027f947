"""Opens the journal in which Optuna records a search, and repairs it after a power cut or a full disk."""

import itertools
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CREATE_TRIAL = 4  # Optuna's operation code; trials are numbered in the order of these lines

log = logging.getLogger(__name__)


def open_journal(journal: Path) -> Any:
    """Opens or creates the storage of a search. Raises ValueError for a journal that cannot be repaired."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    # With a relative path, Optuna waits for ever for a lock that a killed process left.
    journal = journal.absolute()
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileSymlinkLock(str(journal))
    if journal.is_file():
        repair(journal, lock)
    try:
        return JournalStorage(JournalFileBackend(str(journal), lock))
    except (LookupError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"{journal}: is no journal of a search that Optuna can read ({error!r}). Move it away, and the search "
            "starts again in this directory; or give the search a directory of its own, sweep_name=..."
        ) from error


def repair(journal: Path, lock: Any) -> None:
    """Removes the invalid lines of a journal with a warning, and keeps a copy of the file."""
    from optuna.storages.journal._file import get_lock_file

    from pix2pix.core.atomic_files import write_text_atomic

    with get_lock_file(lock):
        content = journal.read_bytes()
        lines = [line for line in content.split(b"\n") if line]
        valid = find_valid_lines(lines)
        text = b"".join(line + b"\n" for line in valid)
        if text == content:
            return
        copies = (journal.with_name(f"{journal.name}.damaged-{number}") for number in itertools.count(1))
        copy = next(copy for copy in copies if not copy.exists())
        shutil.copy2(journal, copy)
        write_text_atomic(journal, text.decode())
    log.warning(
        "%s: %d of its %d lines are damaged, or depend on damaged ones; the search resumes from the others. "
        "A copy of the damaged file is kept: %s",
        *(journal, len(lines) - len(valid), len(lines), copy.name),
    )


def find_valid_lines(lines: Sequence[bytes]) -> list[bytes]:
    """The valid lines. If the line that creates a trial is lost, only those before the first damaged line.

    Lines refer to trials by number. Without one of the creating lines, all later numbers would refer to other trials.
    """
    entries = [(line, entry) for line in lines if (entry := _parse_entry(line)) is not None]
    trials = 0
    for _line, entry in entries:
        if entry.get("trial_id", -1) >= trials:
            return list(itertools.takewhile(lambda line: _parse_entry(line) is not None, lines))
        trials += entry["op_code"] == CREATE_TRIAL
    return [line for line, _parse_entry in entries]


def _parse_entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("op_code"), int) else None
