"""Extracts the frames of videos as pictures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.core.extras import import_extra
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.images.picture_files import CONTAINERS
from pix2pix.data.images.pictures import save_picture
from pix2pix.data.images.resize import Size, flip_size
from pix2pix.datasets.prepare.align_films import THUMBNAIL, Curve, align, measure_motion, read_loudness
from pix2pix.datasets.prepare.match import Matches, PairSpec

GAP_SECONDS = 1.0  # left out between two splits, because neighbouring frames are near duplicates


def list_frames(videos: Sequence[Path], frames: Path, every: int, shares: dict[str, float]) -> Matches:
    """Lists the pairs that videos yield: every `every`-th frame. Each split is a block of time.

    The beginning of a video is for train, then come val and test. Between two splits GAP_SECONDS are left out.

    Args:
        videos: the files; their names must differ.
        frames: the folder where `extract_frames` puts the pictures.
        every: one frame in so many.
        shares: the shares of val and test.

    Raises:
        ValueError: for two videos of one name, a video that cannot be read, or one too short to be split.
    """
    _require_different_names(videos)
    pairs: list[PairSpec] = []
    for video in videos:
        times, rate, _ = _read_film(video, with_curves=False)
        numbers = range(0, len(times), every)
        splits = _assign_splits(len(numbers), shares, gap=round(GAP_SECONDS * rate / every))
        kept = [(number, split) for number, split in zip(numbers, splits, strict=True) if split]
        pairs += [
            PairSpec(_frame_name(video, number), (_frame_file(frames, video, number),), split) for number, split in kept
        ]
    return Matches(pairs, [])


def list_frame_pairs(
    a: Path, b: Path, frames: Path, every: int, shares: dict[str, float], offset: float | None = None
) -> tuple[Matches, str]:
    """Lists the pairs of two videos: every `every`-th frame of A with the frame of B that is shown at the same time.

    Both are counted from their first frames, by their times: their rates may differ. Splits are blocks of time.

    Args:
        a, b: the files.
        frames: the folder where `extract_frames` puts the pictures.
        every: one frame of A in so many.
        shares: the shares of val and test.
        offset: the frame of B is taken this many seconds later; negative, earlier. None: found from the films, or 0
            where they do not tell.

    Returns:
        The pairs, and a sentence on the offset.

    Raises:
        ValueError: for two videos of one name, one that cannot be read, or videos that have no time in common.
    """
    _require_different_names((a, b))
    (times_a, rate, curves_a), (times_b, rate_b, curves_b) = (
        _read_film(video, with_curves=offset is None) for video in (a, b)
    )
    offset, sentence = _choose_offset(offset, curves_a, curves_b)
    chosen = list(_match_frames(times_a[::every], times_b, offset, 0.5 / rate_b))
    if not chosen:
        raise ValueError(
            f"{a} ({times_a[-1]:.1f} s) and {b} ({times_b[-1]:.1f} s) have no time in common with --offset {offset:g}."
        )
    splits = _assign_splits(len(chosen), shares, gap=round(GAP_SECONDS * rate / every))
    pairs = [
        PairSpec(_frame_name(a, every * n), (_frame_file(frames, a, every * n), _frame_file(frames, b, partner)), split)
        for (n, partner), split in zip(chosen, splits, strict=True)
        if split
    ]
    return Matches(pairs, []), sentence


def _choose_offset(offset: float | None, a: list[Curve], b: list[Curve]) -> tuple[float, str]:
    """The offset that is given or found, and a sentence on it."""
    if offset is not None:
        return offset, f"offset: {offset:g} s, as given."
    alignment = align(a, b)
    return alignment.offset, alignment.describe()


def _match_frames(a: np.ndarray, b: np.ndarray, offset: float, reach: float) -> Iterator[tuple[int, int]]:
    """The place of each time of A, and that of the nearest of B, as far as B has one within `reach` seconds."""
    for number, time in enumerate(a + offset):
        if b[0] - reach <= time <= b[-1] + reach:
            yield number, int(np.abs(b - time).argmin())


def read_frame_size(video: Path) -> Size:
    """Height and width of the first frame, upright. Raises ValueError for a video that cannot be read."""
    _, frame = next(_decode_frames(video), (0, None))
    if frame is None:
        raise ValueError(f"{video}: has no frames.")
    return flip_size(to_upright_image(frame).size)


def to_upright_image(frame: Any) -> Image.Image:
    """A decoded frame as a picture, turned as a player would turn it."""
    picture = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _require_different_names(videos: Sequence[Path]) -> None:
    stems = [_stem(video) for video in videos]
    if len(set(stems)) < len(stems):
        raise ValueError(
            f"videos {', '.join(map(str, videos))}: two of one name, which would name their frames alike. Rename one."
        )


def extract_frames(videos: Sequence[Path], wanted: Sequence[PairSpec]) -> None:
    """Writes the missing frames of `wanted`, each whole or not at all."""
    files = {file.stem: file for item in wanted for file in item.files if not file.exists()}
    for video in videos:
        names = {name for name in files if name.startswith(f"{_stem(video)}_")}
        frames = tqdm(_decode_frames(video), unit="frame", desc=video.name, disable=None) if names else ()
        for number, frame in frames:
            if _frame_name(video, number) in names:
                save_picture(to_upright_image(frame), files[_frame_name(video, number)])


def _assign_splits(length: int, shares: dict[str, float], gap: int) -> list[str | None]:
    """The split of each frame in order of time; None in the gaps."""
    splits: list[str | None] = ["train"] * length
    end = length
    for name, share in reversed([(name, share) for name, share in shares.items() if share > 0]):
        start = end - max(1, round(share * length))
        if start - gap < 1:
            raise ValueError(f"a video of {length} frames is too short to be split. Lower --every, --val or --test.")
        splits[start:end] = [name] * (end - start)
        splits[start - gap : start] = [None] * gap
        end = start - gap
    return splits


def _read_film(video: Path, *, with_curves: bool) -> tuple[np.ndarray, float, list[Curve]]:
    """The time of each frame that can be decoded, in seconds since the first; frames a second; motion and sound."""
    times, thumbnails = [], []
    width, height = THUMBNAIL
    for _, frame in tqdm(_decode_frames(video), unit="frame", desc=f"{video.name}: counting", disable=None):
        times.append(frame.time)
        if with_curves:
            thumbnails.append(frame.reformat(width=width, height=height, format="gray").to_ndarray())
    if not times:
        raise ValueError(f"{video}: has no frames.")
    with _open_video(video) as container:
        rate = float(container.streams.video[0].average_rate or 25)
    if any(time is None for time in times):
        times = [number / rate for number in range(len(times))]
    seconds = np.array(times) - times[0]
    if not with_curves:
        return seconds, rate, []
    with _open_video(video) as container:
        sound = read_loudness(container, times[0])
    return seconds, rate, [measure_motion(seconds, np.stack(thumbnails)), *([sound] if sound else [])]


def _decode_frames(video: Path) -> Iterator[tuple[int, Any]]:
    with _open_video(video) as container:
        try:
            yield from enumerate(container.decode(video=0))
        except Exception as error:  # PyAV has an error class for each cause
            raise ValueError(f"{video}: cannot be read as a film ({error}).") from error


def _open_video(video: Path) -> Any:
    av = import_extra("av", "a video", "video")
    if not video.is_file():
        raise FileNotFoundError(f"no film {str(video)!r}.")
    try:
        return av.open(str(video), options=CONTAINERS)
    except Exception as error:  # as above
        raise ValueError(f"{video}: cannot be read as a film ({error}).") from error


def _stem(video: Path) -> str:
    return re.sub(r"\W+", "-", video.stem)


def _frame_file(frames: Path, video: Path, number: int) -> Path:
    return frames / f"{_frame_name(video, number)}.png"


def _frame_name(video: Path, number: int) -> str:
    return f"{_stem(video)}_{number:06d}"
