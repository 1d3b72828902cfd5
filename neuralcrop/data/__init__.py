"""From xarray to tensors: forcing, soil, calendars, management, yields, demonstration data."""
