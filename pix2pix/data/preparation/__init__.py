"""From pictures as they are found to a folder of pairs that training reads."""
