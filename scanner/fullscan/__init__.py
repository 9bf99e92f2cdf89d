"""The full scan: everything `ta` and a set of scores can say about the best markets of an exchange.

Formulas are pure and each idea has its file; `scan` puts them together in two steps, `standalone` and `scanner` add an
exchange, `results` what can be asked afterwards.
"""
