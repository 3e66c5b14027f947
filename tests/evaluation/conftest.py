"""A small sweep that was evaluated and compared."""

from pathlib import Path

import pytest

from tests.conftest import TINY, pix2pix


@pytest.fixture(scope="session")
def sweep(tmp_path_factory) -> Path:
    """Two discriminators, two seeds each, evaluated; not to be changed."""
    folder = tmp_path_factory.mktemp("sweeps") / "receptive_field"
    words = [word for word in TINY if "receptive_field" not in word]
    for name in ("pixel", "patch16"):
        for seed in (1, 2):
            run_dir = f"run_dir='{folder}/discriminator={name},seed={seed}'"
            pix2pix("train", *words, run_dir, f"discriminator={name}", f"seed={seed}", "trainer.max_epochs=1")
    pix2pix("compare", folder)
    return folder
