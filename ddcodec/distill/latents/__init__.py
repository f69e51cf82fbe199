"""What is optimised: integers, the wishes they follow, and the networks that decode them."""
