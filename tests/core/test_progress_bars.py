"""Processes and their progress bars."""

import multiprocessing
import threading
import time
from multiprocessing.synchronize import Event

from pix2pix.core.progress_bars import tqdm

FORK = multiprocessing.get_context("fork")


def hold(is_held: Event) -> None:
    with tqdm.get_lock():
        is_held.set()
        time.sleep(60)


def draw() -> None:
    with tqdm(total=1, disable=False) as bar:
        bar.update()


def test_a_fork_that_is_killed_while_it_draws_holds_up_no_other_process():
    draw()
    is_held = FORK.Event()
    process = FORK.Process(target=hold, args=(is_held,))
    process.start()
    assert is_held.wait(30)
    process.kill()
    process.join()
    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_a_fork_draws_though_a_thread_of_its_parent_was_drawing():
    with tqdm.get_lock():
        process = FORK.Process(target=in_thread)
        process.start()
        process.join(30)
    assert process.exitcode == 0


def in_thread() -> None:
    """Draws in another thread than the one that forked, which holds the parent's lock."""
    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
