"""Installed from a wheel, in an empty folder elsewhere: the configs are there, runs go to ./outputs."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import pix2pix
from pix2pix.inference.builtin import BUILTIN
from pix2pix.runs.run import Run
from tests.conftest import TINY

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder with the package as `pip install .` leaves it; its dependencies come from this environment."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    words = ["--no-build-isolation", "--target", str(tmp_path / "site"), str(REPOSITORY)]
    subprocess.run([*pip, *words], check=True, capture_output=True, cwd=tmp_path)
    return tmp_path / "site"


def test_the_installed_package_trains_from_an_empty_folder(installed, tmp_path):
    (tmp_path / "empty").mkdir()
    python = [sys.executable, "-c", "import pix2pix; print(pix2pix.__file__); from pix2pix.cli import main; main()"]
    result = subprocess.run(
        [*python, "train", *TINY, "trainer.max_epochs=1"],
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=tmp_path / "empty",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(installed))
    assert Run(tmp_path / "empty" / "outputs" / "synthetic_facades").is_finished()

    new = [*python, "new", "facelab"]
    subprocess.run(new, env=os.environ | {"PYTHONPATH": str(installed)}, cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "facelab" / "facelab" / "networks.py").is_file()


@pytest.mark.parametrize("builder", [WheelBuilder, SdistBuilder])
def test_what_is_built_holds_the_translators_in_the_box(builder):
    carried = {file.distribution_path for file in builder(str(REPOSITORY)).recurse_included_files()}
    for known in BUILTIN.values():
        for file in (known.file, known.card):
            assert file.relative_to(Path(pix2pix.__file__).parents[1]).as_posix() in carried


@pytest.mark.slow
def test_tests_pass_in_an_unpacked_sdist(tmp_path):
    (archive,) = SdistBuilder(str(REPOSITORY)).build(directory=str(tmp_path))
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    files = ("tests/test_docs.py", "tests/test_structure.py", "tests/test_examples.py")
    words = [sys.executable, "-m", "pytest", "-q", *files]
    folder = Path(archive).with_name(Path(archive).name.removesuffix(".tar.gz"))
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
