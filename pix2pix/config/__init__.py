"""From the command line to one checked configuration: Hydra in, plain values out."""
