"""Run `python -m ddcodec.cli` as `ddc`."""

from ddcodec.cli import main

main()
