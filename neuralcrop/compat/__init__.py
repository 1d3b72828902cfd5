"""Doors for users of other crop models: their inputs, their names, their units."""
