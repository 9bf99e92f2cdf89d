"""The answer of a scan that somebody waited for: signals and how long everything took. Pure."""

from __future__ import annotations

from typing import Any

from scanner.api.base_parsing import ALL, SignalFilter
from scanner.runtime.base.table import ScanReport


def metadata_of(report: ScanReport, count: int, wanted: SignalFilter, filtering_s: float) -> dict[str, Any]:
    """`metadata` of a synchronous answer with `count` signals; a single and a parallel scan tell different things."""
    about: dict[str, Any] = {
        "count": count,
        "timeframe": report.order.timeframe,
        "timestamp": report.finished.isoformat(),
        "duration_seconds": _seconds(report.duration_s + filtering_s),
        "filters_applied": {"signal": wanted.signal or ALL, "minStrength": wanted.min_strength},
    }
    return {**about, **(_parallel if report.order.parallel else _single)(report, about, filtering_s)}


def _single(report: ScanReport, about: dict[str, Any], filtering_s: float) -> dict[str, Any]:
    exchange = report.order.exchanges[0]
    return {
        "total_scanned": report.scanned,
        "exchange": exchange,
        "filters_applied": {**about["filters_applied"], "exchange": exchange},
        "performance": {
            "initialization_seconds": _seconds(report.opening_s),
            "scan_execution_seconds": _seconds(report.duration_s - report.opening_s),
            "filtering_seconds": _seconds(filtering_s),
            "total_seconds": _seconds(report.duration_s + filtering_s),
        },
    }


def _parallel(report: ScanReport, about: dict[str, Any], filtering_s: float) -> dict[str, Any]:
    one_by_one = sum(outcome.duration_s for outcome in report.outcomes)
    return {
        "mode": "parallel",
        "exchanges": list(report.order.exchanges),
        "exchange_details": {
            outcome.exchange: {
                "duration_seconds": _seconds(outcome.duration_s),
                "success": outcome.error is None,
                "error": outcome.error,
                "signals_found": len(outcome.rows),
            }
            for outcome in report.outcomes
        },
        "performance": {
            "parallel_duration": _seconds(report.duration_s),
            "sequential_duration_estimated": _seconds(one_by_one),
            "speedup": round(one_by_one / report.duration_s, 2) if report.duration_s > 0 else 1.0,
            "time_saved_seconds": _seconds(max(one_by_one - report.duration_s, 0.0)),
            "filtering_seconds": _seconds(filtering_s),
            "successful_scans": len(report.outcomes) - len(report.failures),
            "failed_scans": len(report.failures),
        },
    }


def _seconds(duration_s: float) -> float:
    return round(duration_s, 2)
