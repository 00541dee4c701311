"""The wire format: one JSON header and named arrays, for pipes and for browsers; nothing in it can run code.

A message is a 4-byte little-endian header length, the header as strict JSON (padded with spaces), then raw arrays.
The header's "arrays" lists name, dtype, shape and offset; offsets count from the header's end, and every array
starts at a multiple of 8 from the start of the message. All numbers are little-endian.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

KINDS = "biuf"
"""Kinds of array that travel: booleans, integers and floating-point numbers."""

MAX_FRAME = 2**31


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return ``header`` and ``arrays`` as one message.

    Raises:
        ValueError: for a header that is not strict JSON (NaN) or uses the name "arrays", or an array of objects.
    """
    if "arrays" in header:
        raise ValueError('wire: "arrays" is taken in a header; it lists the arrays that follow.')
    entries, parts, offset = [], [], 0
    for name, array in arrays.items():
        flat = _plain(name, array)
        entries.append({"name": name, "dtype": flat.dtype.str, "shape": list(flat.shape), "offset": offset})
        padding = -flat.nbytes % 8
        parts += [flat.tobytes(), b"\0" * padding]
        offset += flat.nbytes + padding
    text = json.dumps({**header, "arrays": entries}, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` as little-endian numbers; `numpy.ndarray.tobytes` puts them in C order."""
    array = np.asarray(array)
    if array.dtype.kind not in KINDS:
        raise ValueError(f"wire: {name} is an array of {array.dtype}; only booleans and numbers travel.")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays (read-only views of ``message``) that `pack` put together.

    Raises:
        ValueError: for anything that `pack` could not have written.
    """
    try:
        (length,) = struct.unpack_from("<I", message)
        if 4 + length > len(message):
            raise ValueError("the header is cut short")
        header = json.loads(message[4 : 4 + length])
        arrays = {entry["name"]: _view(message, 4 + length, entry) for entry in header.pop("arrays")}
    except (struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"wire: not a message: {error}.") from error
    return header, arrays


def _view(message: bytes, start: int, entry: Mapping[str, Any]) -> np.ndarray:
    dtype, shape, offset = np.dtype(entry["dtype"]), tuple(entry["shape"]), entry["offset"]
    if dtype.kind not in KINDS or min((offset, *shape)) < 0:
        raise ValueError(f"{entry['name']} is no array of numbers")
    if start + offset + math.prod(shape) * dtype.itemsize > len(message):
        raise ValueError(f"{entry['name']} is cut short")
    return np.ndarray(shape, dtype, buffer=message, offset=start + offset)


def write_frame(stream: IO[bytes], message: bytes) -> None:
    """Write one message to a pipe, after its length."""
    stream.write(struct.pack("<I", len(message)) + message)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read one message from a pipe, or None at its end.

    Raises:
        ValueError: if the stream ends inside a message, or claims an absurd length.
    """
    head = stream.read(4)
    if not head:
        return None
    length = struct.unpack("<I", head)[0] if len(head) == 4 else -1
    if not 0 <= length <= MAX_FRAME:
        raise ValueError("wire: a frame without a sensible length.")
    message = stream.read(length)
    if len(message) < length:
        raise ValueError("wire: the pipe ended inside a message.")
    return message
