"""How good a model is: fidelity, perception, identity; models against each other."""
