"""Files of strangers as a stream of clean rows: one file a family of formats, bounded batches, a process of its own for what is large or runs foreign code.

`kinds` says what a file is, the format files yield `batches.Batch`, `pipeline` puts them into storage coordinates and cleans them, `apart` runs all of it in a
process with limits. `layers.readers` is the door.
"""
