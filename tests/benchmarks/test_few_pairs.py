"""The data sets of few pairs are parts of the whole one."""

import pytest

from benchmarks.gpu.plan import few_pairs
from tests.conftest import DATASETS, needs_datasets


@needs_datasets
def test_few_training_pairs_are_spread_over_the_set_and_all_others_stay(tmp_path):
    folder = few_pairs(DATASETS / "maps", tmp_path, 50)
    train = sorted(path.name for path in (folder / "train").iterdir())
    whole = sorted(path.name for path in (DATASETS / "maps" / "train").iterdir())
    assert train == whole[::2][:50]
    assert (folder / "train" / train[0]).read_bytes() == (DATASETS / "maps" / "train" / train[0]).read_bytes()
    assert len(list((folder / "val").iterdir())) == len(list((DATASETS / "maps" / "val").iterdir()))
    assert few_pairs(DATASETS / "maps", tmp_path, 50) == folder  # again, for a run that goes on


@needs_datasets
def test_more_pairs_than_there_are_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"121 pairs: .*train has 120; take as many or fewer"):
        few_pairs(DATASETS / "maps", tmp_path, 121)
