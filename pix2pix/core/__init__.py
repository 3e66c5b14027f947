"""What every package needs: atomic files, building objects from mappings, randomness, trust, errors."""
