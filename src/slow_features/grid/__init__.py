"""The grid of the paper: its cells, scales and claims."""
