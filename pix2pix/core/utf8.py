"""Makes input and output UTF-8 under any locale; containers and cluster jobs often have an ASCII locale."""

import codecs
import io
import os
import sys


def ensure_utf8() -> None:
    """Restarts Python in its UTF-8 mode if the locale is ASCII, so that it can open and print every file name.

    Python chooses the encoding when it starts. So the process is replaced by one with the same command line and the
    same process id; its child processes inherit the mode. Under other locales, a character that the output cannot show
    is printed as `\\u2605`.
    """
    is_ascii_only = codecs.lookup(sys.getfilesystemencoding()).name == "ascii"
    if is_ascii_only and os.environ.get("PYTHONUTF8") != "1" and not sys.flags.ignore_environment:
        # Also the mark that this was done, so that the restarted process does not restart again.
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
