"""Makes input and output UTF-8 whatever the locale is; containers and cluster jobs often have an ASCII locale."""

import codecs
import io
import os
import sys


def ensure_utf8() -> None:
    """Makes this process one in which every file name can be told and no character ends the program.

    Under a locale of ASCII, Python can neither open a file called `é` by that name nor print it. It decides that when
    it starts, so it is started again in its UTF-8 mode, with the same words and the same process id; the processes that
    it starts inherit the mode. Under other locales, what the output cannot show is printed as `\\u2605`.
    """
    if _knows_ascii_only() and os.environ.get("PYTHONUTF8") != "1" and not sys.flags.ignore_environment:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _knows_ascii_only() -> bool:
    return codecs.lookup(sys.getfilesystemencoding()).name == "ascii"
