"""Networks, their specs and weights, and the batching upscaler."""
