"""Learning parameters, parameter networks and closures from observed yields."""
