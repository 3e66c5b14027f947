"""`pix2pix data prepare`: makes pairs from pictures, folders and videos."""
