"""The full scan: rank all markets of an exchange once, from a shell or from a program.

``python momentum_scanner.py --help`` tells what the program takes; the classes below are what programs import.
"""

from __future__ import annotations

import os
import sys

from scanner.fullscan.indicators import TechnicalIndicators
from scanner.fullscan.scanner import MomentumScanner
from scanner.fullscan.settings import TradingConfig, get_dynamic_config
from scanner.fullscan.standalone import scan_exchange, scan_timeframes
from scanner.terminal.full_scan import main

__all__ = [
    "MomentumScanner",
    "TechnicalIndicators",
    "TradingConfig",
    "get_dynamic_config",
    "scan_exchange",
    "scan_timeframes",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
