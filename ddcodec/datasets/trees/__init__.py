"""Images in folders and archives."""
