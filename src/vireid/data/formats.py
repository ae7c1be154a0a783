"""Which image files are read, said in one place."""

PILLOW_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""Pillow's names of the formats that are decoded; no other parser is let near a file."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of an image file's name, in lower case."""

NAMED = "JPEG, PNG, BMP, TIFF or WebP"
"""How a message says it: "a JPEG, PNG, BMP, TIFF or WebP image"."""

NOT_READ = (
    *(".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl", ".pbm", ".pgm", ".ppm", ".svg", ".tga"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2", ".seq"),
    *(".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"),
)
"""Endings of pictures, raw files and films that are not read; where they lie in a folder they are counted."""
