"""Model sets: which stocks, fluxes and processes make a model, and the order of a day."""
