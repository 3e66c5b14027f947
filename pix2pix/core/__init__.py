"""What every package needs: whole files, building an object from a mapping, randomness, trust, errors."""
