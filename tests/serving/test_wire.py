import io
import json
import struct
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gclip.serving.wire import pack, read_frame, unpack, write_frame

DTYPES = st.sampled_from(["?", "<i4", "<f4", "<f8", "<i8", ">f4", "|u1", "<f2"])
ARRAYS = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text().filter(lambda name: name != "arrays"), JSON, max_size=3),
    st.dictionaries(st.text(), ARRAYS, max_size=4),
)
def test_round_trip(header, named):
    message = pack(header, named)
    got_header, got = unpack(message)
    assert got_header == header
    assert list(got) == list(named)
    for name, array in named.items():
        assert got[name].shape == array.shape
        assert got[name].dtype == array.dtype.newbyteorder("<")
        np.testing.assert_array_equal(got[name], array)


@given(st.dictionaries(st.text(), ARRAYS, max_size=4))
def test_arrays_start_at_multiples_of_eight_and_header_is_strict_json(named):
    message = pack({"text": "über"}, named)
    (length,) = struct.unpack_from("<I", message)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    header = json.loads(message[4 : 4 + length].decode(), parse_constant=refuse)
    assert all((4 + length + entry["offset"]) % 8 == 0 for entry in header["arrays"])


def test_nan_stays_in_arrays_and_is_refused_in_the_header():
    bits = np.array([0x7FC00001, 0x7F800000, 0xFF800000], np.uint32).view(np.float32)
    assert unpack(pack({}, {"x": bits}))[1]["x"].tobytes() == bits.tobytes()
    with pytest.raises(ValueError, match="JSON"):
        pack({"loss": float("nan")}, {})


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["text"]), np.array(["2020"], "M8")])
def test_objects_are_refused(array):
    with pytest.raises(ValueError, match="only booleans and numbers"):
        pack({}, {"x": array})


def test_the_name_arrays_is_taken():
    with pytest.raises(ValueError, match="taken"):
        pack({"arrays": 1}, {})


@given(st.data())
def test_a_message_cut_short_is_refused(data):
    message = pack({"a": 1}, {"x": np.arange(5.0), "y": np.ones(3, bool)})
    end = len(message) - 5  # Behind it there is only padding.
    with pytest.raises(ValueError, match="wire"):
        unpack(message[: data.draw(st.integers(0, end - 3))])


@given(st.binary(max_size=60))
def test_noise_is_refused(noise):
    with pytest.raises(ValueError, match="wire"):
        unpack(noise)


@pytest.mark.parametrize("entry", [{"dtype": "|O8"}, {"offset": -16}, {"shape": [-1]}, {"shape": [9]}, {"dtype": 3}])
def test_an_entry_that_lies_is_refused(entry):
    entry = {"name": "x", "dtype": "<f8", "shape": [1], "offset": 0} | entry
    text = json.dumps({"arrays": [entry]}).encode()
    with pytest.raises(ValueError, match="wire"):
        unpack(struct.pack("<I", len(text)) + text + bytes(8))


def test_frames():
    pipe = io.BytesIO()
    for message in (b"one", b"", b"three"):
        write_frame(pipe, message)
    whole = pipe.getvalue()
    pipe.seek(0)
    assert [read_frame(pipe) for _ in range(4)] == [b"one", b"", b"three", None]
    for end in (2, 6, len(whole) - 1):
        with pytest.raises(ValueError, match="wire"):
            list(iter(partial(read_frame, io.BytesIO(whole[:end])), None))
