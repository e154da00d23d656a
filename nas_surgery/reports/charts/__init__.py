"""Charts, drawn by matplotlib on axes that they are given; the page, the files for papers and `nas_surgery.plot` share them."""
