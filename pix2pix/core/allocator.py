"""Tunes the CPU memory allocator to keep freed memory instead of returning it to the system.

A training step, and every batch that is translated, allocates and frees the same hundreds of megabytes. By default
glibc returns large blocks to the system at once, and the system hands out zeroed pages one fault at a time: some 70,000
faults a step at 256x256.
"""

import ctypes
import functools
import os
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8  # of mallopt, in glibc's malloc.h
GIBIBYTE = 2**30
SWITCH = "PIX2PIX_KEEP_MEMORY"
USER_CHOICES = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")  # variables that tune or replace the allocator


@functools.cache  # once: what is kept would be returned by a second call
def keep_freed_memory() -> bool:
    """Makes this process keep freed memory for its next allocation. Returns whether it does.

    It needs glibc, and does nothing when `PIX2PIX_KEEP_MEMORY=0` or when the environment tunes or replaces the
    allocator. Afterwards the process keeps the most memory it has ever used, until it ends. Cannot be undone.
    """
    if os.environ.get(SWITCH) == "0" or any(name.startswith(USER_CHOICES) for name in os.environ):
        return False
    # What was freed so far, such as weights before they were packed, would be kept too.
    if not return_freed_memory():
        return False
    # One arena for all threads: each would keep what it has freed in one of its own.
    mallopt = ctypes.CDLL(None).mallopt
    options = {ARENA_MAX: 1, MMAP_MAX: 0, TRIM_THRESHOLD: GIBIBYTE, TOP_PAD: GIBIBYTE // 16}
    accepted = [mallopt(option, value) for option, value in options.items()]  # set all, even if the first one fails
    return all(accepted)


def return_freed_memory() -> bool:
    """Returns all memory that is free now to the system, once. Returns whether it does: it needs glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True
