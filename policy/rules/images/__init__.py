"""Images: what runs is exactly what was reviewed, from a place that is trusted."""
