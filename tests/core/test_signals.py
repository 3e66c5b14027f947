"""Which signals end a training, and what they leave alone."""

import os
import signal
from collections.abc import Iterator

import pytest

from pix2pix.core.signals import STOP_SIGNALS, StopSignals
from tests.conftest import TINY, start_command, wait_until


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_signal_that_asks_is_noted_and_given_back(number):
    before, signals = signal.getsignal(number), StopSignals()
    signals.listen()
    os.kill(os.getpid(), number)
    assert signals.received == number
    signals.restore()
    assert signal.getsignal(number) == before


def test_a_training_under_nohup_outlives_its_terminal():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signals.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signals.received is None
    signals.restore()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_to_the_whole_group_is_left_to_the_training_by_processes_that_load(tmp_path, number):
    """As a closed terminal, `timeout` and clusters send it."""
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "data.source.train_pairs=4000", "logger=csv"]
    words += ["data.num_workers=2", "data.cache=off", "trainer.log_every_n_steps=1"]
    run = tmp_path / "run"
    with start_command(*words, start_new_session=True) as process:
        table = run / "metrics.csv"
        wait_until(lambda: table.is_file() and table.read_text().count("\n") > 4, process)
        os.killpg(process.pid, number)
        output, complaints = process.communicate()
    assert process.returncode == 128 + number, complaints
    assert "Stopped. Run the same command again" in output
    assert (run / "checkpoints" / "last.ckpt").is_file()
