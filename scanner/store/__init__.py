"""Files: the only writer of the data folder, and the reader of it."""
