"""The page of an evaluation and the gallery of translations in a real browser, on a phone and enlarged."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from pix2pix.evaluation.evaluate import evaluate
from tests.chromium import chromium, needs_chromium
from tests.conftest import pix2pix

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        screen = {"width": 390, "height": 664, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        yield driver


def overflow(page) -> int:
    return page.execute_script("return document.documentElement.scrollWidth - innerWidth")


def shown(page, selector: str) -> list:
    return [element for element in page.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]


def sides(page) -> list[str]:
    return [name.text for name in shown(page, ".viewer-name")]


def test_an_evaluation_is_searched_sorted_and_enlarged_on_a_phone(run, phone):
    folder = evaluate(run).folder
    phone.get((folder / "index.html").as_uri())
    assert overflow(phone) == 0
    names = lambda: [row.get_attribute("data-title") for row in shown(phone, "article")]  # noqa: E731
    assert len(names()) == 3
    phone.find_element(By.CSS_SELECTOR, "option[value='l1 -1']").click()  # worst l1 first
    values = [float(row.get_attribute("data-l1")) for row in shown(phone, "article")]
    assert values == sorted(values, reverse=True)
    phone.find_element(By.ID, "search").send_keys(names()[1])
    assert len(names()) == 1
    phone.find_element(By.CSS_SELECTOR, "article:not([hidden]) figure[data-kind=output] button").click()
    assert sides(phone) == ["output", "target"]
    assert overflow(phone) == 0
    phone.find_element(By.CSS_SELECTOR, ".viewer-stage").send_keys(Keys.ESCAPE)
    phone.find_element(By.ID, "training").click()  # the sample sheets of both epochs
    assert sides(phone) == ["epoch by epoch, epoch 1", "last epoch, epoch 2"]
    phone.find_element(By.CSS_SELECTOR, ".viewer-stage").send_keys(Keys.ARROW_UP)
    assert sides(phone)[0] == "epoch by epoch, epoch 2"
    width = "return document.querySelector('.viewer-pane img').naturalWidth"
    WebDriverWait(phone, 60).until(lambda phone: phone.execute_script(width) > 0)


def test_translations_are_searched_and_enlarged_beside_their_inputs(run, phone, tmp_path):
    inputs = evaluate(run).folder / "images"
    pix2pix("translate", run.path, *sorted(inputs.glob("*_input.png")), "-o", tmp_path / "out", "--page")
    phone.get((tmp_path / "out" / "index.html").as_uri())
    assert overflow(phone) == 0
    phone.find_element(By.ID, "search").send_keys("0002")
    assert len(shown(phone, "article")) == 1
    shown(phone, ".picture")[1].click()
    assert sides(phone) == ["input", "val_0002_input.png"]
    phone.find_element(By.CSS_SELECTOR, ".viewer-stage").send_keys("s")
    assert phone.find_element(By.CSS_SELECTOR, ".viewer-stage").get_attribute("data-mode") == "side"
