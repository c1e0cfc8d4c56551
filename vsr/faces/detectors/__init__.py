"""Implementations of `vsr.faces.detector.FaceDetector`, one file each."""
