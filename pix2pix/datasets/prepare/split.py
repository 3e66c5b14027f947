"""Assigns pairs to splits by seed, keeping near duplicates in one split."""

from collections.abc import Sequence

from pix2pix.core.plurals import pluralize
from pix2pix.core.randomness import epoch_order
from pix2pix.datasets.check.measure import PairStats
from pix2pix.datasets.check.suggest_command import guess_direction
from pix2pix.datasets.near_duplicates import find_near_duplicates
from pix2pix.datasets.prepare.match import PairSpec
from pix2pix.datasets.union_find import merge_groups


def assign_splits(
    items: Sequence[PairSpec], readings: Sequence[PairStats], shares: dict[str, float], seed: int
) -> list[str]:
    """Returns the split of each pair: the one it must have, else a random one.

    Pairs of one group stay together, and so do near duplicates, judged by the image with more detail. Clusters are
    taken in random order; each goes to the first split that has room for all of it, else to train.

    Args:
        items: the pairs.
        readings: the measures of each pair, in the same order.
        shares: the shares of val and test, as parts of the pairs that get a random split.
        seed: the seed of the random order.

    Raises:
        ValueError: when a split that should have pairs gets none.
    """
    unassigned = [index for index, item in enumerate(items) if item.split is None]
    splits = [item.split or "train" for item in items]
    # Whole clusters are drawn: a pair in val whose near duplicate is in train would measure memory, not translation.
    clusters = _find_clusters([items[i] for i in unassigned], [readings[i] for i in unassigned])
    room = {name: max(1, round(share * len(unassigned))) for name, share in shares.items() if share > 0}
    for number in epoch_order(seed, 0, len(clusters)):
        cluster = clusters[int(number)]
        split = next((name for name, places in room.items() if len(cluster) <= places), None)
        if split:
            room[split] -= len(cluster)
            for index in cluster:
                splits[unassigned[index]] = split
    _require_pairs(["train", *room] if unassigned else [], splits, len(unassigned), len(clusters))
    return splits


def _find_clusters(items: Sequence[PairSpec], readings: Sequence[PairStats]) -> list[list[int]]:
    """Groups of indices that must stay together: near duplicates, and pairs of one group."""
    # Label maps of different places can be nearly equal, so the photo decides.
    sides = [reading.sides[guess_direction(readings).photo] for reading in readings if reading.sides] if items else []
    assert len(sides) == len(items)
    near = find_near_duplicates([side.thumbnail for side in sides], [side.digest for side in sides])
    by_group: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if item.group is not None:
            by_group.setdefault(item.group, []).append(index)
    return merge_groups(len(items), (*near, *by_group.values()))


def _require_pairs(wanted: Sequence[str], splits: Sequence[str], pairs: int, clusters: int) -> None:
    for name in wanted:
        if name not in splits:
            raise ValueError(
                f"no pair is left for {name}: {pluralize(pairs, 'pair forms', 'pairs form')} "
                f"{pluralize(clusters, 'group', 'groups')} that must not be parted. "
                "Add pictures, or set --val 0 and --test 0."
            )
