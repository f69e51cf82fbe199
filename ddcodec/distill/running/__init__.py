"""A run as a machine: steps that are logged, kept, interrupted and resumed."""
