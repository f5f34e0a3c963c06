"""The loss terms, each over all time steps at once."""
