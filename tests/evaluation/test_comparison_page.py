"""The comparison page in a real browser: few runs and 210, search, show and hide, sort, enlarge, settings."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from benchmarks.many_runs import FIELDS, copy_runs
from pix2pix.evaluation.compare import compare
from tests.chromium import chromium, needs_chromium

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def many(sweep, tmp_path_factory):
    """The page of 210 runs: 5 discriminators, 14 weights, 3 seeds."""
    folder = tmp_path_factory.mktemp("many")
    run = sweep / "discriminator=patch16,seed=1"
    copy_runs(run, folder / "lots", weights=range(10, 150, 10), seeds=3, fields=list(FIELDS))
    compare(folder / "lots", page=folder / "comparison.html", pictures=2, evaluate=False)
    return folder / "comparison.html"


@pytest.fixture
def page(browser, sweep):
    yield from open_page(browser, sweep / "comparison.html")


@pytest.fixture
def large(browser, many):
    yield from open_page(browser, many)


def open_page(browser, file):
    browser.get("about:blank")  # so that the wait below cannot be answered by the page of the test before
    browser.get(file.as_uri())
    WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#legend button"))  # drawn last
    yield browser
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def painted(page) -> None:
    """Waits for the frame in which the page answers."""
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def texts(page, selector: str) -> list[str]:
    return page.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((e) => e.offsetParent).map((e) => e.innerText.trim())",
        selector,
    )


def colours(page, selector: str) -> list[str]:
    return page.execute_script(
        "return [...document.querySelectorAll(arguments[0])].filter((e) => e.offsetParent)"
        ".map((e) => e.style.getPropertyValue('--colour')).filter((c) => c && c !== 'transparent')",
        selector,
    )


HEADS, LEGEND, ROWS = ".row.head .cell:not(.end-left)", "#legend button", "#table tbody tr"


def test_a_click_on_a_column_puts_the_best_first_in_table_and_pictures(page):
    head = page.find_element(By.CSS_SELECTOR, "th[data-metric=l1]")
    values = lambda: page.execute_script(  # noqa: E731
        "const at = document.querySelector('th[data-metric=l1]').cellIndex;"
        "return [...document.querySelectorAll('#table tbody tr')].map((row) => Number(row.cells[at].dataset.value))"
    )
    head.find_element(By.TAG_NAME, "button").click()
    painted(page)
    assert values() == sorted(values())
    assert head.get_attribute("aria-sort") == "ascending"
    order = page.execute_script(
        "return [...document.querySelectorAll('.row.head .cell:not(.end-left)')]"
        ".sort((a, b) => a.style.getPropertyValue('--order') - b.style.getPropertyValue('--order'))"
        ".map((e) => e.innerText)"
    )
    assert order == texts(page, "#table tbody .second")
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)  # the keyboard turns it round
    assert values() == sorted(values(), reverse=True)


def test_hiding_a_run_takes_it_from_curves_and_pictures(page):
    assert texts(page, HEADS) == texts(page, LEGEND) == ["pixel", "patch16"]
    box = page.find_element(By.CSS_SELECTOR, "[aria-label='show pixel']")
    box.click()
    painted(page)
    assert texts(page, HEADS) == texts(page, LEGEND) == ["patch16"]
    box.click()
    page.find_element(By.ID, "seeds").click()
    painted(page)
    seeds = [f"{name}, seed {seed}" for name in ("pixel", "patch16") for seed in (1, 2)]
    assert texts(page, LEGEND) == seeds


def test_210_runs_begin_with_the_best_twelve_each_in_a_colour_of_its_own(large):
    assert large.find_element(By.ID, "count").text == "12 of 70 shown"
    assert not large.find_elements(By.CSS_SELECTOR, ".crumbs")  # no dashboard serves this file
    assert len(texts(large, ROWS)) == 70
    assert [len(texts(large, selector)) for selector in (HEADS, LEGEND)] == [12, 12]
    of_rows = colours(large, f"{ROWS}")
    assert len({*of_rows}) == 12
    assert colours(large, HEADS) == of_rows  # in the order of the table
    assert colours(large, f"{LEGEND} .swatch") == of_rows
    labels = texts(large, HEADS)
    assert all("objective." not in label and "discriminator=" not in label for label in labels)
    first = large.execute_script(
        "return [...document.querySelectorAll('#table tbody .second')].map((e) => e.innerText)"
    )
    assert list(dict.fromkeys(first)) == list(FIELDS)  # by receptive field
    width = large.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0


def test_search_and_chips_choose_among_210_runs(large):
    search = large.find_element(By.ID, "search")
    search.send_keys("discriminator=pixel")
    painted(large)
    assert (len(texts(large, ROWS)), len(texts(large, HEADS))) == (14, 12)
    search.send_keys(" l1_weight=30")
    painted(large)
    assert texts(large, HEADS) == ["pixel · l1_weight=30"]
    search.clear()
    search.send_keys("l1<0")
    painted(large)
    assert texts(large, ROWS) == []
    search.clear()
    search.send_keys(" ")
    for text in ("patch16", "patch34", "40"):
        large.find_element(By.XPATH, f"//div[@id='chips']//button[text()='{text}']").click()
    painted(large)
    assert sorted(texts(large, HEADS)) == ["patch16 · l1_weight=40", "patch34 · l1_weight=40"]
    large.find_element(By.ID, "none").click()
    painted(large)
    assert texts(large, LEGEND) == []
    only = large.find_element(By.CSS_SELECTOR, "[aria-label='show only patch34 · l1_weight=40']")
    large.execute_script("arguments[0].click()", only)
    painted(large)
    assert texts(large, HEADS) == texts(large, LEGEND) == ["patch34 · l1_weight=40"]


def test_heads_and_the_ends_of_a_row_stay_in_sight(large):
    large.execute_script("const box = document.getElementById('pictures'); box.scrollLeft = 600; box.scrollTop = 40;")
    painted(large)
    inside = """
        const box = document.getElementById('pictures').getBoundingClientRect();
        return [...document.querySelectorAll('.row.head .end-left, .row:nth-child(2) .end-left')]
            .map((e) => e.getBoundingClientRect().left - box.left).every((left) => left > -1 && left < 400);"""
    assert large.execute_script(inside)
    large.execute_script("const box = document.querySelector('.numbers'); box.scrollTop = 900; box.scrollLeft = 300;")
    top, left = large.execute_script(
        "const box = document.querySelector('.numbers').getBoundingClientRect();"
        "const head = document.querySelector('#table th.second').getBoundingClientRect();"
        "return [head.top - box.top, head.left - box.left]"
    )
    assert abs(top) < 2
    assert left < 120


def test_settings_are_a_row_for_each_run_and_can_be_searched(large):
    large.execute_script("document.getElementById('settings').open = true")
    painted(large)
    heads, rows = "#settings-table thead th", "#settings-table tbody tr"
    assert texts(large, heads) == ["run", "discriminator.receptive_field", "objective.l1_weight", "seed"]
    assert len(texts(large, rows)) == 12 * 3
    large.find_element(By.ID, "only-differing").click()
    large.find_element(By.ID, "settings-search").send_keys("batch_size")
    assert texts(large, heads) == ["run", "data.batch_size"]


def test_a_picture_is_enlarged_and_compared_with_any_other(page):
    picture = page.find_element(By.CSS_SELECTOR, "#pictures .picture img[alt^='pixel']")
    page.execute_script("arguments[0].scrollIntoView()", picture)
    picture.find_element(By.XPATH, "..").send_keys(Keys.ENTER)
    dialog, stage = (page.find_element(By.CSS_SELECTOR, name) for name in (".viewer", ".viewer-stage"))
    sides = page.find_elements(By.CSS_SELECTOR, ".viewer-pane img")
    names = lambda: [side.get_attribute("alt") for side in sides]  # noqa: E731
    assert dialog.get_attribute("open") is not None
    assert names() == texts(page, ".viewer-name") == ["pixel", "target"]
    style = lambda name: page.execute_script("return arguments[0].style.getPropertyValue(arguments[1])", stage, name)  # noqa: E731
    WebDriverWait(page, 60).until(lambda _: style("--aspect") == "1")  # the stage has the shape of the loaded picture
    ActionChains(page).drag_and_drop_by_offset(stage, stage.rect["width"] / 4, 0).perform()  # from the middle
    assert float(style("--cut").rstrip("%")) == pytest.approx(75, abs=2)
    first = page.find_element(By.ID, "viewer-title").text
    stage.send_keys(Keys.ARROW_RIGHT)  # the next input
    assert page.find_element(By.ID, "viewer-title").text != first
    stage.send_keys("+", "d")
    assert stage.get_attribute("data-mode") == "difference"
    assert style("--zoom") == "2"
    Select(page.find_element(By.CSS_SELECTOR, ".viewer select:last-of-type")).select_by_visible_text("input")
    assert names()[1] == "input"
    outside = ActionBuilder(page)
    outside.pointer_action.move_to_location(3, 3).click()
    outside.perform()
    assert dialog.get_attribute("open") is None


def test_samples_of_the_training_can_be_watched_epoch_by_epoch(page):
    page.find_element(By.XPATH, "//button[text()='During training']").click()
    painted(page)
    assert texts(page, HEADS) == ["pixel", "patch16"]
    assert page.find_element(By.ID, "epoch-text").text == "1"  # these runs have one epoch


def test_every_picture_has_a_text_and_every_control_a_name(page):
    pictures = page.find_elements(By.CSS_SELECTOR, "#pictures img")
    assert pictures
    assert all(picture.get_attribute("alt") for picture in pictures)
    controls = page.find_elements(By.CSS_SELECTOR, "input, select, button")
    assert all(control.accessible_name for control in controls if control.is_displayed())
