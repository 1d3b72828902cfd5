"""What observations of seasons can tell of parameters: Fisher information and twin experiments."""
