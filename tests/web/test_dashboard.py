"""`pix2pix dashboard`: one page for a folder of runs, in a real browser."""

import base64
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

import pix2pix.web.dashboard as dashboard_module
from pix2pix.runs.run import Run
from pix2pix.web.dashboard import FrontPage, add_front_page
from pix2pix.web.run_cards import make_card
from pix2pix.web.tensorboard import RunLinks
from tests.chromium import chromium, needs_chromium
from tests.conftest import TINY, pix2pix, start_command


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Three runs side by side and their comparison."""
    folder = tmp_path_factory.mktemp("outputs")
    for seed in (1, 2, 3):
        pix2pix("train", *TINY, f"run_dir='{folder}/seeds/seed={seed}'", f"seed={seed}", "trainer.max_epochs=1")
        file = folder / "seeds" / f"seed={seed}" / "provenance.json"
        content = json.loads(file.read_text())
        content["sessions"][0]["started"] = f"2026-01-01T00:00:0{seed}+00:00"  # they may begin in the same second
        file.write_text(json.dumps(content))
    pix2pix("compare", folder / "seeds")
    return folder


@contextmanager
def dashboard(outputs: Path, port: int) -> Iterator[str]:
    """The command in a process of its own; gives the address that it says."""
    words = ("dashboard", outputs, "--no-browser", "--port", port)
    with start_command(*words, stderr=subprocess.DEVNULL) as process:
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
    shown = make_card(run, run.path.parent)
    assert shown.sample == Path("tiny/samples/val_epoch0099.png")
    assert shown.problems == ()


def request(
    outputs: Path, path: str, host: str = "127.0.0.1:6006", method: str = "GET", **headers: str
) -> TestResponse:
    """What the page's server answers, with a TensorBoard that greets."""
    application = add_front_page(Response("TensorBoard"), FrontPage(outputs))
    words = {"method": method, "base_url": "http://127.0.0.1", "headers": {"Host": host, **headers}}
    return Client(application).open(path, buffered=True, **words)


def listed(outputs: Path) -> list[dict]:
    """The rows of the table."""
    return json.loads(request(outputs, "/runs.json").text)["runs"]


