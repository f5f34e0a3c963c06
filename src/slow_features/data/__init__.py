"""The moving dot: trajectories, frames, noise and the stored data set."""
