"""How far the page of a demo moves while it loads: Chromium's cumulative layout shift, which should stay under 0.1.

    pix2pix demo outputs/facades --port 8000 --no-browser &
    python benchmarks/layout_shift.py http://127.0.0.1:8000/

Needs chromium, chromedriver and selenium.
"""

import argparse

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.benchmark_static_demo import LOADING, browser

SIZES = [(390, 664), (844, 390), (800, 600), (1024, 768), (1440, 900), (2560, 1440)]  # width, height
OBSERVE = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def main() -> None:
    """Prints a line for each size of the window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of a demo, or of a static page")
    address = parser.parse_args().address
    with browser() as chrome:
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": OBSERVE})
        for width, height in SIZES:
            print(f"{width}x{height}: {measure_shift(chrome, address, width, height):.4f}")


def measure_shift(chrome: webdriver.Chrome, address: str, width: int, height: int) -> float:
    """The shift from the start until the first translation is shown."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get("about:blank")
    chrome.get(address)
    WebDriverWait(chrome, LOADING).until(lambda page: page.execute_script("return document.body.dataset.frame"))
    return float(chrome.execute_script("return window.shift"))


if __name__ == "__main__":
    main()
