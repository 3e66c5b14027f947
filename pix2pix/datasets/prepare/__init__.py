"""`pix2pix data prepare`: pairs made of pictures, folders and videos."""
