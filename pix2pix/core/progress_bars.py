"""Progress bars, tqdm's, which processes draw each on its own."""

import os
import threading

from tqdm import tqdm

__all__ = ["tqdm"]


def _renew_lock() -> None:
    tqdm.set_lock(threading.RLock())


# tqdm's own lock is one for a process and all its forks. A fork that is killed while it draws would keep it, and every
# other process would wait for ever at its next bar.
_renew_lock()
if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_renew_lock)
