"""What is wrong with a folder of pairs, before a training finds out."""
