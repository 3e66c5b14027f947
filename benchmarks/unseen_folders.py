"""Trains, evaluates and translates folders of four kinds that no other part of the repository uses.

The pictures are made from CMP Facades, in a temporary folder: Kaggle's layout, depth maps of 16 bits, masks, and two
films. Each run is evaluated on a folder that it has not seen and translates the inputs of that folder; both must give
the same pictures. Prints a table and writes a sheet with a row of inputs, outputs and targets for each kind.

    python benchmarks/unseen_folders.py ../shared/datasets/facades --sheet unseen.png
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from natsort import natsorted
from PIL import Image

from pix2pix.core.errors import exit_with_message
from pix2pix.core.tables import to_markdown_table
from pix2pix.core.utf8 import ensure_utf8

SIDE = 64  # pixels of the trainings
TRAINED, UNSEEN = 24, 6  # pairs
NETWORKS = (
    *("generator.base_channels=24", "discriminator.base_channels=24", "discriminator=patch16", f"data.size={SIDE}"),
    *("data.load_height=72", "data.load_width=72", "data.num_workers=0", "logger=csv", "trainer=cpu"),
)
WINDOW, STEP, FRAMES = 192, 4, 12  # of a film: side of the window that moves, pixels a frame, frames


@dataclass
class Case:
    """A kind of folder: its settings, and where its unseen inputs and pairs lie."""

    title: str
    settings: tuple[str, ...]
    inputs: Path  # to translate
    pairs: Path  # to evaluate on


def read_facades(folder: Path) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Photo and label map of each pair."""
    for file in natsorted(folder.glob("train/*.jpg"), key=str)[: TRAINED + UNSEEN]:
        with Image.open(file) as both:
            half = both.width // 2
            yield both.crop((0, 0, half, both.height)), both.crop((half, 0, both.width, both.height))


def write_folders(
    root: Path, pairs: list[tuple[Image.Image, Image.Image]], make: Callable[..., tuple[Image.Image, Image.Image]]
) -> None:
    """trainA, trainB with most pairs, and the folders A and B of `unseen` with the others."""
    for number, pair in enumerate(pairs):
        for letter, picture in zip("AB", make(*pair), strict=True):
            folder = root / (f"train{letter}" if number < TRAINED else f"unseen/{letter}")
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{number:03d}.png")


def is_class(labels: Image.Image, *names: str) -> np.ndarray:
    """Where a label map, which JPEG has blurred, is nearest to one of these classes of the pairs of the paper."""
    from pix2pix.data.images.class_colours import FACADES

    colours = np.array(list(FACADES.values()), int)
    pixels = np.asarray(labels.convert("RGB"), int)
    nearest = ((pixels[:, :, None] - colours) ** 2).sum(axis=-1).argmin(axis=-1)
    return np.isin(nearest, [list(FACADES).index(name) for name in names])


