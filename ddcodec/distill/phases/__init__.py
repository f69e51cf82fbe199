"""The phases of a run, one file each: start, fit, joint optimisation, settling."""
