"""The standalone program: options, a live table or log lines, a summary at the end."""
