"""vsr: makes the small, blurred faces in a video clear."""

__version__ = "0.1.0"
