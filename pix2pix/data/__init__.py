"""From files to batches of pairs."""
