"""The context model: what is known already → how likely the next latent is."""
