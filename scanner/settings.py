"""Settings of the process, as one table: name, default and meaning; each is an environment variable.

What a scan does is in `config.StreamConfig`; here stands where the process listens, where it keeps its files and what
it scans when nobody says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import InvalidInput
from scanner.markets import parse_symbol
from scanner.renames import KNOWN
from scanner.universe import ALL, Universe

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
NEVER_EMPTY = ("host", "data_dir")


def _setting(
    default: Any,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    *,
    secret: bool = False,
    check: str | None = None,
) -> Any:
    facts = {"meaning": meaning, "low": low, "high": high, "check": check}
    return field(default=default, repr=not secret, metadata=facts)


@dataclass(frozen=True)
class Settings:
    """Where and how this process runs; `from_env` reads ``SCANNER_<NAME>``."""

    host: str = _setting("127.0.0.1", "address the API listens on")
    port: int = _setting(5001, "port the API listens on; 0 takes a free one", 0, 65535)
    data_dir: str = _setting("training_data", "folder of the training data")
    state_dir: str = _setting("", "folder in which the processes of this host share request weight and bans")
    symbols: str = _setting("", "symbols to scan when a start names none, comma separated, or all", check="symbols")
    universe: str = _setting("", "rule that chooses what to scan when a start names nothing", check="universe")
    renames: str = _setting("", "renames of coins besides the known ones, OLD=NEW, comma separated", check="renames")
    memory_mb: int = _setting(0, "memory that a scan is planned for, in MB; 0 is what is free", 0, 10_000_000)
    simulated: bool = _setting(False, "scan the embedded simulated exchange when a start names no exchange")
    replay: str = _setting("", "file or folder of recorded candles to scan when a start names no exchange")
    speed: float = _setting(1.0, "market seconds per real second on a simulated or replayed exchange", 0.1, 100_000)
    seed: int = _setting(7, "seed of the simulated market", 0, 2**31 - 1)
    simulated_markets: int = _setting(22, "coins of the simulated market", 1, 5000)
    autostart: bool = _setting(False, "start scanning with the defaults as soon as the server is up")
    resume: bool = _setting(
        False, "after a crash or a reboot start again what was being scanned; a stop ends that wish"
    )
    keep_days: int = _setting(0, "days of training data that are kept; 0 is all", 0, 36_500)
    keep_mb: int = _setting(0, "MB that the training data may take, the oldest go; 0 is any", 0, 10_000_000)
    keep_free_mb: int = _setting(
        0, "MB of the disk to leave free, the oldest training data go; 0 is none", 0, 10_000_000
    )
    cors_origins: str = _setting(
        "http://localhost:5000,http://localhost:5173,http://localhost:5001,"
        "http://127.0.0.1:5000,http://127.0.0.1:5173,http://127.0.0.1:5001",
        "web origins that may call the API from a browser, comma separated",
    )
    api_key: str = _setting("", "what callers must show as bearer token to start, stop or change anything", secret=True)
    allow_anonymous: bool = _setting(False, "listen beyond this machine although anybody may then start and stop scans")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """The settings an environment asks for.

        Raises
        ------
        InvalidInput
            A variable has the wrong type or lies outside its range; the message names the variable.
        """
        texts = {spec.name: environ.get(variable(spec.name)) for spec in dataclasses.fields(cls)}
        return cls().changed(texts, variable)

    @property
    def state_folder(self) -> Path:
        """`state_dir`, or a folder of the user's where none is named."""
        home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(self.state_dir or f"{home}/continuous-scanner").expanduser()

    def changed(self, texts: Mapping[str, str | None], called: Callable[[str], str]) -> Settings:
        """These settings with some given as text; None changes nothing.

        Parameters
        ----------
        called : function
            What the name of a setting is called where the texts come from, for messages.

        Raises
        ------
        InvalidInput
            A text has the wrong type or lies outside its range.
        """
        values: dict[str, Any] = {
            spec.name: _parsed(spec, text, called(spec.name))
            for spec in dataclasses.fields(self)
            if (text := texts.get(spec.name)) is not None
        }
        return dataclasses.replace(self, **values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"SCANNER_{name.upper()}"


def option(name: str) -> str:
    """The command line option of a setting."""
    return f"--{name.replace('_', '-')}"


def _parsed(spec: dataclasses.Field[Any], text: str, called: str) -> object:
    """The text of one setting in the type of its field."""
    if spec.type == "bool":
        if text.lower() not in TRUE + FALSE:
            raise InvalidInput(called, text, "is not 1 or 0")
        return text.lower() in TRUE
    if spec.name == "log_level" and text.upper() not in LEVELS:
        raise InvalidInput(called, text, f"is not one of {', '.join(LEVELS)}")
    if spec.name in NEVER_EMPTY and not text.strip():
        raise InvalidInput(called, text, "is empty")
    if spec.name == "api_key":
        return _key(text, called)
    if spec.metadata["check"] is not None and text.strip():
        CHECKS[spec.metadata["check"]](text, called)
    if spec.type == "str":
        return text
    return _number(text, called, spec.type == "int", spec.metadata["low"], spec.metadata["high"])


def listed(text: str, called: str) -> list[str]:
    """The names between the commas of a text. Raises InvalidInput."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InvalidInput(called, text, "is not a list of names between commas")
    return parts


def _check_symbols(text: str, called: str) -> None:
    if text.strip().lower() != ALL:
        for part in listed(text, called):
            parse_symbol(part, called)


# A text setting whose value has a form of its own is read once when it is taken, so that a slip shows at once.
CHECKS: dict[str, Callable[[str, str], object]] = {
    "symbols": _check_symbols,
    "universe": Universe.from_text,
    "renames": KNOWN.extended,
}


def _number(text: str, called: str, whole: bool, low: float, high: float) -> float:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise InvalidInput(called, text, f"is not a {'whole ' if whole else ''}number from {low} to {high}")
    return number


def _key(text: str, called: str) -> str:
    """An API key as it can stand in a header. The message of a refusal does not hold it."""
    key = text.strip()
    if not all("!" <= sign <= "~" for sign in key):
        raise InvalidInput(called, "(hidden)", "is not printable ASCII without blanks")
    return key
