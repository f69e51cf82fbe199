"""Commands that make something: files, and the networks that making them takes."""
