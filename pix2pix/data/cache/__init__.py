"""Caches decoded pairs in memory, on disk or on the device."""
