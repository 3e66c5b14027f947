"""What `pix2pix data` does: get, check, prepare, preview and pack data sets."""
