"""The dictionary of a tile's attribute values: which code stands where (Mapbox Vector Tile 2.1 §4.4). Compiled, nogil."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def placed(code, table, seen, known):
    """Where a value stands in a tile's dictionary of `known` values, entered if it is new, and how many there are then. `table`: open addressing, half full at most."""
    mask = len(table) // 2 - 1
    slot = (np.int64(code) * np.int64(40503)) & mask
    while table[2 * slot] != code:
        if table[2 * slot] < 0:
            table[2 * slot] = code
            table[2 * slot + 1] = known
            seen[known] = code
            known += 1
            break
        slot = (slot + 1) & mask
    return table[2 * slot + 1], known


@njit(nogil=True, cache=True)
def enter(codes, table, seen):
    """Enters values into an empty dictionary; returns how many."""
    known = 0
    for code in codes:
        _, known = placed(code, table, seen, known)
    return known


@njit(nogil=True, cache=True)
def note(ranges, wide, box, dead, regions, allowed, codes, columns, table, seen, near):
    """Enters the values of rows near a tile into its dictionary, so that several may draw the tile's rows at once and only read it. Returns how many values, and how many rows `near` then names."""
    known = rows = 0
    for segment in range(len(ranges)):
        for row in range(ranges[segment, 0], ranges[segment, 1]):
            if box[row, 0] > wide[2] or box[row, 2] < wide[0] or box[row, 1] > wide[3] or box[row, 3] < wide[1] or dead[row] or not allowed[regions[row]]:
                continue
            near[rows] = row
            rows += 1
            for key in range(len(columns)):
                code = codes[row, columns[key]]
                if code < 0:
                    continue
                _, known = placed(code, table, seen, known)
    return known, rows


@njit(nogil=True, cache=True)
def gather(values, at, codes):
    """The bytes of some values, one after another. `at`: where each value begins, and where the last one ends."""
    size = 0
    for code in codes:
        size += at[code + 1] - at[code]
    out = np.empty(size, np.uint8)
    n = 0
    for code in codes:
        for k in range(at[code], at[code + 1]):
            out[n] = values[k]
            n += 1
    return out
