"""The commands of `pix2pix data`: downloads, checks, prepares, previews and packs data sets."""
