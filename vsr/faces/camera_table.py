"""Coefficients of `vsr.faces.camera`, written by ``tests/bench/evidence.py fit``."""

LOW = (0.337, 0.712, 1.537, 1.960, -0.540, -0.125, 0.785, 1.378, -0.267)
HIGH = (2.565, 2.757, 3.008, 3.300, 1.954, 2.304, 2.815, 3.165, 2.152)
"""range of the features in the stills: outside of it nothing was learnt"""
BLUR = (0.908, -1.108, -0.435, 0.477, 0.392, 0.412, -0.429, 0.391, -0.214, 0.002)
"""constant, then one for each feature: low-resolution pixels"""
TOLERANCES = (
    (0.645, 0.088, -0.495, 1.339, -0.617, -0.854, 0.276, 0.167, 0.039, -0.352),
    (0.183, 0.310, -0.569, 1.167, -0.497, -0.800, 0.223, 0.047, 0.068, -0.250),
    (0.814, -0.133, -0.580, 1.204, -0.495, -0.711, 0.568, 0.294, -0.111, -0.311),
)
"""the same for the logarithms of fine, coarse and colour differences, 8-bit levels"""
LIMITS = (1.169, 0.979, 0.855)
"""what nearly all right pictures keep within, above that"""
