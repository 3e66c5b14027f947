"""The command line: `pix2pix` and its commands."""

from pix2pix.cli.main import main

__all__ = ["main"]
