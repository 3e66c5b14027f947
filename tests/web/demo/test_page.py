"""The page in a real browser: draw and see the picture change, undo, upload, slide, compare, camera, touch, keys."""

import contextlib
import os
import socket

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from pix2pix.data.images.class_colours import CMP_FACADES
from tests.conftest import TINY, pix2pix
from tests.web.demo.conftest import Page, serving


def test_it_begins_with_a_sample_translated_by_every_run(page):
    outputs = page.outputs()
    assert len(outputs) == 2
    assert all(len(np.unique(output)) > 20 for output in outputs)
    names = [name.text for name in page.browser.find_elements(By.CSS_SELECTOR, "figcaption .name")]
    assert names == ["patch16", "pixel"]


def test_a_stroke_with_a_class_changes_the_drawing_and_every_translation(page):
    before = page.outputs()
    page.choose("door")
    page.stroke((0.2, 0.2), (0.8, 0.8))
    assert page.colour(0.5, 0.5) == CMP_FACADES["door"]
    assert all((a != b).any() for a, b in zip(before, page.outputs(), strict=True))


def test_what_is_shown_is_what_the_endpoint_answers_for_the_same_drawing(page, demo, tmp_path):
    page.click("#clear")
    page.choose("window")
    page.stroke((0.3, 0.3), (0.6, 0.7))
    Image.fromarray(page.pixels()).save(tmp_path / "drawing.png")
    answer = demo.translate((tmp_path / "drawing.png").read_bytes(), "?seed=0&run=1")
    assert (page.outputs()[1] == np.asarray(answer.picture)).all()


def test_lines_and_fills_keep_to_the_colours_of_the_classes(page):
    page.click("#clear")
    for tool, name, places in (
        ("line", "cornice", [(0.01, 0.5), (0.5, 0.6), (0.99, 0.45)]),
        ("brush", "sill", [(0.2, 0.2), (0.5, 0.35), (0.8, 0.2)]),
        ("fill", "facade", [(0.5, 0.9)]),
        ("erase", "", [(0.5, 0.6), (0.5, 0.95)]),
    ):
        page.click(f"[data-tool={tool}]")
        if name:
            page.choose(name)
            page.click(f"[data-tool={tool}]")
        page.stroke(*places)
    seen = {tuple(pixel) for pixel in page.pixels().reshape(-1, 3).tolist()}
    assert seen == {CMP_FACADES[name] for name in ("background", "cornice", "sill", "facade")}
    assert page.colour(0.5, 0.8) == CMP_FACADES["background"]  # rubbed out
    assert page.colour(0.15, 0.9) == CMP_FACADES["facade"]  # filled up to the line
    assert page.colour(0.5, 0.05) == CMP_FACADES["background"]  # and not above it


def test_the_line_follows_the_pointer_and_leaves_no_trace_of_where_it_was(page):
    page.click("#clear")
    page.choose("shop")
    page.click("[data-tool=line]")
    page.stroke((0.2, 0.2), (0.8, 0.2), (0.2, 0.8))
    assert page.colour(0.8, 0.2) == CMP_FACADES["background"]
    assert page.colour(0.2, 0.5) == CMP_FACADES["shop"]


def test_a_picture_is_uploaded_and_translated(page, tmp_path):
    Image.new("RGB", (90, 60), CMP_FACADES["balcony"]).save(tmp_path / "mine.png")
    before = page.frame()
    page.find("#file").send_keys(str(tmp_path / "mine.png"))
    page.wait_for_frame(before)
    assert page.colour(0.5, 0.5) == CMP_FACADES["balcony"]
    (tmp_path / "no.png").write_bytes(b"no picture")
    page.find("#file").send_keys(str(tmp_path / "no.png"))
    page.wait_for_message("not a picture")
    labels = Image.new("RGB", (32, 32), CMP_FACADES["molding"])
    labels.paste(CMP_FACADES["facade"], (0, 0, 13, 32))
    labels.save(tmp_path / "labels.jpg", quality=80)  # with blends that are nearest to other classes
    page.find("#file").send_keys(str(tmp_path / "labels.jpg"))
    page.until(lambda: page.colour(0.1, 0.5) == CMP_FACADES["facade"])
    seen = {tuple(pixel) for pixel in page.pixels().reshape(-1, 3).tolist()}
    assert seen == {CMP_FACADES["molding"], CMP_FACADES["facade"]}
    Image.effect_noise((90, 60), 60).save(tmp_path / "photo.png")
    page.find("#file").send_keys(str(tmp_path / "photo.png"))
    page.wait_for_message("looks like a photo")


