"""What all results of a batch share: one value per market in every field, and rows that can be picked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np


class Batch:
    """Base of the frozen dataclasses whose fields are arrays [...], or such dataclasses themselves."""

    def take(self, index: object) -> Self:
        """The chosen rows: `index` applies to the leading axes of every field."""
        return self._map(lambda field: np.asarray(field[index]))

    def reshape(self, shape: tuple[int, ...]) -> Self:
        """The same rows under other leading axes."""
        return self._map(lambda field: field.reshape(shape))

    def _map(self, change: Callable[[Any], Any]) -> Self:
        values = _fields(self).items()
        return type(self)(**{n: v._map(change) if isinstance(v, Batch) else change(v) for n, v in values})


B = TypeVar("B", bound=Batch)


def joined(parts: Sequence[B]) -> B:
    """Batches of rows [n], one after the other."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: [getattr(part, name) for part in parts] for name in _fields(parts[0])}
    return type(parts[0])(
        **{
            n: joined(column) if isinstance(column[0], Batch) else np.concatenate(column)
            for n, column in columns.items()
        }
    )


def _fields(batch: Batch) -> dict[str, Any]:
    return {spec.name: getattr(batch, spec.name) for spec in dataclasses.fields(batch)}  # type: ignore[arg-type]
