"""From the bytes of a picture file to a tensor in [-1, 1], and back."""