def test_each_run_says_what_it_is_and_all_none_or_one_translate(page):
    page.click("#info")
    parts = page.script("return [...document.querySelectorAll('#about section')].map((each) => each.innerText)")
    assert [part.split()[0] for part in parts] == ["patch16", "pixel"]
    assert all("UNet(" in part and "val/ssim" in part and "MIT" in part for part in parts)
    buttons = {button.text: button for button in page.browser.find_elements("css selector", "#about [type=button]")}
    for text, chosen in (("None", []), ("Only this", [1]), ("All", [0, 1])):  # of two, the last "Only this"
        buttons[text].click()
        ticked = page.script(
            "return [...document.querySelectorAll('.results figure')].map((each) => !each.matches('.off'))"
        )
        assert [number for number, is_on in enumerate(ticked) if is_on] == chosen
    page.click("#about button:last-of-type")
    page.stroke((0.1, 0.1), (0.3, 0.3))
    page.settle()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page, way):
    before = page.frame()
    page.script(
        """
        const [way, colour] = arguments;
        const canvas = new OffscreenCanvas(20, 20), context = canvas.getContext("2d");
        context.fillStyle = colour; context.fillRect(0, 0, 20, 20);
        return canvas.convertToBlob().then((blob) => {
          const data = new DataTransfer();
          data.items.add(new File([blob], "given.png", { type: "image/png" }));
          const event = way === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
          document.body.dispatchEvent(event);
        });
        """,
        way,
        "rgb({}, {}, {})".format(*CMP_FACADES["deco"]),
    )
    page.wait_for_frame(before)
    assert page.colour(0.5, 0.5) == CMP_FACADES["deco"]


