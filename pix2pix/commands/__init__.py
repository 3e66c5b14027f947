"""Groups of commands, each in a file of its own; cli.py has the others and joins them."""
