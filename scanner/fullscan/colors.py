"""The colours of both kinds of plots: one colour, one meaning."""

SIDES = {"BUY": "#1a7f5a", "SELL": "#b3402e", "HOLD": "#7d8694"}
REGIMES = {"bull": "#3566a8", "bear": "#b98a1d", "ranging": "#a3afc2", "unknown": "#dfe3e9"}
