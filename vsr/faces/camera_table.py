"""Coefficients of `vsr.faces.camera`, written by ``tests/bench/evidence.py fit``."""

LOW = (0.338, 0.712, 1.546, 1.995, -0.485, -0.042, 0.843, 1.394, -0.267)
HIGH = (2.565, 2.757, 3.008, 3.269, 1.958, 2.320, 2.815, 3.165, 2.152)
"""range of the features in the stills: outside of it nothing was learnt"""
BLUR = (0.884, -1.108, -0.437, 0.484, 0.402, 0.410, -0.425, 0.384, -0.218, 0.002)
"""constant, then one for each feature: low-resolution pixels"""
TOLERANCES = (
    (1.196, 0.950, -1.745, 2.406, -0.864, -1.418, 0.988, -0.279, -0.046, -0.256),
    (0.531, 0.806, -1.252, 1.810, -0.558, -1.260, 0.732, -0.216, -0.029, -0.191),
    (1.648, -0.160, -0.680, 0.875, -0.216, -0.837, 0.617, 0.484, -0.228, -0.175),
)
"""the same for logarithms of what right pictures keep within: fine, coarse, colour"""
