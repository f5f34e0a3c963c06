"""Hyper-parameters chosen as the paper chose them: the best of many trials."""
