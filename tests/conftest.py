"""What all tests share: threads as they were, real pictures, small runs."""

from pathlib import Path

import pytest
import torch

DATASETS = Path(__file__).parents[2] / "shared" / "datasets"


@pytest.fixture(autouse=True)
def _threads_as_they_were():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
