"""`python -m nas_surgery` is the command line."""

from nas_surgery.cli import main

main()
