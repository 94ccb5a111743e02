"""Turns rows into what a map shows: the layer catalogue, tiles, imports, exports."""
