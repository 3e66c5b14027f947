"""Keeps the garbage collector away from imports, which make many objects and hardly any garbage.

Python looks for garbage after every 700 new objects. The imports of a training make a million, which live to the end:
the searches would be a quarter of the processor time of its start.
"""

import gc

USUAL = gc.get_threshold()
SELDOM = 20_000  # new objects before a search


def collect_seldom() -> None:
    """Before imports: fewer searches for garbage."""
    gc.set_threshold(SELDOM)


def collect_as_usual() -> None:
    """After imports: the usual searches, which leave out what the process holds after its first imports."""
    if not gc.get_freeze_count():  # once: a second time it would keep garbage of the first training
        gc.freeze()
    gc.set_threshold(*USUAL)
