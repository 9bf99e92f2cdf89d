"""What faults do to a request on its way through the server."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Sequence

import orjson
from aiohttp import web

from scanner.simulated import binance, kucoin
from scanner.simulated.faults import Drip, Empty, Fault, Faults, Hang, Holes, Html, Nulls, Reset, Status, Truncated

_LOOK_S = 0.02  # how often a hanging request looks whether it may go on
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_EPOCH_MS = 10**11  # whole numbers beyond are times
_PAGE = b"<!DOCTYPE html><html><head><title>Attention</title></head><body><h1>Please wait</h1></body></html>"


async def before_answer(
    request: web.BaseRequest, present: Sequence[Fault], faults: Faults
) -> web.StreamResponse | None:
    """Hang, cut the connection, or answer in place of the exchange; None to go on as usual."""
    for fault in present:
        if isinstance(fault, Hang):
            await _until_cleared(faults)
        elif isinstance(fault, Reset):
            cut(request)
            return web.Response()  # which nobody gets
        elif isinstance(fault, Status):
            return _status(request.path, fault)
        elif isinstance(fault, Html):
            return web.Response(status=fault.code, body=_PAGE, content_type="text/html")
    return None


def body_under(present: Sequence[Fault], body: bytes) -> bytes:
    """The answer's JSON after what these faults do to it."""
    for fault in present:
        if isinstance(fault, Nulls):
            body = orjson.dumps(_nulled(orjson.loads(body), fault.value))
        elif isinstance(fault, Holes):
            body = orjson.dumps(_with_holes(orjson.loads(body), fault.value))
        elif isinstance(fault, Truncated):
            body = body[: len(body) // 2]
        elif isinstance(fault, Empty):
            body = b""
    return body


async def send(
    request: web.BaseRequest, status: int, headers: dict[str, str], body: bytes, present: Sequence[Fault]
) -> web.StreamResponse:
    """The answer, at once or dripping."""
    drip = next((fault for fault in present if isinstance(fault, Drip)), None)
    kind = "application/json"
    if drip is None:
        return web.Response(status=status, headers=headers, body=body, content_type=kind, charset="utf-8")
    slow = web.StreamResponse(status=status, headers=headers)
    slow.content_type, slow.content_length = kind, len(body)
    await slow.prepare(request)
    for i in range(0, len(body), drip.piece_bytes):
        await slow.write(body[i : i + drip.piece_bytes])
        await asyncio.sleep(drip.pause_s)
    await slow.write_eof()
    return slow


async def _until_cleared(faults: Faults) -> None:
    before = faults.clearings
    while faults.clearings == before:
        await asyncio.sleep(_LOOK_S)


def cut(request: web.BaseRequest) -> None:
    """Close so that the client sees a reset, not an end."""
    transport = request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


def _status(path: str, fault: Status) -> web.Response:
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    protocol = kucoin if path in kucoin.ROUTES else binance
    body = orjson.dumps(protocol.trouble(fault.code))
    return web.Response(status=fault.code, headers=headers, body=body, content_type="application/json")


def _with_holes(answer: object, put: str | None) -> object:
    """JSON whose table of candles, whichever way round, has lost the numbers of every second row but the newest."""
    if isinstance(answer, dict):
        return {key: _with_holes(inner, put) for key, inner in answer.items()}
    if not isinstance(answer, list) or not all(isinstance(row, list) for row in answer):
        return answer
    oldest_first = sorted(answer, key=lambda row: row[0])
    spoilt = {id(row) for row in oldest_first[-2::-2]}
    return [_nulled(row, put) if id(row) in spoilt else row for row in answer]


def _nulled(value: object, put: str | None) -> object:
    """JSON with `put` for every number that is no time, be it written as text or not."""
    if isinstance(value, dict):
        return {key: inner if key == "code" else _nulled(inner, put) for key, inner in value.items()}
    if isinstance(value, list):
        return [_nulled(inner, put) for inner in value]
    if isinstance(value, bool) or (isinstance(value, int) and value >= _EPOCH_MS):
        return value
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return put
    return value
