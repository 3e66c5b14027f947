"""Local pages: the demo and the dashboard."""
