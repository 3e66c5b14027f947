"""Our own parts for pix2pix."""
