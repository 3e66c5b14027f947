"""The comparison page in a real browser: sort, show and hide, zoom, slide."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.chromium import chromium, needs_chromium
from tests.evaluation.test_load_comparison import sweep  # noqa: F401

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def page(browser, sweep):  # noqa: F811
    browser.get("about:blank")  # so that the wait below cannot be answered by the page of the test before
    browser.get(f"file://{sweep / 'comparison.html'}")
    WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#plot .main-svg"))  # drawn last
    yield browser
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def column(page, number: int) -> list[str]:
    return [
        row.find_elements(By.TAG_NAME, "td")[number].text
        for row in page.find_elements(By.CSS_SELECTOR, "#table tbody tr")
    ]


def test_a_click_on_a_column_sorts_and_another_turns_it_round(page):
    button = page.find_element(By.XPATH, "//th/button[starts-with(text(), 'l1')]")
    values = lambda: [float(text.removeprefix("★ ").split()[0]) for text in column(page, 3)]  # noqa: E731
    button.click()
    assert values() == sorted(values())
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.ENTER)  # the keyboard does the same
    assert values() == sorted(values(), reverse=True)


def test_hiding_a_run_takes_it_from_curves_and_pictures(page):
    lines = lambda: page.execute_script("return document.getElementById('plot').data.length")  # noqa: E731
    heads = lambda: [h.text for h in page.find_elements(By.CSS_SELECTOR, ".cell.head") if h.is_displayed()]  # noqa: E731
    assert lines() == 4
    assert heads() == ["input", "patch16", "pixel", "target"]
    box = page.find_element(By.CSS_SELECTOR, "[aria-label='show pixel']")
    box.click()
    assert lines() == 2
    assert heads() == ["input", "patch16", "target"]
    box.click()
    assert lines() == 4


def test_seeds_can_be_drawn_as_their_mean(page):
    page.find_element(By.ID, "seeds").click()
    assert page.execute_script("return document.getElementById('plot').data.length") == 2


def test_a_picture_is_enlarged_and_slides_over_any_other(page):
    picture = page.find_element(By.CSS_SELECTOR, "#pictures button img[alt^='pixel']")
    page.execute_script("arguments[0].scrollIntoView()", picture)
    picture.find_element(By.XPATH, "..").send_keys(Keys.ENTER)
    assert page.find_element(By.ID, "zoom").get_attribute("open") is not None
    under, over = page.find_element(By.ID, "under"), page.find_element(By.ID, "over")
    assert (under.get_attribute("alt"), over.get_attribute("alt")) == ("pixel", "target")
    assert page.execute_script("return arguments[0].naturalWidth", under) == 32
    page.find_element(By.ID, "cut").send_keys(Keys.HOME)
    assert "0%" in page.find_element(By.CSS_SELECTOR, ".stage").get_attribute("style")
    page.find_element(By.ID, "right").send_keys("input")
    assert over.get_attribute("alt") == "input"
    page.find_element(By.ID, "zoom").send_keys(Keys.ESCAPE)
    assert page.find_element(By.ID, "zoom").get_attribute("open") is None


def test_every_picture_has_a_text_and_every_control_a_name(page):
    pictures = page.find_elements(By.CSS_SELECTOR, "#pictures img")
    assert pictures
    assert all(picture.get_attribute("alt") for picture in pictures)
    controls = page.find_elements(By.CSS_SELECTOR, "input, select, button")
    assert all(control.accessible_name for control in controls if control.is_displayed())
