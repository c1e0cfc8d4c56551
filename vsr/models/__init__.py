"""Networks, their weights, and the batching upscaler."""

import os

# Keras reads its backend once, at import; TensorFlow its log level and allocator. All must stand
# before. TensorFlow's own pool keeps the pages of tensors; glibc hands them back after every
# operation, and clearing them anew took a fifth of the processor time of a run.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
