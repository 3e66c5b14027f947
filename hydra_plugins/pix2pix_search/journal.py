"""The journal of a search: a line for each thing that Optuna noted, mended where the power or the disk failed."""

import itertools
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CREATES_TRIAL = 4  # Optuna's number for it; trials are numbered in the order of these lines

log = logging.getLogger(__name__)


def open_journal(journal: Path) -> Any:
    """The storage that a journal holds, a new one where there is none. Raises ValueError for one beyond mending."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    # Optuna waits for ever for a lock that a kill left behind at a relative path.
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
            "begins again in this directory; or give the search a directory of its own, sweep_name=..."
        ) from error


def repair(journal: Path, lock: Any) -> None:
    """Leaves the sound lines of a journal, says so, and keeps a copy of what was there."""
    from optuna.storages.journal._file import get_lock_file

    from pix2pix.core.atomic_files import write_text_atomic

    with get_lock_file(lock):
        content = journal.read_bytes()
        lines = [line for line in content.split(b"\n") if line]
        kept = find_valid_lines(lines)
        text = b"".join(line + b"\n" for line in kept)
        if text == content:
            return
        copies = (journal.with_name(f"{journal.name}.damaged-{number}") for number in itertools.count(1))
        copy = next(copy for copy in copies if not copy.exists())
        shutil.copy2(journal, copy)
        write_text_atomic(journal, text.decode())
    log.warning(
        "%s: %d of its %d lines are damaged or depend on those that are; the search goes on from the others. "
        "The file as it was is kept: %s",
        *(journal, len(lines) - len(kept), len(lines), copy.name),
    )


def find_valid_lines(lines: Sequence[bytes]) -> list[bytes]:
    """The lines that can be read; only those before the first damage where the beginning of a trial is lost.

    Lines say of which trial they speak by its number. With one beginning lost all later ones would speak of another.
    """
    entries = [(line, entry) for line in lines if (entry := _parse_entry(line)) is not None]
    trials = 0
    for _line, entry in entries:
        if entry.get("trial_id", -1) >= trials:
            whole = itertools.takewhile(lambda line: _parse_entry(line) is not None, lines)
            return list(whole)
        trials += entry["op_code"] == CREATES_TRIAL
    return [line for line, _parse_entry in entries]


def _parse_entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("op_code"), int) else None
