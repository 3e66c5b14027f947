"""Tunes the CPU memory allocator to keep freed memory instead of returning it to the system.

A training step, and every batch that is translated, allocates and frees the same hundreds of megabytes. By default
glibc returns large blocks to the system at once, and the system hands out zeroed pages one fault at a time: some 70,000
faults a step at 256x256.
"""

import ctypes
import os
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # of mallopt, in glibc's malloc.h
GIBIBYTE = 2**30
SWITCH = "PIX2PIX_KEEP_MEMORY"
OWN_CHOICES = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")  # of a user who has tuned or replaced the allocator


def keep_freed_memory() -> bool:
    """Has this process keep freed memory for its next allocation; says whether it does.

    It does so with glibc, unless `PIX2PIX_KEEP_MEMORY=0` or the environment tunes the allocator by itself. The process
    then holds the most it has used until it ends. Cannot be undone.
    """
    if os.environ.get(SWITCH) == "0" or any(name.startswith(OWN_CHOICES) for name in os.environ):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {MMAP_MAX: 0, TRIM_THRESHOLD: GIBIBYTE, TOP_PAD: GIBIBYTE // 16}
    taken = [mallopt(option, value) for option, value in wanted.items()]  # all of them, whatever the first one says
    return all(taken)
