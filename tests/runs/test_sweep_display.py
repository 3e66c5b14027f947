"""What is shown of the running jobs of a sweep: live lines on a terminal, plain lines elsewhere."""

import io
import json
import logging

from pix2pix.runs.directory_lock import lock_directory
from pix2pix.runs.run import Run
from pix2pix.runs.sweep import Job
from pix2pix.runs.sweep_display import SweepDisplay


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def running_job(run: Run) -> Job:
    """A job that a process trains, from its run's files."""
    run.provenance_file.write_text(json.dumps(run.provenance() | {"finished": False}))
    return Job(run.path.parent, run.path.name, [])


def look(display: SweepDisplay, *jobs: Job) -> None:
    display._looked = float("-inf")  # it is time
    display.update(jobs)


def test_without_a_terminal_the_log_says_what_started_and_how_far_it_is(run, caplog):
    job, display = running_job(run), SweepDisplay(io.StringIO())
    caplog.set_level(logging.INFO)
    with lock_directory(run.path):
        for _ in range(3):
            display.update([job])
        assert caplog.messages == ["tiny: started"]
        look(display, job)
    assert caplog.messages[1].startswith("tiny: epoch 2 of 2, ")


def test_on_a_terminal_each_job_has_a_line_that_is_written_over(run, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    job, display = running_job(run), SweepDisplay(stream)
    other = Job(run.path.parent, "not there yet", [])
    with lock_directory(run.path):
        look(display, job, other)
        lines = stream.getvalue().splitlines()
        assert lines[0].startswith("  tiny: epoch 2 of 2")
        assert lines[1] == "  not there yet: starting"
        look(display, job)
    assert "\033[2F\033[J" in stream.getvalue()  # two lines up, and the rest removed
    display.clear()
    assert stream.getvalue().endswith("\033[1F\033[J")
