"""Labels of groups without what they have in common."""

import pytest

from pix2pix.evaluation.short_labels import shorten_labels


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        (
            [
                {"discriminator": "pixel", "objective.l1_weight": 10},
                {"discriminator": "patch16", "objective.l1_weight": 5},
            ],
            ["pixel · l1_weight=10", "patch16 · l1_weight=5"],
        ),
        (
            [{"discriminator": "pixel", "data.size": 64}, {"discriminator": "patch16", "data.size": 64}],
            ["pixel", "patch16"],
        ),
        ([{"data.size": 64, "ema": True}, {"data.size": 32, "ema": True}], ["size=64", "size=32"]),
        ([{"data.size": 64}, {"data.size": 32}], ["64", "32"]),  # the full labels say no more
        ([{"a.lr": 1, "b.lr": 2}, {"a.lr": 2, "b.lr": 1}, {"a.lr": 1}], ["lr=1 · lr=2", "lr=2 · lr=1", "lr=1"]),
        ([{"where": "x", "run": "a"}], ["full"]),
    ],
)
def test_what_all_groups_have_in_common_is_left_out(settings, labels):
    full = [str(next(iter(each.values()))) if len(each) == 1 else "full" for each in settings]
    assert shorten_labels(settings, full) == labels
