"""StreamConfig and Settings: tables of frozen values, refused by name when wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import STYLES, StreamConfig
from scanner.errors import InvalidInput
from scanner.settings import Settings, option, variable

NUMBERS = [spec for spec in dataclasses.fields(StreamConfig) if "low" in spec.metadata]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


# --- StreamConfig --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", NUMBERS, ids=lambda spec: spec.name)
def test_the_ends_of_a_range_belong_to_it_and_what_lies_beyond_does_not(spec: dataclasses.Field[Any]) -> None:
    low, high = spec.metadata["low"], spec.metadata["high"]
    for value in (low, high, spec.default):
        assert getattr(StreamConfig(**{spec.name: value}), spec.name) == value
    for value in (low - 1, high + 1, -(10**400), 10**400, float("nan"), float("inf"), "1", None, True):
        with pytest.raises(InvalidInput, match=rf"^{spec.name}: .* from {low} to {high}$"):
            StreamConfig(**{spec.name: value})


@pytest.mark.parametrize("spec", NUMBERS, ids=lambda spec: spec.name)
def test_whole_numbers_stay_whole_and_fractions_become_floats(spec: dataclasses.Field[Any]) -> None:
    value = getattr(StreamConfig(**{spec.name: spec.metadata["high"]}), spec.name)
    assert type(value).__name__ == spec.type
    if spec.type == "int":
        with pytest.raises(InvalidInput, match=rf"^{spec.name}: .* is not a whole number"):
            StreamConfig(**{spec.name: spec.metadata["low"] + 0.5})


@pytest.mark.parametrize(("name", "value"), [("scoring", "magic"), ("live_record", "ALL"), ("scoring", ["absolute"])])
def test_a_choice_is_one_of_its_options(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=rf"^{name}: .* is not one of "):
        StreamConfig(**{name: value})


@pytest.mark.parametrize(
    ("timeframes", "named"),
    [
        ({}, "timeframes: "),
        ([], "timeframes: "),
        ("5m", "timeframes: "),
        ({f"s{i}": "5m" for i in range(13)}, "timeframes: "),
        ({"scalp": "7m"}, r"timeframes\.scalp: '7m' is not one of 1m, "),
        ({"scalp": 5}, r"timeframes\.scalp: 5"),
        ({"scalp": ["5m"]}, r"timeframes\.scalp: "),
        ({"../x": "5m"}, "timeframes: '../x' is not a style name"),
        ({"": "5m"}, "timeframes: '' is not a style name"),
        ({5: "5m"}, "timeframes: 5 is not a style name"),
        ({"a": "5m", "b": "5m"}, "timeframes: .* names one timeframe twice"),
        ({"a": "3m", "b": "5m"}, r"timeframes\.b: '5m' is not a multiple of the shortest one, 3m"),
    ],
)
def test_wrong_timeframes_are_refused_by_name(timeframes: object, named: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{named}"):
        StreamConfig(timeframes=timeframes)  # type: ignore[arg-type]


def test_timeframes_replace_the_whole_map_and_keep_their_order() -> None:
    config = StreamConfig(timeframes={"slow": "1h", "fast": "1m"})
    assert config.styles == {"slow": "1h", "fast": "1m"}
    assert [*config.styles] == ["slow", "fast"]
    assert config.base_timeframe == "1m"


def test_a_config_owns_its_timeframes() -> None:
    given = {"fast": "1m"}
    config = StreamConfig(timeframes=given)
    given["other"] = "5m"
    config.styles["third"] = "1h"
    assert config.styles == {"fast": "1m"}
    assert StreamConfig().styles == STYLES


def refusal_of(values: Any) -> str:
    """Why these values are no config, '' when they are one."""
    try:
        StreamConfig.from_mapping(values)
    except InvalidInput as error:
        return str(error)
    return ""


@given(ANYTHING)
def test_any_json_is_a_config_or_refused_with_the_field(values: Any) -> None:
    refusal = refusal_of(values)
    assert refusal.startswith("config") if refusal else StreamConfig.from_mapping(values) == StreamConfig(**values)


@given(st.sampled_from([spec.name for spec in dataclasses.fields(StreamConfig)]), ANYTHING)
def test_any_value_of_a_known_field_is_taken_or_refused_with_its_name(name: str, value: Any) -> None:
    refusal = refusal_of({name: value})
    assert not refusal or refusal.startswith(f"config.{name}")
    assert refusal.isascii()


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"^config\.momentum_bais: 0\.5 is unknown; known are .*momentum_bias"):
        StreamConfig.from_mapping({"momentum_bais": 0.5})


def test_all_fields_are_plain_values_and_come_back() -> None:
    config = StreamConfig(momentum_bias=0.25, timeframes={"fast": "1m"})
    assert StreamConfig.from_mapping(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize("spec", NUMBERS, ids=lambda spec: spec.name)
def test_the_fingerprint_changes_with_what_detectors_see_and_with_nothing_else(spec: dataclasses.Field[Any]) -> None:
    changed = StreamConfig(**{spec.name: spec.metadata["high"]})
    same = changed.params_id == StreamConfig().params_id
    assert same is not (spec.metadata["detector"] and spec.default != spec.metadata["high"])


def test_every_field_has_a_meaning() -> None:
    assert all(spec.metadata["meaning"] for kind in (StreamConfig, Settings) for spec in dataclasses.fields(kind))


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StreamConfig().momentum_bias = 0.5  # type: ignore[misc]


# --- Settings ------------------------------------------------------------------------------------------------------


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings.from_env({"SCANNER_NO_SUCH": "1", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("", False), ("No", False)],
)
def test_a_switch_is_on_or_off_in_several_words(text: str, value: bool) -> None:
    assert Settings.from_env({"SCANNER_SIMULATED": text}).simulated is value


def test_variables_are_read_in_the_type_of_their_setting() -> None:
    settings = Settings.from_env(
        {
            "SCANNER_PORT": "0",
            "SCANNER_SPEED": "2.5",
            "SCANNER_DATA_DIR": "/d",
            "SCANNER_REPLAY": "",
            "SCANNER_SEED": "9",
        }
    )
    assert (settings.port, settings.speed, settings.data_dir, settings.replay, settings.seed) == (0, 2.5, "/d", "", 9)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("PORT", text) for text in ("http", "-1", "65536", "5001.5", "")),
        *(("SPEED", text) for text in ("0", "nan", "inf", "1e9", "fast", "")),
        *(("SIMULATED", text) for text in ("2", "maybe", " ")),
        *(("LOG_LEVEL", text) for text in ("LOUD", "")),
        *(("DATA_DIR", text) for text in ("", " ")),
        ("HOST", ""),
        ("SEED", "-1"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^SCANNER_{name}: "):
        Settings.from_env({f"SCANNER_{name}": text})


def test_settings_changed_from_elsewhere_are_called_as_there() -> None:
    assert Settings(seed=3).changed({"speed": "2", "data_dir": None}, option) == Settings(seed=3, speed=2.0)
    with pytest.raises(InvalidInput, match=r"^--log-level: 'LOUD' is not one of DEBUG"):
        Settings().changed({"log_level": "LOUD"}, option)


def test_names_of_variables_and_options_follow_the_setting() -> None:
    assert (variable("data_dir"), option("data_dir")) == ("SCANNER_DATA_DIR", "--data-dir")
