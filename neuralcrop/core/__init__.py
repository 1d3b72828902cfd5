"""The nouns of the model: variables, state, parameters, forcing, ledger, numerics."""
