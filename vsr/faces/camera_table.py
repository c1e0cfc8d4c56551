"""Coefficients of `vsr.faces.camera`, written by ``tests/bench/evidence.py fit``."""

LOW = (0.337, 0.712, 1.537, 1.960, -0.540, -0.125, 0.785, 1.378, -0.267)
HIGH = (2.565, 2.757, 3.008, 3.300, 1.954, 2.304, 2.815, 3.165, 2.152)
"""range of the features in the stills: outside of it nothing was learnt"""
BLUR = (0.908, -1.108, -0.435, 0.477, 0.392, 0.412, -0.429, 0.391, -0.214, 0.002)
"""constant, then one for each feature: low-resolution pixels"""
TOLERANCES = (
    (1.192, 0.950, -1.746, 2.407, -0.863, -1.419, 0.991, -0.281, -0.045, -0.256),
    (0.479, 0.754, -1.146, 1.776, -0.509, -1.272, 0.762, -0.256, -0.058, -0.191),
    (1.643, -0.143, -0.705, 0.893, -0.215, -0.840, 0.622, 0.485, -0.234, -0.181),
)
"""the same for logarithms of what right pictures keep within: fine, coarse, colour"""