@pytest.mark.parametrize(
    "path", ["/", "/runs.json", "/tensorboard/data/environment", "/files/tiny/samples/val_epoch0001.png", "/x"]
)
def test_a_name_that_was_bent_to_this_machine_is_turned_away(run, path):
    for host in ("evil.example", "evil.example:6006", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1"):
        assert request(run.path.parent, path, host).status_code == 403
    for host in ("127.0.0.1:6006", "localhost:6006", "[::1]:6006", socket.gethostname()):
        assert request(run.path.parent, path, host).status_code == (404 if path == "/x" else 200)


def test_a_page_from_elsewhere_cannot_post_to_tensorboard(run):
    assert request(run.path.parent, "/demo", method="POST", Origin="null").status_code == 403
    post = {"path": "/tensorboard/data/plugin/timeseries/timeSeries", "method": "POST"}
    assert request(run.path.parent, **post, Origin="http://evil.example").status_code == 403
    assert request(run.path.parent, **post, Origin="http://127.0.0.1:6006").status_code == 200


def test_a_page_that_a_run_brought_along_runs_apart_from_all_others(run):
    (run.path / "evaluation" / "val").mkdir(parents=True)
    (run.path / "evaluation" / "val" / "index.html").write_text("<script>fetch('/')</script>")
    answer = request(run.path.parent, "/files/tiny/evaluation/val/index.html")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
    answer = request(run.path.parent, "/")
    policy = answer.headers["Content-Security-Policy"]
    (nonce,) = re.findall(r"script-src 'nonce-([^']+)';", policy)  # no other script runs on the page
    assert f'<script nonce="{nonce}">' in answer.text
    assert "default-src 'none'" in policy


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def make_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES = {
    "samples/val_epoch0002.png": [cut, make_pipe, lambda file: file.write_bytes(b"")],
    "provenance.json": [
        cut,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text('{"finished": true, "best": {"val/ssim": "high"}}'),
        lambda file: file.write_text("[" * 10**5),
        lambda file: file.write_bytes(b"\xff\xfe"),
    ],
    "config.yaml": [
        lambda file: file.write_text("data: {"),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff\xfe\x00"),
        make_pipe,
    ],
    "metrics.csv": [lambda file: file.write_bytes(bytes(range(256))), lambda file: file.write_text("1,2,3\n4,5,6\n")],
}


@pytest.mark.parametrize(
    ("name", "damage"), [(name, damage) for name, damages in DAMAGES.items() for damage in damages]
)
def test_one_damaged_file_of_one_run_is_named_and_takes_nothing_else_down(run, caplog, name, damage):
    shutil.copytree(run.path, run.path.with_name("other"))
    file = run.path.with_name("other") / name
    damage(file)
    assert request(run.path.parent, "/").status_code == 200
    runs = {each["name"]: each for each in listed(run.path.parent)}
    assert runs.keys() == {"tiny", "other"}
    assert runs["tiny"]["problems"] == []
    assert str(file) in " ".join(runs["other"]["problems"])
    assert [record for record in caplog.records if str(file) in record.getMessage()]


def test_of_a_run_whose_last_sheet_is_damaged_the_one_before_is_shown(run):
    cut(run.path / "samples" / "val_epoch0002.png")
    assert make_card(run, run.path.parent).sample == Path("tiny/samples/val_epoch0001.png")


def test_a_fault_is_told_once_in_the_terminal(run, caplog):
    cut(run.path / "samples" / "val_epoch0002.png")
    for _ in range(3):
        FrontPage(run.path.parent).collect()
    assert caplog.text.count("val_epoch0002.png: cannot be read") == 1


def test_runs_that_lie_elsewhere_or_have_odd_names_are_shown(run, tmp_path):
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copytree(run.path, os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    (run.path / "samples").rename(tmp_path / "samples")
    (run.path / "samples").symlink_to(tmp_path / "samples")
    run.path.rename(folder / "moved")
    odd, moved = listed(folder)
    assert odd["name"] == "caf\\xe9"
    assert moved["sheets"][-1] == {"at": 2, "source": "/files/moved/samples/val_epoch0002.png"}
    assert request(folder, "/files/moved/samples/val_epoch0002.png").status_code == 200


def test_a_folder_whose_runs_were_all_removed_is_an_empty_page(tmp_path):
    assert request(tmp_path, "/").status_code == 200
    assert listed(tmp_path) == []


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


def test_a_run_is_described_by_state_best_value_and_what_differs(outputs):
    first, *_ = listed(outputs)
    assert (first["name"], first["differs"], first["state"]["text"]) == ("seeds/seed=1", "seed=1", "finished")
    assert first["best"].keys() == {"val/ssim"}
    assert [sheet["at"] for sheet in first["sheets"]] == [1]


def test_the_script_reads_only_what_a_state_has(outputs):
    script = Path(dashboard_module.__file__).with_name("dashboard.js").read_text(encoding="utf-8")
    read = set(re.findall(r"\bstate\.(\w+)", script))
    assert read
    assert read <= listed(outputs)[0]["state"].keys()


def test_a_finished_run_is_read_again_when_its_files_change(run):
    page = FrontPage(run.path.parent)
    (before,) = page.collect()["runs"]
    assert page.collect()["runs"] == [before]
    sheet = run.path / "samples" / "val_epoch0002.png"
    shutil.copyfile(sheet, sheet.with_name("val_epoch0003.png"))
    (after,) = page.collect()["runs"]
    assert [each["at"] for each in after["sheets"]] == [1, 2, 3]
    run.provenance_file.write_text(json.dumps(run.provenance() | {"finished": False}))
    assert page.collect()["runs"][0]["state"]["kind"] == "stopped"


def test_a_value_that_is_no_number_is_left_out_of_the_live_table(run):
    run.provenance_file.write_text(json.dumps(run.provenance() | {"finished": False}))
    file = run.path / "metrics.csv"
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[-1]["val/ssim"] = "nan"
    with file.open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    answer = FrontPage(run.path.parent).list_runs(Request.from_values("/runs.json"))
    (row,) = json.loads(answer.get_data(as_text=True), parse_constant=pytest.fail)["runs"]
    assert row["best"] == {}


def test_chosen_runs_are_compared_and_others_refused(outputs):
    page = request(outputs, "/compare?run=seeds/seed=1&run=seeds/seed=3")
    assert "<title>2 runs compared</title>" in page.text
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    for query in ("", "?run=../secret"):
        assert request(outputs, f"/compare{query}").status_code == 400


def test_a_demo_of_chosen_runs_starts_once_and_ends_with_the_dashboard(outputs):
    page = FrontPage(outputs, demo_options=["--checkpoint=best"])
    runs = [outputs / "seeds" / "seed=1"]
    try:
        first, again = page.demos.start(runs), page.demos.start(runs)
        assert first == again
        with urllib.request.urlopen(f"{first}runs") as answer:
            assert json.load(answer)["runs"][0]["checkpoint"] == "best.ckpt"
    finally:
        page.demos.stop()
    with pytest.raises(urllib.error.URLError):
        status(first)
    with pytest.raises(ValueError, match="nothing: there is no such folder"):
        page.demos.start([outputs / "nothing"])


def test_the_terminal_shows_the_address_and_no_notices_of_tensorboard(outputs):
    with start_command("dashboard", outputs, "--no-browser", "--port", 0) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.terminate()
        said = process.communicate()[1]
    assert "Server binary" not in said
    assert "NOTE" not in said


def test_links_for_tensorboard_never_lead_into_another_runs_files(run):
    for folder in (run.path, run.path / "inner"):
        (folder / "tensorboard").mkdir(parents=True, exist_ok=True)
    links = RunLinks(run.path.parent)
    links.update([Run(run.path), Run(run.path / "inner")])
    assert sorted(path.name for path in links.logdir.iterdir()) == ["tiny", "tiny + inner"]
    assert not (run.path / "tensorboard" / "inner").exists()


@needs_chromium
def test_the_live_table_leads_to_comparisons_samples_and_the_runs_pictures(address, outputs, tmp_path):
    with chromium(tmp_path / "browser") as page:
        page.get(address)
        stopped = lambda page: page.find_elements(By.CSS_SELECTOR, "tr .state.stopped")  # noqa: E731
        assert len(names(page)) == 3
        provenance = outputs / "seeds" / "seed=2" / "provenance.json"
        before = provenance.read_text()
        provenance.write_text(json.dumps(json.loads(before) | {"finished": False}))
        WebDriverWait(page, 90).until(stopped)
        provenance.write_text(before)
        WebDriverWait(page, 90).until_not(stopped)
        page.find_element(By.ID, "search").send_keys("seed=3")
        assert names(page) == ["seeds/seed=3"]
        page.find_element(By.CSS_SELECTOR, "td .picture").click()
        assert page.find_element(By.ID, "viewer-title").text == "seeds/seed=3"
        page.find_element(By.CSS_SELECTOR, ".viewer-stage").send_keys(Keys.ESCAPE)
        page.find_element(By.CSS_SELECTOR, "td input").click()
        assert "runFilter=%5E(seeds%2Fseed%3D3)%24" in page.find_element(By.ID, "tensorboard").get_attribute("href")
        page.find_element(By.CSS_SELECTOR, "#comparisons a").click()
        assert go_back(page) == ["Dashboard", "seeds", "comparison"]
        assert len(names(page)) == 3
        page.find_element(By.CSS_SELECTOR, "td a").click()
        assert go_back(page) == ["Dashboard", "seeds/seed=3", "evaluation on val"]  # the newest run is the first
        assert names(page) == ["seeds/seed=3"]
        page.get(f"{address}tensorboard/#images")
        runs = {f"seeds/seed={seed}" for seed in (1, 2, 3)}
        WebDriverWait(page, 90).until(lambda page: {run_of(source) for source in pictures(page)} == runs)
        missing = [entry["message"] for entry in page.get_log("browser") if " 404 " in entry["message"]]
        assert missing == []


def run_of(source: str) -> str:
    """The run in the key by which TensorBoard asks for a picture."""
    key = urllib.parse.parse_qs(urllib.parse.urlparse(source).query)["blob_key"][0]
    return json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))[1]