def depth_pair(photo: Image.Image, labels: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A relief of 16 bits, in which windows and doors lie deeper than the wall and balconies nearer, and the photo."""
    depth = np.full((photo.height, photo.width), 20_000.0)
    for names, offset in ((("background",), 35_000), (("window", "door", "shop"), 12_000), (("balcony",), -12_000)):
        depth[is_class(labels, *names)] += offset
    depth += np.linspace(0, 6_000, photo.width)  # the wall recedes to the right
    return Image.fromarray(depth.astype(np.uint16)), photo


def mask_pair(photo: Image.Image, labels: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The photo, and a mask of its windows in 0 and 255."""
    return photo, Image.fromarray(is_class(labels, "window").astype(np.uint8) * 255)


def make_cases(root: Path, pairs: list[tuple[Image.Image, Image.Image]]) -> Iterator[Case]:
    """Writes the folders of each kind, and yields it."""
    write_folders(root / "kaggle", pairs, lambda photo, labels: (photo, labels))
    yield Case(
        "Kaggle's layout (trainA, trainB), labels to photo", ("data.direction=BtoA",), *_unseen(root / "kaggle", "B")
    )
    write_folders(root / "depth", pairs, depth_pair)
    yield Case(
        "depth of 16 bits to photo", ("data.source_depth=16", "data.source_channels=1"), *_unseen(root / "depth")
    )
    write_folders(root / "masks", pairs, mask_pair)
    mask = ("data.palette=2", "data.label_map=B", "data.one_hot=true")
    yield Case("photo to a mask of 0 and 255", mask, *_unseen(root / "masks"))
    yield film_case(root / "film", pairs)


def _unseen(folder: Path, letter: str = "A") -> tuple[Path, Path]:
    return folder / "unseen" / letter, folder / "unseen"


def film_case(root: Path, pairs: list[tuple[Image.Image, Image.Image]]) -> Case:
    """Two films of a window over facades become pairs; another such film is not seen in training."""
    root.mkdir(parents=True)
    for name, some in (("train", pairs[:4]), ("unseen", pairs[TRAINED : TRAINED + 2])):
        for side, film in enumerate(("photo", "labels")):
            write_film(root / f"{name}_{film}.mp4", [pair[side] for pair in some])
        films = [str(root / f"{name}_{film}.mp4") for film in ("labels", "photo")]
        shares = ["--val", "0.1"] if name == "train" else ["--val", "0"]
        print(
            run(
                "data",
                "prepare",
                "video",
                *films,
                "-o",
                str(root / name),
                "--size",
                str(SIDE),
                "--offset",
                "0",
                *shares,
            )
        )
    return Case("film to film, frame by frame", (), root / "unseen_labels.mp4", root / "unseen" / "train")


def write_film(file: Path, pictures: list[Image.Image]) -> None:
    """A window moves over each picture in turn, 12 frames a second."""
    import av

    with av.open(str(file), "w") as film:
        stream = film.add_stream("libx264", rate=12, options={"crf": "12"})
        stream.width = stream.height = WINDOW
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            for number in range(FRAMES):
                window = picture.convert("RGB").crop((STEP * number, 0, STEP * number + WINDOW, WINDOW))
                film.mux(stream.encode(av.VideoFrame.from_image(window)))
        film.mux(stream.encode())


def run(*words: str) -> str:
    """What the command line answers. Raises CalledProcessError when it fails."""
    print("pix2pix", *words, flush=True)
    command = [sys.executable, "-m", "pix2pix", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout.strip()


def measure(case: Case, root: Path, epochs: int) -> tuple[list[str], Image.Image]:
    """Trains, evaluates and translates; a row of the table, and the pictures of the sheet."""
    name = root.name
    data = root / "train" if root.name == "film" else root
    where = (f"data.path={data}", f"output_dir={root.parent / 'runs'}", f"name={name}")
    run("train", "data=folder", *where, *NETWORKS, *case.settings, f"trainer.max_epochs={epochs}")
    trained = root.parent / "runs" / name
    split = ("--split", "val") if root.name == "film" else ()
    said = run("evaluate", str(trained), "--data", str(case.pairs), "--output", str(root / "evaluation"), *split)
    print(said)
    record = json.loads((root / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    # The film's pairs were made at a smaller size, which the run cannot know.
    scale = ("--scale", f"{SIDE / WINDOW:.3f}") if root.name == "film" else ()
    run("translate", str(trained), str(case.inputs), "-o", str(root / "translated"), *scale)
    images = root / "evaluation" / "images"
    outputs = natsorted(images.glob("*_output.png"), key=str)
    shown = outputs[:: max(1, len(outputs) // UNSEEN)][:UNSEEN]
    metrics = record["metrics"]
    score = "class_iou" if "class_iou" in metrics else "ssim"
    equal = compare_with_translation(outputs, root / "translated")
    row = [case.title, str(record["pairs"]), f"{metrics['l1']:.3f}", f"{score} {metrics[score]:.3f}", equal]
    return row, make_row(shown)


def compare_with_translation(outputs: list[Path], translated: Path) -> str:
    """The largest difference of `translate` from `evaluate`, in levels; of a film, the mean over its frames."""
    differences = []
    for output in outputs:
        name = output.name.removesuffix("_output.png")
        if (file := translated / f"{name}.png").is_file():
            differences.append(np.abs(_pixels(output) - _pixels(file)).max())
    if differences:
        return f"{max(differences):.0f} levels, {len(differences)} pictures"
    (film,) = translated.glob("*.mp4")
    return f"a film of {count_frames(film)} frames"


def count_frames(film: Path) -> int:
    """The number of frames that can be decoded."""
    import av

    with av.open(str(film)) as opened:
        return sum(1 for _ in opened.decode(video=0))


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"), int)


def make_row(outputs: list[Path]) -> Image.Image:
    """Input, output and target of each pair, below each other."""
    sheet = Image.new("RGB", ((SIDE + 4) * len(outputs), 3 * SIDE + 8), "white")
    for column, output in enumerate(outputs):
        for row, kind in enumerate(("input", "output", "target")):
            with Image.open(output.with_name(output.name.replace("_output.", f"_{kind}."))) as image:
                picture = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(picture, (column * (SIDE + 4), row * (SIDE + 4)))
    return sheet


def stack(rows: list[Image.Image]) -> Image.Image:
    """The rows below each other, twice as large."""
    width, height = max(row.width for row in rows), sum(row.height + 12 for row in rows)
    sheet, top = Image.new("RGB", (width, height), "white"), 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + 12
    return sheet.resize((2 * width, 2 * height), Image.Resampling.NEAREST)


def main() -> None:
    """Prints a table: kind, pairs, L1, score, difference of translate from evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facades", type=Path, help="the folder of CMP Facades")
    parser.add_argument("--sheet", type=Path, default=Path("unseen.png"))
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    rows, pictures = [], []
    with tempfile.TemporaryDirectory() as folder:
        pairs = list(read_facades(options.facades))
        for case, name in zip(make_cases(Path(folder), pairs), ("kaggle", "depth", "masks", "film"), strict=True):
            row, picture = measure(case, Path(folder) / name, options.epochs)
            rows.append(row)
            pictures.append(picture)
    stack(pictures).save(options.sheet)
    print(to_markdown_table(["folder", "unseen pairs", "L1", "score", "translate against evaluate"], rows))


if __name__ == "__main__":
    ensure_utf8()
    with exit_with_message():
        main()
