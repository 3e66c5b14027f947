"""How much free memory the process may use."""

from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that this process can take without swapping, also within the limit of a container or a cluster's job."""
    return min([psutil.virtual_memory().available, *_free_in_cgroups()])


def _free_in_cgroups() -> list[int]:
    """What each control group that this process is in has left (cgroups 2; Linux only)."""
    try:
        own = (
            Path("/proc/self/cgroup")
            .read_text(encoding="utf-8", errors="surrogateescape")
            .strip()
            .rpartition("::")[2]
            .lstrip("/")
        )
    except OSError:
        return []
    group = CGROUPS / own
    return [left for folder in (group, *group.parents) if (left := _free_in_cgroup(folder)) is not None]


def _free_in_cgroup(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        counts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
    except OSError:
        return None
    reclaimable = int(counts["inactive_file"])  # files that were read once, and give way
    return None if limit == "max" else int(limit) - used + reclaimable
