"""Datasets known by name, from their official files."""
