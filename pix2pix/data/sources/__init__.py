"""Where pairs come from: folders, shards, pictures to derive them from, or drawn ones."""
