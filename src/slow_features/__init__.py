"""World models on a moving dot: a reproduction of Sobal et al. 2022 (arXiv 2211.10831)."""
