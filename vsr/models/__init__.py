"""Networks, their weights, and the batching upscaler."""

import os

# Keras reads its backend once, at import; TensorFlow its log level. Both must stand before.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
