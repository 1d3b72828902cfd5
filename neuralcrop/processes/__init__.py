"""Processes of the day: parameters + closure slots + physics -> fluxes. They never touch state."""
