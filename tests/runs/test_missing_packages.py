"""A sweep whose launcher or sweeper needs a package that is missing is refused before anything is written."""

import sys

import pytest

from tests.conftest import TINY, pix2pix


@pytest.mark.parametrize(
    ("module", "choice", "extra"),
    [("ray", "hydra/launcher=ray", "ray"), ("optuna", "hydra/sweeper=optuna", "search")],
)
def test_a_missing_package_is_named_with_its_extra_and_leaves_no_file(tmp_path, monkeypatch, module, choice, extra):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit) as end:
        pix2pix("train", "-m", *TINY, choice, "seed=1,2")
    assert f"{choice} needs an extra: pip install 'pix2pix[{extra}]'." in str(end.value)
    assert not list(tmp_path.iterdir())
