"""`pix2pix dashboard`: one page for a folder of runs, in a real browser."""

import base64
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from pix2pix.dashboard import card
from tests.chromium import chromium, needs_chromium
from tests.conftest import TINY, pix2pix, started


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Three runs side by side and their comparison."""
    folder = tmp_path_factory.mktemp("outputs")
    for seed in (1, 2, 3):
        pix2pix("train", *TINY, f"run_dir='{folder}/seeds/seed={seed}'", f"seed={seed}", "trainer.max_epochs=1")
    pix2pix("compare", folder / "seeds")
    return folder


@contextmanager
def dashboard(outputs: Path, port: int) -> Iterator[str]:
    """The command in a process of its own; gives the address that it says."""
    words = ("dashboard", outputs, "--no-browser", "--port", port)
    with started(*words, stderr=subprocess.DEVNULL) as process:
        yield process.stdout.readline().strip()


@pytest.fixture(scope="module")
def address(outputs):
    with dashboard(outputs, 0) as found:
        yield found


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_of_many_samples_only_the_newest_is_opened(run):
    for epoch in range(10, 13):
        (run.path / "samples" / f"val_epoch{epoch:04d}.png").write_bytes(b"cut short")
    (run.path / "samples" / "val_epoch0002.png").rename(run.path / "samples" / "val_epoch0099.png")
    assert card(run, run.path.parent).sample == Path("tiny/samples/val_epoch0099.png")


def test_only_pages_and_pictures_of_the_folder_are_served(address, outputs):
    assert address.startswith("http://127.0.0.1:")
    run = "files/seeds/" + urllib.parse.quote("seed=1")
    assert status(address) == 200
    assert status(f"{address}{run}/samples/val_epoch0001.png") == 200
    assert status(f"{address}{run}/checkpoints/last.ckpt") == 404
    assert status(f"{address}{run}/config.yaml") == 404
    (outputs.parent / "secret.html").write_text("secret")
    assert status(f"{address}files/../secret.html") == 404
    assert status(f"{address}files/%2e%2e/secret.html") == 404
    assert status(f"{address}nothing") == 404


def test_another_port_is_taken_where_the_first_is_taken(address, outputs):
    port = int(address.rstrip("/").rpartition(":")[2])
    with dashboard(outputs, port) as another:
        assert another != address
        assert status(another) == 200


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no runs here"):
        pix2pix("dashboard", tmp_path, "--no-browser")


@needs_chromium
def test_the_page_leads_to_comparisons_and_to_the_pictures_of_three_runs_side_by_side(address, tmp_path):
    with chromium(tmp_path / "browser") as page:
        page.get(address)
        assert len(page.find_elements(By.CSS_SELECTOR, "article img")) == 3
        page.find_element(By.CSS_SELECTOR, "#comparisons a").click()
        assert "seed" in page.title + page.page_source
        page.get(f"{address}tensorboard/#images")
        WebDriverWait(page, 90).until(lambda page: len(pictures(page)) >= 3)
        assert {run_of(picture.get_property("src")) for picture in pictures(page)} == {
            f"seeds/seed={seed}/tensorboard" for seed in (1, 2, 3)
        }


def run_of(source: str) -> str:
    """The run in the key by which TensorBoard asks for a picture."""
    key = urllib.parse.parse_qs(urllib.parse.urlparse(source).query)["blob_key"][0]
    return json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))[1]


def pictures(page) -> list:
    """The loaded pictures of TensorBoard's page, which hides them in shadow trees."""
    return page.execute_script("""
        const found = [];
        const walk = root => root.querySelectorAll("*").forEach(node => {
            if (node.tagName === "IMG" && node.src.includes("individualImage") && node.naturalWidth) found.push(node);
            if (node.shadowRoot) walk(node.shadowRoot);
        });
        walk(document);
        return found;""")
