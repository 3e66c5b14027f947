"""Sources of pairs: folders, shards, single pictures, synthetic facades."""
