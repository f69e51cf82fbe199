"""Latents, networks and labels ⇄ the symbols of a file."""

from ddcodec.codec.context.context import CONTEXT_MODELS
from ddcodec.codec.synthesis import DECODERS

__all__ = ["CONTEXT_MODELS", "DECODERS"]
