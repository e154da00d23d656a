"""Studies: searches, baselines and controls over specs, seeds and repeats, side by side, and the table of them."""
