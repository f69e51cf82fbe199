"""Decoders found by short fits of the images at hand."""
