"""Keeps translations from replacing files that no translation wrote, such as the targets of the same names."""

import json
from collections.abc import Iterable
from pathlib import Path

RECORD = ".translated"  # in the output folder, with a line for each file that translations wrote there


def claim_files(files: Iterable[Path], output: Path) -> None:
    """Records files that are about to be written in the folder `output`.

    Raises ValueError, and records nothing, if one of them exists already and the record does not name it.
    """
    record = output / RECORD
    known = set(record.read_text(encoding="ascii", errors="replace").splitlines()) if record.exists() else set()
    # As JSON, every file name is one line of ASCII.
    lines = {json.dumps(file.relative_to(output).as_posix()): file for file in files}
    new = {line: file for line, file in lines.items() if line not in known}
    if foreign := [file for file in new.values() if file.exists()]:
        others = f" and {len(foreign) - 1} more are" if len(foreign) > 1 else " is"
        raise ValueError(
            f"{foreign[0]}{others} there already, and not recorded as written by a translation. "
            "Choose another --output, or move them away (--skip-existing keeps pictures that are there)."
        )
    if new:
        output.mkdir(parents=True, exist_ok=True)
        with record.open("a", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in new))
