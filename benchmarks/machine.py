"""The machine of a measurement, and its memory use."""

import datetime
import json
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pix2pix.core.cpu_cores import count_cores

STATUS = Path("/proc/self/status")


def describe_machine() -> dict[str, str]:
    """The processor, platform and versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "family": next((line.partition(":")[2].strip() for line in lines if line.startswith("cpu family")), ""),
        "cores": str(count_cores()),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # such as AVX2 and AVX512
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("pix2pix", "torch", "numpy", "pillow")},
        "date": datetime.date.today().isoformat(),
    }


def write_results(file: Path | None, **numbers: Any) -> None:
    """Leaves the numbers of a measurement in a file, if there is one, with the machine and the command."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": describe_machine(), "command": sys.argv, **numbers}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_results(file: Path, *keys: str) -> Any:
    """What a measurement left in a file, or the part of it below these keys. Exits with a sentence if there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise SystemExit(
            f"{file}: cannot be read ({reason}). Give a file that this program left with its results."
        ) from error
    return find_results(found, file, *keys)


def find_results(found: Any, file: Path, *keys: str) -> Any:
    """The part of the results of a file below these keys. Exits with a sentence if there is none."""
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            raise SystemExit(f"{file}: has no {'.'.join(keys)}, so it is not of this program. Give another file.")
        found = found[key]
    return found


def mebibytes(name: str) -> float | None:
    """A memory size of this process in MiB: `VmRSS` (now) or `VmHWM` (peak). None on other systems than Linux."""
    lines = STATUS.read_text(encoding="utf-8").splitlines() if STATUS.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), None)


def peak_mebibytes() -> float:
    """The peak memory of this program in MiB. `ru_maxrss` would count its parent, too, if that was larger."""
    return mebibytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
