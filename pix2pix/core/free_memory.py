"""Measures how much free memory this process may use."""

from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that this process can allocate without swapping, within the limits of its container or cluster job."""
    return min([psutil.virtual_memory().available, *_free_in_cgroups()])


def _free_in_cgroups() -> list[int]:
    """Free bytes of each control group of this process (cgroups 2; Linux only)."""
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
    # A limit holds for everything below it, so the parents' limits count as well.
    group = CGROUPS / own
    return [free for folder in (group, *group.parents) if (free := _free_in_cgroup(folder)) is not None]


def _free_in_cgroup(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        counts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
    except OSError:
        return None
    reclaimable = int(counts["inactive_file"])  # cached files, which the system drops on demand
    return None if limit == "max" else int(limit) - used + reclaimable
