"""The command line: one command a file, each option a full sentence."""

from pix2pix.cli.main import main

__all__ = ["main"]
