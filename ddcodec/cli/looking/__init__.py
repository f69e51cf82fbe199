"""Commands that take a file as it is: decode, show, judge."""
