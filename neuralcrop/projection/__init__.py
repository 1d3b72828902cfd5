"""Yields under other climates: change factors, runs of all members, files, maps and a summary."""
