"""Training: data, losses, the two phases (pixel, then adversarial), the loop and its export."""
