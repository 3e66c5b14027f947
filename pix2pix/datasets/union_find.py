"""Merges groups that share members (union-find). networkx and scipy have it, but pix2pix depends on neither."""

from collections.abc import Iterable, Sequence


def merge_groups(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Partitions range(count) so that the members of each of `groups` are in one part.

    Returns:
        The parts, members in ascending order, parts in the order of their first members; single ones are included.
    """
    parent = list(range(count))

    def find_root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]  # halves the path for later calls
            index = parent[index]
        return index

    for group in groups:
        for index in group[1:]:
            first, second = sorted((find_root(group[0]), find_root(index)))
            parent[second] = first
    parts: dict[int, list[int]] = {}
    for index in range(count):
        parts.setdefault(find_root(index), []).append(index)
    return list(parts.values())
