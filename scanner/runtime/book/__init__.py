"""The book of an exchange: what its answers become, which candles are final, and who gets them."""
