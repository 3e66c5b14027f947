"""Groups that share members become one."""

from pix2pix.datasets.union_find import merge_groups


def test_groups_that_share_a_member_are_merged_and_the_others_stay_alone():
    assert merge_groups(7, [(5, 1), (2, 3), (3, 5)]) == [[0], [1, 2, 3, 5], [4], [6]]


def test_without_groups_every_index_is_alone():
    assert merge_groups(3, []) == [[0], [1], [2]]
