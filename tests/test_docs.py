"""The pages: their links lead somewhere, and the index knows them all."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

import pix2pix as public
from tests.conftest import forget_package, pix2pix

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, ROOT / "benchmarks" / "README.md"]


def links(page: Path) -> list[str]:
    """The links of a page to files and headings here."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_link_leads_somewhere(page):
    for link in links(page):
        name, _, anchor = link.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), link
        assert not anchor or anchor in headings(there), link


def test_the_index_has_each_page_once():
    index = ROOT / "docs" / "index.md"
    assert sorted(link for link in links(index) if link.endswith(".md") and "/" not in link) == [
        page.name for page in DOCS if page != index
    ]


def test_the_readme_leads_to_the_index():
    assert "docs/index.md" in links(ROOT / "README.md")


def test_the_citation_names_the_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == public.__version__
    assert citation["preferred-citation"]["url"] in (ROOT / "README.md").read_text()


def test_the_architecture_page_names_modules_and_packages_that_exist():
    text = re.sub(r"```.*?```", "", (ROOT / "docs" / "architecture.md").read_text(), flags=re.DOTALL)
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", text))
    assert len(named) > 30
    tree = [ROOT / top for top in ("pix2pix", "configs", "examples", "hydra_plugins", "scripts", "benchmarks", "tests")]
    tree += [path for top in (tree[0], tree[-1]) for path in top.rglob("*") if path.suffix == ".py" or path.is_dir()]
    existing = [f"/{path.relative_to(ROOT).as_posix()}" + "/" * path.is_dir() for path in tree]
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in existing)] == []


def test_the_loss_of_the_architecture_page_trains(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "architecture.md").read_text()
    (loss,), (settings,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("python", "yaml"))
    for name, content in {"mylab/losses.py": loss, "configs/objective/adversarial/smoothed.yaml": settings}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (command,) = re.findall(r"^PYTHONPATH=\. pix2pix (.*)$", text, re.MULTILINE)
    small = ("data.size=64", "generator.base_channels=4", "discriminator.base_channels=4", "trainer.max_epochs=1")
    with forget_package("mylab"):
        pix2pix(*command.split(), *small, "trainer.limit_train_batches=2", "trainer.limit_val_batches=2")
    assert "_target_: mylab.losses.Smoothed" in (tmp_path / "outputs" / "smoothed" / "config.yaml").read_text()


def test_the_reference_of_python_is_made_of_the_docstrings_of_all_public_names():
    make_api_page = runpy.run_path(str(ROOT / "scripts" / "make_api_page.py"))
    assert (ROOT / "docs" / "api.md").read_text() == make_api_page["render_page"](), "python scripts/make_api_page.py"
    assert make_api_page["NAMES"].keys() == {*public.__all__} - {"__version__"}


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*smaller than the logging interval.*")
def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    cells = json.loads((ROOT / "docs" / "getting_started.ipynb").read_text())["cells"]
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    names: dict[str, Any] = {"display": shown.append}
    for cell in cells:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).replace("from IPython.display import display\n", "")
            exec(lines, names)
    assert names["photo"].size == (256, 256)
    assert len(shown) == 1
    assert "l1 0." in capsys.readouterr().out
