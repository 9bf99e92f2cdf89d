"""A continuous scanner for whole crypto markets.

The rooms: `core` knows numbers (numpy alone), `gateway` exchanges (ccxt), `store` files, `runtime` threads and time,
`api` HTTP, `simulated` a loopback exchange. Arrows point inwards only.
"""
