"""What weights tell: singular spectra (eq. 13) and scores (eq. 16)."""
