"""The demo: a local page to draw on, and the plain HTTP endpoint beside it."""
