"""Public data sets: the catalogue, the transfer, and archives that can do no harm."""
