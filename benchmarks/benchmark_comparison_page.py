"""How fast the page of `pix2pix compare` is with many runs, in headless Chromium.

python -m benchmarks.benchmark_comparison_page
python -m benchmarks.benchmark_comparison_page --page outputs/SWEEP/comparison.html

Without --page it trains one tiny run, copies it to 210 (5 discriminators x 14 weights of L1 x 3 seeds), and compares
them. Every time is from the click until the browser has painted the result, where nothing else is said; medians and
ranges of 15 clicks.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.machine import describe_machine
from benchmarks.many_runs import FIELDS, copy_runs
from pix2pix.core.errors import exit_with_message
from tests.chromium import chromium

WEIGHTS, SEEDS, CLICKS = range(10, 150, 10), 3, 15
TINY = ["data.size=64", "data.source.train_pairs=48", "data.source.val_pairs=8", "generator.base_channels=8"]
TINY += ["discriminator.base_channels=8", "discriminator.receptive_field=16", "trainer.max_epochs=6", "name=run"]
TINY += ["trainer.log_every_n_steps=1", "data.batch_size=1", "trainer=cpu", "logger=csv"]
# Resolves after the frame in which the page has answered a click is painted.
TIME_CLICK = """
const [target, done] = arguments, begin = performance.now();
target.click();
requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now() - begin);
  channel.port2.postMessage(0);
});
"""
# The page answers a click in the next frame: what it computes there, and the layout that follows, without the painting.
TIME_WORK = """
const [target, done] = arguments;
let begin;
requestAnimationFrame(() => { begin = performance.now(); });
target.click();
requestAnimationFrame(() => { document.body.offsetHeight; done(performance.now() - begin); });
"""
NAVIGATION = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
HAS_PICTURE = "return [...document.querySelectorAll('#pictures img')].some((image) => image.naturalWidth)"


def make_page(folder: Path) -> Path:
    """The comparison of 210 copies of a tiny run."""
    command = [sys.executable, "-m", "pix2pix.cli"]
    subprocess.run([*command, "train", *TINY, f"output_dir={folder}"], check=True)
    subprocess.run([*command, "evaluate", folder / "run"], check=True)
    copy_runs(folder / "run", folder / "sweep", weights=WEIGHTS, seeds=SEEDS, fields=list(FIELDS))
    begin = time.perf_counter()
    subprocess.run([*command, "compare", folder / "sweep", "--no-evaluate"], check=True, stdout=subprocess.DEVNULL)
    print(f"pix2pix compare --no-evaluate: {time.perf_counter() - begin:.1f} s")
    return folder / "sweep" / "comparison.html"


def time_clicks(browser: WebDriver, selector: str, script: str = TIME_CLICK) -> str:
    """Milliseconds of clicks on the first such element, back and forth: the median, and the range."""
    times = []
    for _ in range(CLICKS):
        box = browser.find_element(By.CSS_SELECTOR, selector)
        times.append(browser.execute_async_script(script, box))
        browser.execute_async_script(script, box)  # back again
    return f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})"


def measure(browser: WebDriver, page: Path) -> dict[str, Any]:
    """Sizes and times of a page."""
    browser.set_window_size(1440, 900)
    browser.get(page.resolve().as_uri())
    WebDriverWait(browser, 60).until(lambda browser: browser.execute_script(HAS_PICTURE))
    results: dict[str, Any] = {"page, MB": page.stat().st_size / 1e6}
    results["page parsed and drawn, ms"] = browser.execute_script(NAVIGATION)
    ticked = "#table tbody tr:not([hidden]) input:checked"
    results["hide one of the first 12, ms"] = time_clicks(browser, ticked)
    results["... script and layout, ms"] = time_clicks(browser, ticked, TIME_WORK)
    everything = [browser.find_element(By.ID, name) for name in ("all", "best")]
    results["show all, ms"] = browser.execute_async_script(TIME_CLICK, everything[0])
    results["hide one of all, ms"] = time_clicks(browser, ticked)
    results["show the best 12, ms"] = browser.execute_async_script(TIME_CLICK, everything[1])
    results["sort by a metric, ms"] = time_clicks(browser, "#table th[data-metric] button")
    return results


def main() -> None:
    """Measures, and prints the machine and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="a page of pix2pix compare; default: one of 210 runs is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        page = arguments.page or make_page(Path(name))
        with chromium(Path(name) / "browser") as browser:
            results = measure(browser, page)
    print(json.dumps(describe_machine()))
    for what, value in results.items():
        print(f"{what:<32}{value if isinstance(value, str) else f'{value:.3g}'}")


if __name__ == "__main__":
    with exit_with_message():
        main()
