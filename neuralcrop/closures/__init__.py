"""Occupants of the model's closure slots: published equations or bounded neural networks."""
