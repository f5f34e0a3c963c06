"""Encoders, predictors and the model types built from them."""
