"""What each of the four streams does in one run: one file for each."""
