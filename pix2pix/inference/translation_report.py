"""What a translation of files has written, skipped and could not read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.inference.file_jobs import TranslationJob


@dataclass
class TranslationReport:
    """The outcome of a translation of files."""

    jobs: list[TranslationJob]
    seed: int = 0  # of the noise of the first result of each job; that of the next is one higher
    written: int = 0
    skipped: int = 0
    failed: dict[Path, str] = field(default_factory=dict)
    videos: dict[Path, str] = field(default_factory=dict)  # the measured flicker of each
    without_place: dict[Path, str] = field(default_factory=dict)  # GeoTIFFs that lose their place on earth, and why

    def summary(self, output: Path) -> str:
        """A line for each video, and one of what was written."""
        videos = len(self.videos)
        counts = [pluralize(self.written, "picture", "pictures")] if self.written or not videos else []
        counts += [pluralize(videos, "video", "videos")] if videos else []
        parts = [f"{' and '.join(counts)} in {output}"]
        parts += [pluralize(self.skipped, "exists already", "exist already")] if self.skipped else []
        parts += [f"{len(self.failed)} could not be read"] if self.failed else []
        return "\n".join([*(f"{file}: {measured}" for file, measured in self.videos.items()), ", ".join(parts)])

    def describe_interrupted(self, pending: Sequence[TranslationJob], before: Collection[Path], output: Path) -> str:
        """A sentence on what there is of `pending` when it is interrupted; `before`: the results that were there."""
        results = {result for job in pending for result in job.results}
        # Threads still write a few while the translation ends, so the files are counted.
        written = max(self.written + len(self.videos), sum(result.exists() for result in results.difference(before)))
        return f"{written} of {len(results)} results are written to {output}, each of them whole."
