"""Local web pages: the demo and the dashboard."""
