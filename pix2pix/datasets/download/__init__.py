"""Downloads public data sets: catalogue, HTTP transfer, safe extraction."""
