"""LARS and the learning-rate schedule."""
