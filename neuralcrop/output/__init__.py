"""From arrays of cells to CF datasets, files and maps."""
