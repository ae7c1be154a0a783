"""Slow pieces of LOMO by loops, written from their definitions: the oracle of tests/methods/classical."""

import numpy as np


def largest_counts(bins, count, window=10, step=5):
    """(H, W) bins to (rows, count): windows that lie wholly within the image, the largest count of each row."""
    rows = []
    for top in range(0, len(bins) - window + 1, step):
        counts = [
            np.bincount(bins[top : top + window, left : left + window].ravel(), minlength=count)
            for left in range(0, bins.shape[1] - window + 1, step)
        ]
        rows.append(np.max(counts, axis=0))
    return np.array(rows)


def texture_patterns(grey, radius, tolerance=0.3):
    """(H, W) grey values to patterns of the neighbours right, below, left and above; the first weighs most."""
    height, width = grey.shape
    result = np.zeros(grey.shape, int)
    for row in range(height):
        for column in range(width):
            for down, right in ((0, radius), (radius, 0), (0, -radius), (-radius, 0)):
                other = grey[min(max(row + down, 0), height - 1), min(max(column + right, 0), width - 1)]
                centre = grey[row, column]
                digit = 1 if other > (1 + tolerance) * centre else 2 if other < (1 - tolerance) * centre else 0
                result[row, column] = 3 * result[row, column] + digit
    return result
