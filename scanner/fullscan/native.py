"""Rows as JSON can carry them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd


def native_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a scan as dicts of str, int, float, bool, list and None; times in ISO-8601 UTC, missing as None."""
    return [native_row({str(name): value for name, value in row.items()}) for row in table.to_dict("records")]


def native_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of one row."""
    return {name: native(value) for name, value in row.items()}


def native(value: Any) -> Any:
    """One value without numpy and pandas in it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [native(item) for item in value]
    if value is None or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.isoformat() if isinstance(value, datetime) else value
