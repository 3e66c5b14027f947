"""The demo: a local page to draw on, and an HTTP endpoint."""
