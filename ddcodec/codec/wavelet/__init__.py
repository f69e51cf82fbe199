"""The wavelet decoder: in float for training, in integers for decoding."""
