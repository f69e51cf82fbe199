"""What a run is asked to do, in Python and as TOML."""
