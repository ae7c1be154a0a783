"""Which image files are read, said in one place."""

PILLOW_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""Pillow's names of the formats that are decoded; no other parser is let near a file."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of an image file's name, in lower case."""

NAMED = "JPEG, PNG, BMP, TIFF or WebP"
"""How a message says it: "a JPEG, PNG, BMP, TIFF or WebP image"."""
