"""History into the store: candles that are missing, then the final signals of all of it."""
