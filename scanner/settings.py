"""Settings of the process, as one table: name, default and meaning; each is an environment variable.

What a scan does is in `config.StreamConfig`; here stands where the process listens, where it keeps its files and what
it scans when nobody says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.errors import InvalidInput

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _setting(
    default: Any, meaning: str, low: float | None = None, high: float | None = None, *, secret: bool = False
) -> Any:
    return field(default=default, repr=not secret, metadata={"meaning": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """Where and how this process runs; `from_env` reads ``SCANNER_<NAME>``."""

    host: str = _setting("127.0.0.1", "address the API listens on")
    port: int = _setting(5001, "port the API listens on; 0 takes a free one", 0, 65535)
    data_dir: str = _setting("training_data", "folder of the training data")
    simulated: bool = _setting(False, "scan the embedded simulated exchange when a start names no exchange")
    replay: str = _setting("", "file or folder of recorded candles to scan when a start names no exchange")
    speed: float = _setting(1.0, "market seconds per real second on a simulated or replayed exchange", 0.1, 100_000)
    seed: int = _setting(7, "seed of the simulated market", 0, 2**31 - 1)
    autostart: bool = _setting(False, "start scanning with the defaults as soon as the server is up")
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
        values: dict[str, Any] = {
            spec.name: _parsed(spec, environ[variable(spec.name)])
            for spec in dataclasses.fields(cls)
            if variable(spec.name) in environ
        }
        return cls(**values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"SCANNER_{name.upper()}"


def _parsed(spec: dataclasses.Field[Any], text: str) -> object:
    """The text of one variable in the type of its field."""
    if spec.type == "bool":
        if text.lower() not in TRUE + FALSE:
            raise InvalidInput(variable(spec.name), text, "is not 1 or 0")
        return text.lower() in TRUE
    if spec.name == "log_level" and text.upper() not in LEVELS:
        raise InvalidInput(variable(spec.name), text, f"is not one of {', '.join(LEVELS)}")
    if spec.name == "api_key":
        return _key(text)
    if spec.type == "str":
        return text
    low, high = spec.metadata["low"], spec.metadata["high"]
    try:
        number = int(text) if spec.type == "int" else float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise InvalidInput(variable(spec.name), text, f"is not a number from {low} to {high}")
    return number


def _key(text: str) -> str:
    """An API key as it can stand in a header. The message of a refusal does not hold it."""
    key = text.strip()
    if not all("!" <= sign <= "~" for sign in key):
        raise InvalidInput(variable("api_key"), "(hidden)", "is not printable ASCII without blanks")
    return key
