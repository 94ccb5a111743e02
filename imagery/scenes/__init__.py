"""From above: satellite scenes, pairs of them, what changed between two dates, and fire detections."""
