"""Runs the command line as `python -m pix2pix.cli`."""

from pix2pix.cli.main import main

if __name__ == "__main__":
    main()
