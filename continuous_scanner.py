"""The continuous scanner: watch markets on four timeframes, from a shell or from a program.

``python continuous_scanner.py --help`` tells what the program takes; the classes below are what programs import.
"""

from __future__ import annotations

import os
import sys

from scanner.config import StreamConfig
from scanner.records import CandleCluster, MarketTick
from scanner.runtime.facade import ContinuousMultiTimeframeScanner, run_continuous_scanner
from scanner.store.persistence import DataPersistenceManager, get_training_dataset
from scanner.terminal.session import main

__all__ = [
    "CandleCluster",
    "ContinuousMultiTimeframeScanner",
    "DataPersistenceManager",
    "MarketTick",
    "StreamConfig",
    "get_training_dataset",
    "run_continuous_scanner",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
