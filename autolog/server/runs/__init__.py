"""The routes of runs: listed, read, drawn, exported, edited, taken away."""
