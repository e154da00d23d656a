"""Networks as Keras's own models, and back; one family of layers a file, both ways in it."""
