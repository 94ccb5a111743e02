"""What is measured, side by side with peers: `python -m benchmarks.NAME` prints a table and, last, one JSON object."""
