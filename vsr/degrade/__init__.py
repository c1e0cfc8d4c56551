"""From HR to LR: blur, downsampling, noise and compression, seeded, for training and evaluation.

`image` is the reference on the CPU (PIL's filter, OpenCV's JPEG encoder); `layers` does the
same on whatever device Keras runs on. `recipe` says how strong and how often.
"""
