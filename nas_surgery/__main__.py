"""`python -m nas_surgery` is the command line."""

from nas_surgery_command import main

main()
