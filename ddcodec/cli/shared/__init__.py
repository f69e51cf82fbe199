"""What several commands share: options, the console, loading, training of networks."""
