"""Run `python -m ddcodec` as `ddc`; so does `torchrun -m ddcodec` in several processes."""

from ddcodec.cli import main

main()
