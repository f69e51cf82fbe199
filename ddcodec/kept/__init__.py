"""What runs leave on disk: written whole, sealed, checked before use, by one process at a time."""
