"""Translates videos frame by frame in constant memory, keeping frame rate and sound, and reducing flicker.

Every frame is translated under one dropout noise. Where that is not calm enough, `smooth` mixes each frame's picture
with those before it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from pix2pix.core.atomic_files import atomic_file
from pix2pix.data.images.decode import Picture
from pix2pix.data.images.picture_files import CONTAINERS, named, require_file
from pix2pix.inference.translator import Translator

CODECS = {".webm": ("libvpx-vp9", {"crf": "24", "b:v": "0"})}
H264 = ("libx264", {"crf": "17", "preset": "medium"})  # all but lossless to the eye
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
WAITING = 8  # translated frames and packets of sound that are not written yet
BT709 = 1  # of ITU-T H.273


def translate_video(translator: Translator, source: Path, result: Path, *, smooth: float = 0.0) -> int:
    """Translates the pictures of a video; its sound is copied as it is. Returns how many frames it has.

    Args:
        translator: of the run; its outputs have to be pictures of 8 bits.
        source: the video.
        result: replaced only when all is done.
        smooth: from 0 to below 1: the weight of earlier frames in each picture, against flicker; moving
            objects then leave a trail.

    Raises:
        ValueError: when the file is no video that can be read, PyAV is not installed, or `smooth` is out of range.
    """
    if not 0 <= smooth < 1:
        raise ValueError(f"smooth={smooth}: a share from 0 to below 1. Choose 0 for none.")
    av = _pyav()
    try:
        with open_video(source) as given, atomic_file(result) as part:
            if not given.streams.video:
                raise ValueError(f"{source}: holds no pictures, only {', '.join(s.type for s in given.streams)}.")
            with av.open(str(part), "w", format=FORMATS[result.suffix.lower()]) as made:
                return _Transcoder(given, made, result.suffix.lower()).run(translator, source.stem, smooth)
    except av.FFmpegError as error:
        raise ValueError(f"{source}: cannot be read as a video ({error}). Replace or remove the file.") from error


def open_video(file: Path) -> Any:
    """PyAV's container of a video file.

    Raises:
        ValueError: for what is no file.
        av.FFmpegError: for what is no video in a container of its own; lists of other files and addresses are none.
    """
    with named(file):
        require_file(file)
    return _pyav().open(str(file), options=CONTAINERS)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise ValueError("videos need PyAV. pip install 'pix2pix[video]'") from error
    return av


class _Transcoder:
    """One video on its way into another."""

    def __init__(self, given: Any, made: Any, suffix: str) -> None:
        self.given, self.made, self.codec = given, made, CODECS.get(suffix, H264)
        self.source = given.streams.video[0]
        self.source.thread_type = "AUTO"  # decodes ahead in threads of its own
        self.target: Any = None
        self.sounds = {sound: made.add_stream_from_template(sound) for sound in given.streams.audio}
        self.early: list[Any] = []  # packets of sound before the first picture: no stream may come after a packet
        self.encoder = ThreadPoolExecutor(1)  # the only thread that writes
        self.waiting: deque[Future[None]] = deque()

    def run(self, translator: Translator, name: str, smooth: float) -> int:
        """Translates every frame under the noise of `name`; returns their number."""
        frames = 0
        with self.encoder, tqdm(total=self.source.frames or None, unit="frame", leave=False, disable=None) as progress:
            mixture: np.ndarray | None = None
            for frame in self._frames():
                picture = _to_rgb(translator.translate(_to_upright_image(frame), name=name))
                mixture = picture if mixture is None else smooth * mixture + (1 - smooth) * picture
                self._submit(self._encode, mixture.round().astype(np.uint8), frame.pts)
                frames += 1
                progress.update()
            while self.waiting:
                self.waiting.popleft().result()
        if self.target is None:
            raise ValueError(f"{name}: holds no frames.")
        self.made.mux(self.target.encode())
        return frames

    def _frames(self) -> Iterator[Any]:
        """The frames; packets of sound go to the result as they are."""
        for packet in self.given.demux(self.source, *self.sounds):
            if packet.stream in self.sounds:
                if packet.dts is not None:
                    packet.stream = self.sounds[packet.stream]
                    self._submit(self._write_audio, packet)
            else:
                yield from packet.decode()

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self.waiting.append(self.encoder.submit(work, *arguments))
        while len(self.waiting) > WAITING:
            self.waiting.popleft().result()

    def _encode(self, picture: np.ndarray, pts: int) -> None:
        if self.target is None:
            self._open_stream(*picture.shape[:2])
        target: Any = self.target
        frame = _pyav().VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format=target.pix_fmt, dst_colorspace="ITU709")
        frame.pts, frame.time_base = pts, self.source.time_base
        self.made.mux(target.encode(frame))

    def _write_audio(self, packet: Any) -> None:
        if self.target is None:
            self.early.append(packet)
        else:
            self.made.mux(packet)

    def _open_stream(self, height: int, width: int) -> None:
        """The stream of pictures, as its first one is; frames keep their own times, so rates may vary."""
        name, options = self.codec
        rate = self.source.average_rate or self.source.guessed_rate or Fraction(25)
        self.target = stream = self.made.add_stream(name, rate=rate, options=options)
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv420p" if height % 2 == 0 == width % 2 else "yuv444p"
        context = stream.codec_context
        context.time_base = self.source.time_base
        context.colorspace = context.color_primaries = context.color_trc = BT709
        for packet in self.early:
            self.made.mux(packet)


def _to_upright_image(frame: Any) -> Image.Image:
    picture = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _to_rgb(picture: Picture) -> np.ndarray:
    """A picture as float32 RGB from 0 to 255, (H, W, 3)."""
    if not isinstance(picture, Image.Image):
        raise ValueError(f"a video shows pictures of 8 bits; this run's are of {picture.dtype}. Translate frames.")
    return np.asarray(picture.convert("RGB"), np.float32)
