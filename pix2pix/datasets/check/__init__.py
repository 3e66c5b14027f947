"""`pix2pix data check`: finds faults in a folder of pairs, and suggests the command that trains on it."""
