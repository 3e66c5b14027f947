"""A trained generator at work on pictures, folders and videos."""
