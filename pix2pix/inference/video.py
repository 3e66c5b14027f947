"""Translates videos frame by frame in constant memory, keeping frame rate and sound, and reducing flicker.

All frames share one dropout noise. If the result still flickers, `smooth` mixes each frame with the earlier ones, moved
along the motion of the input.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2pix.core.atomic_files import atomic_file
from pix2pix.core.extras import import_extra
from pix2pix.core.progress_bars import tqdm
from pix2pix.data.images.decode import Picture
from pix2pix.data.images.picture_files import CONTAINERS, report_unreadable, require_regular_file
from pix2pix.datasets.prepare.video_frames import to_upright_image
from pix2pix.inference.motion import Flicker, MotionSmoother
from pix2pix.inference.translator import Translator

CODECS = {".webm": ("libvpx-vp9", {"crf": "24", "b:v": "0"})}
H264 = ("libx264", {"crf": "17", "preset": "medium"})  # visually lossless
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
QUEUE_LENGTH = 8  # translated frames and audio packets that wait to be written
BT709 = 1  # code of ITU-T H.273


def translate_video(translator: Translator, source: Path, result: Path, *, smooth: float = 0.0) -> Flicker:
    """Translates the frames of a video and copies its sound. Returns how much the result flickers.

    Args:
        translator: the run's translator; its outputs must be 8-bit pictures.
        source: the video file.
        result: the file to write; an existing one is replaced when the video is complete.
        smooth: weight of earlier frames in each frame, from 0 to below 1; see `pix2pix.inference.motion`.

    Raises:
        ValueError: when the file is no readable video, PyAV is not installed, or `smooth` is out of range.
    """
    if not 0 <= smooth < 1:
        raise ValueError(f"smooth={smooth}: must be at least 0 and below 1. Choose 0 for no smoothing.")
    av = _import_av()
    try:
        with open_video(source) as video, atomic_file(result) as part:
            if not video.streams.video:
                raise ValueError(f"{source}: has no picture stream, only {', '.join(s.type for s in video.streams)}.")
            with av.open(str(part), "w", format=FORMATS[result.suffix.lower()]) as output:
                return _Transcoder(video, output, result.suffix.lower()).run(translator, source.stem, smooth)
    except av.FFmpegError as error:
        raise ValueError(f"{source}: cannot be read as a video ({error}). Replace or remove the file.") from error


def open_video(file: Path) -> Any:
    """Opens a video file as a PyAV container.

    Raises:
        ValueError: when the path is no file.
        av.FFmpegError: when it is no self-contained video; playlists and addresses are rejected.
    """
    with report_unreadable(file):
        require_regular_file(file)
    return _import_av().open(str(file), options=CONTAINERS)


def _import_av() -> Any:
    return import_extra("av", "a video", "video")


class _Transcoder:
    """Decodes a video, translates its frames and encodes them into another."""

    def __init__(self, video: Any, output: Any, suffix: str) -> None:
        self.video, self.output, self.codec = video, output, CODECS.get(suffix, H264)
        self.source = video.streams.video[0]
        self.source.thread_type = "AUTO"  # decode ahead in threads
        self.target: Any = None
        self.audio = {stream: output.add_stream_from_template(stream) for stream in video.streams.audio}
        self.early: list[Any] = []  # audio before the first frame: streams must be added before any packet is muxed
        self.encoder = ThreadPoolExecutor(1)  # the only thread that encodes and muxes
        self.queue: deque[Future[None]] = deque()

    def run(self, translator: Translator, name: str, smooth: float) -> Flicker:
        """Translates every frame under the noise of `name`."""
        # One noise for all frames, by the name of the video: new noise in each would flicker.
        flicker, smoother = Flicker(), MotionSmoother(smooth) if smooth else None
        with self.encoder, tqdm(total=self.source.frames or None, unit="frame", leave=False, disable=None) as progress:
            for frame in self._frames():
                picture = to_upright_image(frame)
                output = _to_rgb(translator.translate(picture, name=name))
                source = _to_rgb(picture.resize(output.shape[1::-1], Image.Resampling.BILINEAR))
                if smoother is not None:
                    output = smoother.smooth(source, output)
                flicker.add(source, output)
                self._submit(self._encode, output.round().astype(np.uint8), frame.pts)
                progress.update()
            while self.queue:
                self.queue.popleft().result()
        if self.target is None:
            raise ValueError(f"{name}: has no frames.")
        self.output.mux(self.target.encode())
        return flicker

    def _frames(self) -> Iterator[Any]:
        """Yields the decoded frames, and copies audio packets to the output."""
        for packet in self.video.demux(self.source, *self.audio):
            if packet.stream in self.audio:
                if packet.dts is not None:
                    packet.stream = self.audio[packet.stream]
                    self._submit(self._write_audio, packet)
            else:
                yield from packet.decode()

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self.queue.append(self.encoder.submit(work, *arguments))
        while len(self.queue) > QUEUE_LENGTH:
            self.queue.popleft().result()

    def _encode(self, picture: np.ndarray, pts: int) -> None:
        if self.target is None:
            self._open_stream(*picture.shape[:2])
        target: Any = self.target
        frame = _import_av().VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format=target.pix_fmt, dst_colorspace="ITU709")
        frame.pts, frame.time_base = pts, self.source.time_base
        self.output.mux(target.encode(frame))

    def _write_audio(self, packet: Any) -> None:
        if self.target is None:
            self.early.append(packet)
        else:
            self.output.mux(packet)

    def _open_stream(self, height: int, width: int) -> None:
        """Adds the video stream in the size of the first frame. Frames keep their times, so the rate may vary."""
        name, options = self.codec
        rate = self.source.average_rate or self.source.guessed_rate or Fraction(25)
        self.target = stream = self.output.add_stream(name, rate=rate, options=options)
        stream.height, stream.width = height, width
        # 4:2:0, which every player shows, halves the sides of the colours: only even sizes allow it.
        stream.pix_fmt = "yuv420p" if height % 2 == 0 == width % 2 else "yuv444p"
        context = stream.codec_context
        context.time_base = self.source.time_base
        context.colorspace = context.color_primaries = context.color_trc = BT709
        for packet in self.early:
            self.output.mux(packet)


def _to_rgb(picture: Picture) -> np.ndarray:
    """A picture as float32 RGB from 0 to 255, (H, W, 3)."""
    if not isinstance(picture, Image.Image):
        raise ValueError(f"a video needs 8-bit pictures; this run's outputs are {picture.dtype}. Translate frames.")
    return np.asarray(picture.convert("RGB"), np.float32)
