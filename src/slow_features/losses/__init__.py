"""One module per loss term."""
