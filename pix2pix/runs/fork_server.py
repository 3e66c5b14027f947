"""Imported by multiprocessing's fork server: keeps it alive until the sweep ends, whatever its jobs are sent.

`kill`, `timeout` and clusters signal all processes of a program. The jobs then save and end; their exit codes reach the
sweep through the server, so it has to outlive them. It ends by itself with the program that started it.
"""

import signal
import sys

from pix2pix.core.garbage import collect_seldom
from pix2pix.core.signals import STOP_SIGNALS

# The server takes names of modules to import and nothing else. In any other process the import does nothing.
if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    for _number in STOP_SIGNALS:
        signal.signal(_number, signal.SIG_IGN)
    collect_seldom()
