"""What the project is on a GPU, measured by one command: `python -m benchmarks.gpu --help`."""