def test_a_sample_brings_its_target_and_the_slider_uncovers_it(page, demo):
    page.load_sample(1)
    assert page.find("#over option[value=target]").is_enabled()
    page.compare("With the target")
    over = page.find(".over")
    assert over.is_displayed()
    target = demo.ask("GET", "/samples/1_target.png").picture.convert("RGB")
    assert (page.pixels("figure:nth-child(1) .over") == np.asarray(target)).all()

    def cut() -> float:
        return page.find(".divider").rect["x"] / page.find(".output").rect["width"] - offset

    offset = (page.find(".output").rect["x"] - 1) / page.find(".output").rect["width"]
    page.find("#cut").send_keys(Keys.HOME)
    assert cut() == pytest.approx(0, abs=0.01)
    stage = page.find("#results .stage")
    width = stage.size["width"]
    chain = ActionChains(page.browser).move_to_element(stage).click_and_hold()
    chain.move_by_offset(width // 4, 0).release().perform()
    assert cut() == pytest.approx(0.75, abs=0.02)


def test_runs_are_compared_with_each_other_and_can_be_left_out(page):
    page.compare("With pixel")
    page.settle()
    assert (page.pixels("figure:nth-child(1) .over") == page.outputs()[1]).all()
    box = page.find("figure:nth-child(2) input[type=checkbox]")
    box.click()
    before = page.outputs()
    page.choose("shop")
    page.stroke((0.1, 0.1), (0.9, 0.9))
    after = page.outputs()
    assert (before[0] != after[0]).any()
    assert (before[1] == after[1]).all()
    box.click()
    page.settle()
    assert (before[1] != page.outputs()[1]).any()


def test_other_noise_makes_another_picture_of_the_same_drawing(page):
    drawing, before, frame = page.pixels(), page.outputs()[0], page.frame()
    page.click("#noise")
    page.wait_for_frame(frame)
    assert (page.pixels() == drawing).all()
    assert (page.outputs()[0] != before).any()


def test_the_translation_is_downloaded_as_it_is(page):
    page.script(
        """
        HTMLAnchorElement.prototype.click = function () { window.saved = this.download; };
        URL.createObjectURL = (blob) => {
          createImageBitmap(blob).then((it) => { window.size = [it.width, it.height]; });
          return "#";
        };
        """
    )
    page.click("figure .ghost")
    page.until(lambda: page.script("return window.size") == [32, 32])
    assert page.script("return window.saved") == "patch16.png"
    page.click("#save")
    page.until(lambda: page.script("return window.size[0]") == 1080)  # a card


def test_frames_and_delay_are_shown(page):
    page.choose("window")
    page.click("[data-tool=brush]")

    def is_shown() -> bool:  # two frames within 1.5 seconds: a busy machine may need several strokes
        page.stroke(*[(0.1 + 0.08 * step, 0.5) for step in range(10)])
        return page.find("#rate").text[0].isdigit()

    page.until(is_shown)
    assert float(page.find("#rate").text) > 0
    assert float(page.find("#delay").text) > 0


def test_every_control_has_a_name_and_every_picture_a_text(page):
    controls = page.browser.find_elements(By.CSS_SELECTOR, "input, select, button")
    assert all(control.accessible_name for control in controls if control.is_displayed())
    pictures = page.browser.find_elements(By.CSS_SELECTOR, "main img")
    assert pictures
    assert all(picture.get_attribute("alt") for picture in pictures)
    assert page.find("#drawing").accessible_name.startswith("Canvas")


def test_light_and_dark_follow_the_button(page):
    ground = lambda: page.script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    before = ground()
    page.click("#theme")
    assert ground() != before
    page.click("#theme")
    assert ground() == before


def find_port() -> int:
    """A free port below those that the system gives out, so that nothing takes it while nobody listens."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")


def test_a_demo_that_comes_back_is_found_again(browser, two_runs):
    port = find_port()
    with serving(two_runs[0], port=port) as served:
        page = Page(browser, served.address)
    page.until(lambda: "Disconnected" in page.find("#veil").text)
    frame = page.frame()
    page.click("#clear")
    with serving(two_runs[0], port=port):
        page.until(lambda: page.frame() > frame)
        assert not page.find("#veil").is_displayed()


def test_a_photo_or_the_camera_is_drawn_over_and_the_eraser_brings_it_back(browser, photo_run):
    with serving(photo_run) as served:
        page = Page(browser, served.address)
        before, (translated,) = page.pixels(), page.outputs()
        page.choose("red")
        page.click("[data-tool=rectangle]")
        page.stroke((0.1, 0.1), (0.9, 0.9))
        assert (page.outputs()[0] != translated).any()
        page.click("[data-tool=erase]")
        page.stroke((0.05, 0.5), (0.95, 0.5))
        middle = page.pixels().shape[0] // 2
        assert (page.pixels()[middle] == before[middle]).all()
        assert (page.pixels() != before).any()
        frame = page.frame()
        page.click("#camera")
        page.until(lambda: page.frame() > frame + 4)  # each is a picture of the camera
        page.click("#camera")
        page.settle()
        assert len(np.unique(page.pixels().reshape(-1, 3), axis=0)) > 5  # a picture in colours, no edges
        page.close()


@pytest.fixture(scope="module")
def edge_run(tmp_path_factory):
    """A run from edges to pictures."""
    pytest.importorskip("cv2")
    folder = tmp_path_factory.mktemp("edges")
    (folder / "pictures").mkdir()
    for number in range(6):
        picture = Image.new("RGB", (32, 32), "#7fa8d0")
        picture.paste("#b0402f", (4 + number, 8, 20 + number, 30))
        picture.save(folder / "pictures" / f"{number}.png")
    tiny = [word for word in TINY if "_pairs=" not in word]
    data = ["data=derived", f"data.path={folder}/pictures", "data.operation=edges", "data.num_workers=0"]
    pix2pix("train", *data, *tiny, "trainer.max_epochs=1", f"output_dir={folder}", "name=edges")
    return folder / "edges"


def test_the_camera_gives_an_edge_model_its_edges_until_it_is_stopped(browser, edge_run):
    with serving(edge_run) as served:
        page = Page(browser, served.address)
        assert page.script("return document.body.dataset.kind") == "edges"
        before = page.frame()
        page.click("#camera")
        page.until(lambda: page.frame() > before + 4)
        page.click("#camera")
        page.settle()
        pixels = page.pixels()
        assert set(np.unique(pixels)) == {0, 255}
        assert 0.005 < (pixels[..., 0] == 0).mean() < 0.5
        frame = page.frame()
        page.click("[data-tool=brush]")
        page.stroke((0.1, 0.1), (0.9, 0.2))  # the last picture stays, to be drawn on
        assert page.frame() > frame
        page.close()