def go_back(page) -> list[str]:
    """Returns where a page of a run says it is, and follows its link to the run."""
    WebDriverWait(page, 60).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".crumbs"))
    crumbs = page.find_element(By.CSS_SELECTOR, ".crumbs")
    words = crumbs.text.split(" \u203a ")
    crumbs.find_elements(By.TAG_NAME, "a")[1].click()
    WebDriverWait(page, 60).until(names)
    return words


@needs_chromium
def test_on_a_phone_the_table_fades_at_the_right_until_its_end(address, tmp_path):
    with chromium(tmp_path / "browser") as page:
        screen = {"width": 390, "height": 664, "deviceScaleFactor": 1, "mobile": True}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        page.get(address)
        fade = "return getComputedStyle(document.querySelector('.scroll')).getPropertyValue('--fade')"
        WebDriverWait(page, 60).until(lambda page: page.execute_script(fade) == "48px")
        page.execute_script("document.querySelector('.scroll').scrollLeft = 9999")
        WebDriverWait(page, 60).until(lambda page: page.execute_script(fade) == "0px")


def names(page) -> list[str]:
    """The names in the table, read at once: the live table may make a row anew in between."""
    return page.execute_script("return [...document.querySelectorAll('td.name')].map((cell) => cell.innerText)")


def pictures(page) -> list[str]:
    """The sources of the loaded pictures of TensorBoard's page, which hides them in shadow trees."""
    return page.execute_script("""
        const found = [];
        const walk = root => root.querySelectorAll("*").forEach(node => {
            if (node.tagName === "IMG" && node.src.includes("individualImage") && node.complete) found.push(node.src);
            if (node.shadowRoot) walk(node.shadowRoot);
        });
        walk(document);
        return found;""")
