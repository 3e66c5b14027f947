"""Assigns pairs to splits by seed, keeping near duplicates in one split."""

from collections.abc import Sequence

from pix2pix.core.randomness import epoch_order
from pix2pix.datasets.check.measure import PairStats
from pix2pix.datasets.check.suggest_command import guess_direction
from pix2pix.datasets.near_duplicates import find_near_duplicates
from pix2pix.datasets.prepare.match import PairSpec


def assign_splits(
    items: Sequence[PairSpec], readings: Sequence[PairStats], shares: dict[str, float], seed: int
) -> list[str]:
    """The split of each item: its own where it has one, else drawn.

    Items of one group, and near duplicates by the image with more detail, stay together: whole clusters are dealt in
    the order of the seed, to each split as long as it has room, the rest to train.

    Args:
        items: the pairs.
        readings: of each pair, in the same order.
        shares: of val and test, each of all drawn pairs.
        seed: of the draw.

    Raises:
        ValueError: when a split that should have pairs gets none.
    """
    drawn = [index for index, item in enumerate(items) if item.split is None]
    chosen = [item.split or "train" for item in items]
    clusters = _find_clusters([items[i] for i in drawn], [readings[i] for i in drawn])
    room = {name: max(1, round(share * len(drawn))) for name, share in shares.items() if share > 0}
    for number in epoch_order(seed, 0, len(clusters)):
        cluster = clusters[int(number)]
        fitting = next((name for name, places in room.items() if len(cluster) <= places), None)
        if fitting:
            room[fitting] -= len(cluster)
            for index in cluster:
                chosen[drawn[index]] = fitting
    _require_pairs(["train", *room] if drawn else [], chosen, len(drawn), len(clusters))
    return chosen


def _find_clusters(items: Sequence[PairSpec], readings: Sequence[PairStats]) -> list[list[int]]:
    """Indices that must stay together: near duplicates, and what has one group."""
    sides = [reading.sides[guess_direction(readings).photo] for reading in readings if reading.sides] if items else []
    assert len(sides) == len(items)
    near = find_near_duplicates([side.thumbnail for side in sides], [side.digest for side in sides])
    owner = list(range(len(items)))
    by_group: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if item.group is not None:
            by_group.setdefault(item.group, []).append(index)
    for together in (*near, *by_group.values()):
        _join(owner, together)
    clusters: dict[int, list[int]] = {}
    for index in range(len(items)):
        clusters.setdefault(_root(owner, index), []).append(index)
    return list(clusters.values())


def _join(owner: list[int], together: list[int]) -> None:
    for index in together[1:]:
        one, other = sorted((_root(owner, together[0]), _root(owner, index)))
        owner[other] = one


def _root(owner: list[int], index: int) -> int:
    while owner[index] != index:
        owner[index] = owner[owner[index]]
        index = owner[index]
    return index


def _require_pairs(wanted: Sequence[str], chosen: Sequence[str], pairs: int, clusters: int) -> None:
    for name in wanted:
        if name not in chosen:
            raise ValueError(
                f"no pair is left for {name}: {pairs} pairs form {clusters} groups that must not be parted. "
                "Add pictures, or set --val 0 and --test 0."
            )
