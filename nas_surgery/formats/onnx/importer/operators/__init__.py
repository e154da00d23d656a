"""What is made of each operator, one family a file."""
