"""What people look at: bytes by part, curves, reports, sweeps, published points."""
