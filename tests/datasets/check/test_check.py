"""`pix2pix data check` finds each fault that is planted, names its files, and is silent about sound sets."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pix2pix.data.images.pictures import to_picture
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.synthetic.pairs import SyntheticFacades
from pix2pix.datasets.check import check as doctor
from pix2pix.datasets.check.alignment_checks import side_scores
from pix2pix.datasets.check.check import check, format_text
from pix2pix.datasets.check.measure import measure_pairs
from pix2pix.datasets.check.scan import scan_folder
from tests.conftest import DATASETS, needs_datasets, pix2pix

SIZE = 64
UPSIDE_DOWN = Image.Transpose.FLIP_TOP_BOTTOM
PAIRS = {"train": 48, "val": 12}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """Sixty drawn facades in side-by-side files; not to be changed."""
    folder = tmp_path_factory.mktemp("drawn")
    sizes = {"height": SIZE, "width": SIZE, "load_height": SIZE, "load_width": SIZE}
    source = SyntheticFacades(**sizes, direction="AtoB", train_pairs=PAIRS["train"], val_pairs=PAIRS["val"])
    for split, number in PAIRS.items():
        (folder / split).mkdir()
        pairs = source.split(split)
        for index in range(number):
            concat(*(picture(image) for image in pairs[index][:2])).save(folder / split / f"{index + 1}.png")
    return folder


@pytest.fixture
def folder(drawn, tmp_path) -> Path:
    """A copy of the drawn facades, to do with as a test likes."""
    return Path(shutil.copytree(drawn, tmp_path / "set"))


def picture(image) -> Image.Image:
    return to_picture(image.float() / 127.5 - 1)


def concat(a: Image.Image, b: Image.Image) -> Image.Image:
    both = Image.new("RGB", (a.width + b.width, a.height))
    both.paste(a, (0, 0))
    both.paste(b, (a.width, 0))
    return both


def split_halves(file: Path) -> tuple[Image.Image, Image.Image]:
    with Image.open(file) as both:
        middle = both.width // 2
        return both.crop((0, 0, middle, both.height)), both.crop((middle, 0, both.width, both.height))


def in_folders(folder: Path) -> Path:
    """The same pairs in trainA/, trainB/, valA/ and valB/."""
    for split in PAIRS:
        for file in sorted((folder / split).iterdir()):
            for name, half in zip("AB", split_halves(file), strict=True):
                (folder / f"{split}{name}").mkdir(exist_ok=True)
                half.save(folder / f"{split}{name}" / file.name)
        shutil.rmtree(folder / split)
    return folder


def find(folder: Path, **options) -> dict[str, list[str]]:
    """What the doctor finds: the names of the files by kind."""
    return {finding.kind: [file.name for file in finding.files] for finding in check(folder, **options).findings}


def test_a_sound_set_has_no_findings_and_gets_its_command(folder):
    examined = check(folder)
    assert (examined.findings, examined.is_trainable) == ([], True)
    message = "\n".join(format_text(examined))
    assert "48 train, 12 val; files of 128x64, RGB\nno problems found" in message
    assert f"pix2pix train data=folder data.path={folder} data.direction=BtoA data.size=64 name=set" in message


def test_a_folder_without_pictures_gets_one_sentence_and_no_direction(tmp_path):
    (tmp_path / "train").mkdir()
    lines = list(format_text(check(tmp_path)))
    assert lines[0] == f"{tmp_path}: no pairs"
    assert "or trainA/, trainB/ ... (other names: data.folders). Known suffixes" in lines[1]
    assert not any(line.startswith("direction") for line in lines)


@needs_datasets
@pytest.mark.parametrize(("name", "direction"), [("facades", "BtoA"), ("maps", "BtoA"), ("edges2shoes", "AtoB")])
def test_the_real_sets_are_sound(name, direction):
    """Hundreds of real pairs of three kinds: every finding here would be a false alarm."""
    examined = check(DATASETS / name)
    assert examined.findings == []
    assert examined.guess.direction == direction
    assert examined.command == f"pix2pix train experiment={name} data.root={DATASETS}"


@pytest.mark.parametrize("layout", ["train", "{}A", "A/{}", "{}/A", "unsplit"])
def test_the_doctor_finds_the_very_pairs_that_training_reads(folder, layout):
    if layout == "unsplit":
        folder = folder / "train"
    elif layout != "train":
        in_folders(folder)
        for split in PAIRS:
            for name in "AB":
                place = folder / layout.format(split).replace("A", name)
                place.parent.mkdir(exist_ok=True)
                (folder / f"{split}{name}").rename(place)
    trained = {files for split in ("train", "val") for files in PairFolder(str(folder)).split(split).files}
    assert {entry.files for entry in scan_folder(folder).pairs} == trained


def truncate(folder):
    file = folder / "train" / "3.png"
    file.write_bytes(file.read_bytes()[:-200])
    return ["3.png"]


def empty(folder):
    (folder / "val" / "2.png").write_bytes(b"")
    return ["2.png"]


def disguise(folder):
    (folder / "val" / "2.png").write_text("<html>404</html>")
    return ["2.png"]


def make_odd(folder):
    file = folder / "train" / "4.png"
    Image.open(file).resize((127, 64)).save(file)
    return ["4.png"]


def whiten(folder):
    file = folder / "train" / "5.png"
    concat(split_halves(file)[0], Image.new("RGB", (SIZE, SIZE), "white")).save(file)
    return ["5.png"]


def blacken(folder):
    file = folder / "train" / "5.png"
    concat(Image.new("RGB", (SIZE, SIZE)), split_halves(file)[1]).save(file)
    return ["5.png"]


def repeat(folder):
    file = folder / "train" / "6.png"
    concat(split_halves(file)[0], split_halves(file)[0]).save(file)
    return ["6.png"]


def leak(folder):
    shutil.copy(folder / "train" / "7.png", folder / "val" / "100.png")
    return ["7.png", "100.png"]


def leak_nearly(folder):
    copy = ImageEnhance.Brightness(Image.open(folder / "train" / "7.png")).enhance(1.03)
    copy.save(folder / "val" / "100.jpg", quality=90, subsampling=0)
    return ["7.png", "100.jpg"]


def double(folder):
    shutil.copy(folder / "train" / "7.png", folder / "train" / "100.png")
    return ["7.png", "100.png"]


def exchange(folder):
    for name in ("8.png", "20.png"):
        file = folder / "train" / name
        concat(*reversed(split_halves(file))).save(file)
    return ["8.png", "20.png"]


def see_through(folder):
    file = folder / "train" / "9.png"
    image = Image.open(file).convert("RGBA")
    image.putpixel((3, 3), (0, 0, 0, 0))
    image.save(file)
    return ["9.png"]


def deepen(folder):
    image = np.asarray(Image.open(folder / "train" / "10.png").convert("L")).astype(np.uint16) * 257
    Image.fromarray(image).save(folder / "train" / "10.png")
    return ["10.png"]


def print_colours(folder):
    (folder / "train" / "11.png").unlink()
    Image.open(folder / "train" / "12.png").transpose(UPSIDE_DOWN).convert("CMYK").save(folder / "train" / "11.jpg")
    return ["11.jpg"]


def animate(folder):
    image = Image.open(folder / "train" / "12.png")
    (folder / "train" / "12.png").unlink()
    image.save(folder / "train" / "12.webp", save_all=True, append_images=[image.rotate(90)], lossless=True)
    return ["12.webp"]


def turn(folder):
    image = Image.open(folder / "train" / "13.png").rotate(180)
    (folder / "train" / "13.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(folder / "train" / "13.jpg", exif=exif, quality=95)
    return ["13.jpg"]


def rename(folder):
    (folder / "train" / "14.png").rename(folder / "train" / "14.jpg")
    return ["14.jpg"]


def decolour(folder):
    file = folder / "train" / "15.png"
    Image.open(file).convert("L").save(file)
    return ["15.png"]


def add_targa(folder):
    Image.open(folder / "train" / "1.png").save(folder / "train" / "99.tga")
    return ["99.tga"]


def nest(folder):
    (folder / "train" / "more").mkdir()
    (folder / "train" / "1.png").rename(folder / "train" / "more" / "1.png")
    return ["1.png"]


def misname(folder):
    (folder / "val").rename(folder / "dev")
    return [f"{number}.png" for number in range(1, PAIRS["val"] + 1)]


def share_a_name(folder):
    Image.open(folder / "train" / "1.png").transpose(UPSIDE_DOWN).save(folder / "train" / "1.bmp")
    return ["1.bmp", "1.png"]


@pytest.mark.parametrize(
    ("plant", "kind", "ends"),
    [
        (truncate, "broken", 1),
        (empty, "broken", 1),
        (disguise, "broken", 1),
        (make_odd, "odd-width", 1),
        (whiten, "constant", 0),
        (blacken, "constant", 0),
        (repeat, "identical", 1),
        (leak, "leak", 0),
        (leak_nearly, "leak", 0),
        (double, "duplicates", 0),
        (exchange, "swapped", 1),
        (see_through, "transparent", 0),
        (deepen, "depth", 1),
        (print_colours, "cmyk", 0),
        (animate, "broken", 1),
        (turn, "rotated", 0),
        (rename, "suffix", 0),
        (decolour, "mixed-modes", 0),
        (add_targa, "not-read", 0),
        (nest, "nested", 0),
        (misname, "nested", 0),
        (share_a_name, "same-name", 1),
    ],
)
def test_a_planted_fault_is_found_with_its_files(folder, plant, kind, ends, capsys, monkeypatch):
    files = plant(folder)
    examined = []
    monkeypatch.setattr(doctor, "check", lambda *given: examined.append(check(*given)) or examined[0])
    with pytest.raises(SystemExit) if ends else nullcontext():
        pix2pix("data", "check", folder)
    assert files[0] in capsys.readouterr().out
    findings = {finding.kind: [file.name for file in finding.files] for finding in examined[0].findings}
    assert sorted(findings[kind]) == sorted(files)
    others = {"sizes", "small", "no-val", "mixed-modes", "swapped"}  # what some of the faults bring with them
    assert findings.keys() <= {kind} | others


@needs_datasets
def test_a_photo_that_was_scaled_brightened_and_compressed_again_is_known(tmp_path):
    """And none of its neighbours in the set is taken for it."""
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
    for file in sorted((DATASETS / "facades" / "train").iterdir())[:30]:
        shutil.copy(file, tmp_path / "train")
        copy = ImageEnhance.Brightness(Image.open(file)).enhance(1.03)
        copy.resize((384, 192)).save(tmp_path / "val" / f"copy{file.name}", quality=60)
    assert len(find(tmp_path)["leak"]) == 60


def test_an_exchanged_pair_is_told_from_two_exchanged_halves(folder):
    assert float(side_scores([r.sides for r in measure_pairs(scan_folder(folder).pairs) if r.sides]).min()) > 0.4


def test_names_without_partners_are_all_named_and_the_rest_is_examined(folder):
    in_folders(folder)
    (folder / "trainA" / "1.png").unlink()
    (folder / "valB" / "2.png").rename(folder / "valB" / "2x.png")
    assert find(folder) == {"unmatched": ["1.png", "2.png", "2x.png"]}


@pytest.mark.parametrize("step", [1, -1])
def test_partners_moved_by_one_are_told_from_strangers(folder, step):
    in_folders(folder)
    files = sorted((folder / "trainB").iterdir(), key=lambda file: int(file.stem))
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, np.roll(np.array(contents, object), step), strict=True):
        file.write_bytes(content)
    assert list(find(folder)) == ["off-by-one"]


@pytest.mark.parametrize("name", ["drawn", *(["facades", "maps", "edges2shoes"] if DATASETS.is_dir() else [])])
def test_a_set_of_strangers_is_noticed(name, drawn, tmp_path):
    files = sorted((drawn if name == "drawn" else DATASETS / name).glob("train/*"))[:60]
    (tmp_path / "train").mkdir()
    for number, (file, other) in enumerate(zip(files, files[7:] + files[:7], strict=True)):
        pair = concat(split_halves(file)[0], split_halves(other)[1])
        pair.reduce(pair.height // 60).save(tmp_path / "train" / f"{number}.png")
    assert "unrelated" in find(tmp_path)


@pytest.mark.parametrize("name", ["drawn", *(["facades", "edges2shoes"] if DATASETS.is_dir() else [])])
def test_a_set_whose_targets_are_displaced_is_noticed(name, drawn, tmp_path):
    (tmp_path / "train").mkdir()
    for file in sorted((drawn if name == "drawn" else DATASETS / name).glob("train/*"))[:48]:
        a, b = split_halves(file)
        moved = Image.fromarray(np.roll(np.asarray(b), b.width // 10, axis=1))
        concat(a, moved).reduce(b.height // 64).save(tmp_path / "train" / f"{file.stem}.png")
    finding = check(tmp_path).findings[0]
    assert finding.severity == "error"
    assert "px right of where A has it, throughout the set" in finding.message


@needs_datasets
def test_single_strangers_and_misaligned_pairs_are_named_where_partners_are_easily_told(tmp_path):
    (tmp_path / "train").mkdir()
    files = sorted((DATASETS / "edges2shoes" / "train").iterdir())[:120]
    for file in files[2:]:
        shutil.copy(file, tmp_path / "train" / file.name)
    for file, other in (files[:2], files[1::-1]):
        concat(split_halves(file)[0], split_halves(other)[1]).save(tmp_path / "train" / file.name, quality=95)
    a, b = split_halves(files[20])
    concat(a, Image.fromarray(np.roll(np.asarray(b), 12, axis=1))).save(tmp_path / "train" / files[20].name, quality=95)
    findings = find(tmp_path)
    assert sorted(findings["mismatched"]) == sorted(file.name for file in files[:2])
    assert findings["misaligned"] == [files[20].name]


@needs_datasets
def test_photos_taken_for_pairs_are_noticed(tmp_path):
    for file in sorted((DATASETS / "facades" / "train").iterdir())[:40]:
        split_halves(file)[0].save(tmp_path / f"{file.stem}.png")
    assert "no-seam" in find(tmp_path)


def test_proportions_sizes_and_small_pictures_are_told(folder):
    in_folders(folder)
    file = folder / "trainA" / "1.png"
    Image.open(file).crop((0, 0, 40, 64)).save(file)
    findings = find(folder)
    assert findings["proportions"] == ["1.png", "1.png"]
    assert findings["small"] == ["1.png", "1.png"]
    assert "sizes" in findings


def test_folders_without_training_pairs_are_told(tmp_path, folder):
    (tmp_path / "nothing").mkdir()
    assert "empty" in find(tmp_path / "nothing")
    shutil.rmtree(folder / "train")
    assert "no-train" in find(folder)
    for file in list((folder / "val").iterdir())[1:]:
        file.unlink()
    (folder / "val").rename(folder / "train")
    assert "one-pair" in find(folder)
    with pytest.raises(SystemExit, match="pix2pix: no folder 'gone'"):
        pix2pix("data", "check", "gone")


def test_a_known_set_is_counted(folder, capsys):
    with pytest.raises(SystemExit):
        pix2pix("data", "check", folder, "--data", "facades", "--strict", "--json")
    output = json.loads(capsys.readouterr().out)
    assert output["findings"][0]["kind"] == "counts"
    assert "train: 48 of 400 pairs; val: 12 of 100 pairs; test: 0 of 106 pairs" in output["findings"][0]["says"]
    assert output["command"] == f"pix2pix train experiment=facades data.path={folder}"
    assert output["sound"]


def test_the_contact_sheet_shows_suspects_first(folder, tmp_path):
    whiten(folder)
    pix2pix("data", "check", folder, "--sheet", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        corner = np.asarray(sheet.crop((4 + 164, 20, 4 + 164 + 160, 180)))
        assert (corner == 255).all()
        assert sheet.width == 6 * 164 + 4


def test_label_maps_of_small_numbers_are_told_with_the_settings_that_read_them(folder):
    for file in in_folders(folder).rglob("*B/*.png"):
        classes = np.zeros((SIZE, SIZE), np.uint8)
        classes[10:30, 10:30] = 1 + int(file.stem) % 18
        Image.fromarray(classes).save(file)
    result = check(folder)
    (finding,) = [finding for finding in result.findings if finding.kind == "class-numbers"]
    assert "B hold no other numbers than 0 to 18" in finding.message
    assert "data.label_map=B data.palette=19" in finding.remedy
    assert "constant" not in {finding.kind for finding in result.findings}
    assert "data.label_map=B data.palette=19" in result.command
    assert "target_channels" not in result.command
    assert "source_channels" not in result.command
