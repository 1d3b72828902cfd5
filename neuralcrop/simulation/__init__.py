"""Running the model: integration, events, blocks of cells, restart."""
