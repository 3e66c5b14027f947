"""What a search draws from the ranges on its command line."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.pix2pix_search import _suggest

optuna = pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("x=choice(2,2.5,true)", {2, 2.5, True}),
        ("x=a,'b c'", {"a", "'b c'"}),
        ("x=range(1,8,3)", {1, 4, 7}),
        ("x=range(3,0,-1)", {3, 2, 1}),
        ("x=range(0.5,2,0.5)", {0.5, 1.0, 1.5}),
    ],
)
def test_all_values_of_a_range_are_drawn_and_no_others(word, values):
    override = OverridesParser.create().parse_override(word)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {_suggest(study.ask(), "x", override) for _ in range(60)} == values
