"""`pix2pix data check`: what is wrong with a folder of pairs, and the command that trains on it."""
