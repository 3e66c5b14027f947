"""Composes a run's configuration from YAML files and the command line, and checks it."""
