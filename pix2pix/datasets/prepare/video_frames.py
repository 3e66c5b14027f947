"""Extracts the frames of videos as pictures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pix2pix.data.images.picture_files import CONTAINERS
from pix2pix.data.images.pictures import save_picture
from pix2pix.datasets.prepare.match import Matches, PairSpec

SEAM = 1.0  # seconds left out between two splits: frames a blink apart are near duplicates


def list_frames(films: Sequence[Path], frames: Path, every: int, shares: dict[str, float]) -> Matches:
    """The pairs that films will give: every `every`-th frame, in blocks of time.

    A film's beginning is for training, then comes val, then test, and at each seam a second is left out.

    Args:
        films: the files; their names must differ.
        frames: the folder where `unpack` puts the pictures.
        every: one frame in so many.
        shares: of val and test.

    Raises:
        ValueError: for two films of one name, a film that cannot be read, or one too short to be split.
    """
    stems = [_stem(film) for film in films]
    if len(set(stems)) < len(stems):
        raise ValueError(
            f"films {', '.join(map(str, films))}: two of one name, after which frames are named. Rename one."
        )
    found: list[PairSpec] = []
    for film in films:
        numbers, rate = _count_frames(film)
        chosen = numbers[::every]
        splits = _assign_splits(len(chosen), shares, gap=round(SEAM * rate / every))
        kept = [(number, split) for number, split in zip(chosen, splits, strict=True) if split]
        found += [
            PairSpec(_frame_name(film, number), (frames / f"{_frame_name(film, number)}.png",), split)
            for number, split in kept
        ]
    return Matches(found, [])


def extract_frames(films: Sequence[Path], wanted: Sequence[PairSpec]) -> None:
    """Writes the frames of `wanted` that are not there yet, each whole or not at all."""
    files = {item.files[0].stem: item.files[0] for item in wanted if not item.files[0].exists()}
    for film in films:
        mine = {name for name in files if name.startswith(f"{_stem(film)}_")}
        frames = tqdm(_decode_frames(film), unit="frame", desc=film.name, disable=None) if mine else ()
        for number, frame in frames:
            if _frame_name(film, number) in mine:
                save_picture(frame.to_image(), files[_frame_name(film, number)])


def _assign_splits(length: int, shares: dict[str, float], gap: int) -> list[str | None]:
    """A split for each place in time, None in the seams."""
    splits: list[str | None] = ["train"] * length
    end = length
    for name, share in reversed([(name, share) for name, share in shares.items() if share > 0]):
        start = end - max(1, round(share * length))
        if start - gap < 1:
            raise ValueError(f"a film of {length} frames is too short to be split. Lower --every, --val or --test.")
        splits[start:end] = [name] * (end - start)
        splits[start - gap : start] = [None] * gap
        end = start - gap
    return splits


def _count_frames(film: Path) -> tuple[list[int], float]:
    """The numbers of the frames that can be decoded, and how many make a second."""
    numbers = [
        number for number, _ in tqdm(_decode_frames(film), unit="frame", desc=f"{film.name}: counting", disable=None)
    ]
    if not numbers:
        raise ValueError(f"{film}: has no frames.")
    with _open_video(film) as container:
        return numbers, float(container.streams.video[0].average_rate or 25)


def _decode_frames(film: Path) -> Iterator[tuple[int, Any]]:
    with _open_video(film) as container:
        try:
            yield from enumerate(container.decode(video=0))
        except Exception as error:  # a damaged film, or one without pictures: PyAV has an error for each cause
            raise ValueError(f"{film}: cannot be read as a film ({error}).") from error


def _open_video(film: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ValueError("films need PyAV: pip install 'pix2pix[video]'") from error
    if not film.is_file():
        raise FileNotFoundError(f"no film {str(film)!r}.")
    try:
        return av.open(str(film), options=CONTAINERS)
    except Exception as error:  # as above
        raise ValueError(f"{film}: cannot be read as a film ({error}).") from error


def _stem(film: Path) -> str:
    return re.sub(r"\W+", "-", film.stem)


def _frame_name(film: Path, number: int) -> str:
    return f"{_stem(film)}_{number:06d}"
