"""Runs `pix2pix` as `python -m pix2pix`."""

from pix2pix.cli.main import main

if __name__ == "__main__":
    main()
