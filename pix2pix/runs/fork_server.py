"""Imported by multiprocessing's fork server alone: keeps it alive until the sweep ends, whatever its jobs are sent.

`kill`, `timeout` and clusters signal all processes of a program. The jobs then save and end; their exit codes reach the
sweep through the server, so it has to outlive them. It ends by itself with the program that started it.
"""

import signal

from pix2pix.core.signals import STOP_SIGNALS

for _number in STOP_SIGNALS:
    signal.signal(_number, signal.SIG_IGN)
