"""Networks as torch's own modules, and back; one family of layers a file, both ways in it."""
