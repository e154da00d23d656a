"""A trained network in, a smaller one out: how much goes where, what is left, and who makes up for it."""
