"""Phase 3: integer networks, and the last bytes to the budget."""
