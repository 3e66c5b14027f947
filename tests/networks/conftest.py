"""Networks this small are quickest on one thread."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)  # on two busy cores, threads wait for each other ten times longer than they compute
