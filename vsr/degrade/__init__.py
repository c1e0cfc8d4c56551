"""Blur, downsampling, noise and compression, seeded, for training and evaluation."""
