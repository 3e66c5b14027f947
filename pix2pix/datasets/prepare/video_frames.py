"""Extracts the frames of videos as pictures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pix2pix.data.images.picture_files import CONTAINERS
from pix2pix.data.images.pictures import save_picture
from pix2pix.datasets.prepare.match import Matches, PairSpec

GAP_SECONDS = 1.0  # left out between two splits, because neighbouring frames are near duplicates


def list_frames(videos: Sequence[Path], frames: Path, every: int, shares: dict[str, float]) -> Matches:
    """Lists the pairs that videos yield: every `every`-th frame. Each split is a block of time.

    The beginning of a video is for train, then come val and test. Between two splits GAP_SECONDS are left out.

    Args:
        videos: the files; their names must differ.
        frames: the folder where `unpack` puts the pictures.
        every: one frame in so many.
        shares: of val and test.

    Raises:
        ValueError: for two videos of one name, a video that cannot be read, or one too short to be split.
    """
    stems = [_stem(video) for video in videos]
    if len(set(stems)) < len(stems):
        raise ValueError(
            f"videos {', '.join(map(str, videos))}: two of one name, which would name their frames alike. Rename one."
        )
    pairs: list[PairSpec] = []
    for video in videos:
        numbers, rate = _count_frames(video)
        chosen = numbers[::every]
        splits = _assign_splits(len(chosen), shares, gap=round(GAP_SECONDS * rate / every))
        kept = [(number, split) for number, split in zip(chosen, splits, strict=True) if split]
        pairs += [
            PairSpec(_frame_name(video, number), (frames / f"{_frame_name(video, number)}.png",), split)
            for number, split in kept
        ]
    return Matches(pairs, [])


def extract_frames(videos: Sequence[Path], wanted: Sequence[PairSpec]) -> None:
    """Writes the missing frames of `wanted`, each whole or not at all."""
    files = {item.files[0].stem: item.files[0] for item in wanted if not item.files[0].exists()}
    for video in videos:
        names = {name for name in files if name.startswith(f"{_stem(video)}_")}
        frames = tqdm(_decode_frames(video), unit="frame", desc=video.name, disable=None) if names else ()
        for number, frame in frames:
            if _frame_name(video, number) in names:
                save_picture(frame.to_image(), files[_frame_name(video, number)])


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


def _count_frames(video: Path) -> tuple[list[int], float]:
    """The numbers of all frames that can be decoded, and their rate in frames a second."""
    numbers = [
        number for number, _ in tqdm(_decode_frames(video), unit="frame", desc=f"{video.name}: counting", disable=None)
    ]
    if not numbers:
        raise ValueError(f"{video}: has no frames.")
    with _open_video(video) as container:
        return numbers, float(container.streams.video[0].average_rate or 25)


def _decode_frames(video: Path) -> Iterator[tuple[int, Any]]:
    with _open_video(video) as container:
        try:
            yield from enumerate(container.decode(video=0))
        except Exception as error:  # PyAV has an error class for each cause
            raise ValueError(f"{video}: cannot be read as a film ({error}).") from error


def _open_video(video: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise ValueError("videos need PyAV: pip install 'pix2pix[video]'") from error
    if not video.is_file():
        raise FileNotFoundError(f"no film {str(video)!r}.")
    try:
        return av.open(str(video), options=CONTAINERS)
    except Exception as error:  # as above
        raise ValueError(f"{video}: cannot be read as a film ({error}).") from error


def _stem(video: Path) -> str:
    return re.sub(r"\W+", "-", video.stem)


def _frame_name(video: Path, number: int) -> str:
    return f"{_stem(video)}_{number:06d}"
