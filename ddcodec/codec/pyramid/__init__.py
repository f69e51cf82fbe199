"""The decoder of the paper, a pyramid of latent grids: in float and in integers."""
