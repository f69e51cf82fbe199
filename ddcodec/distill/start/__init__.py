"""Phase 1: images to start from, as integers, and networks fitted to them."""
