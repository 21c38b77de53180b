"""Files are cut into records whatever their shape, and what is broken does not hide the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatledger import InvalidInput
from chatledger.exchange.readers import json_array
from chatledger.exchange.readers.json_file import PlainFile, Shape


def read(path: Path) -> tuple[Shape, list[Any]]:
    """The values of a file; a problem stands as its reason."""
    values: list[Any] = []
    with PlainFile(path) as file:
        for piece in file.pieces():
            try:
                values.append(piece.value())
            except InvalidInput as error:
                values.append(error.reason)
        return file.shape, values


@pytest.mark.parametrize(
    ("text", "shape", "values"),
    [
        ('{"a":1}\n{"a":2}', "lines", [{"a": 1}, {"a": 2}]),
        ('\n\n{"a":1}\r\n\r\n{"a":2}\r\n', "lines", [{"a": 1}, {"a": 2}]),
        ('{"a":1}', "lines", [{"a": 1}]),
        ('{"a"\n{"a":2}', "lines", ["is not JSON: expecting ':' delimiter at byte 4 of the file, line 1", {"a": 2}]),
        ('{\n "a": 1\n}\n', "object", [{"a": 1}]),
        ('[{"a":1},\n {"a":"]\\"}"}]', "array", [{"a": 1}, {"a": ']"}'}]),
        ('[1, "x,]", {}, [2]]', "array", [1, "x,]", {}, [2]]),
        ('[{"a":1}]\n[{"a":2}]', "lines", [[{"a": 1}], [{"a": 2}]]),
        ("[]", "array", []),
        ('[{"a":1},\n{"a":x},\n{"a":3}]', "array", [
            {"a": 1}, "is not JSON: expecting value at byte 15 of the file, line 2", {"a": 3}]),
        ('[{"a":1}', "array", [{"a": 1}, "is missing: the file ends before its array does"]),
        ('[{"a":1},{"b', "array", [{"a": 1}, "is cut off: the file ends inside of it"]),
        ("[{}] x", "array", [{}, "stands behind the end of the array"]),
        ('{"a":NaN}\n{"a":' + "9" * 5000 + "}", "lines", [
            "holds NaN or an infinity, which JSON cannot express", "holds an integer of more than 4000 digits"]),
        ('{"a":' + "[" * 9999 + "]" * 9999 + "}", "object", ["is nested too deeply"]),
    ],
)  # fmt: skip
def test_a_file_is_cut_into_its_records(tmp_path: Path, text: str, shape: str, values: list[Any]) -> None:
    path = tmp_path / "file"
    path.write_text(text, "utf-8", newline="")
    assert (shape, values) == read(path)


def test_a_mark_of_byte_order_is_passed_over(tmp_path: Path) -> None:
    for text in ('{"a":1}', '[{"a":1}]', '{\n"a":1}'):
        (tmp_path / "file").write_text(text, "utf-8-sig")
        assert [{"a": 1}] == read(tmp_path / "file")[1]


def test_invalid_utf8_is_named_by_byte_and_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"a":1}\n{"a":"\xff"}\n{"a":3}\n')
    assert [{"a": 1}, "is not UTF-8 at byte 14 of the file, line 2", {"a": 3}] == read(path)[1]
    path.write_bytes(b'[{"a":1},\n\n{"a":\n"\xff"}]')
    assert [{"a": 1}, "is not UTF-8 at byte 18 of the file, line 4"] == read(path)[1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"hello", "is neither JSON nor JSON Lines"),
        (b"\x00\x01", "is neither JSON nor JSON Lines"),
        ("{}".encode("utf-16"), "is UTF-16"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=reason):
        PlainFile(path)


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in (tmp_path, tmp_path / "fifo", "/dev/null", tmp_path / "absent", "a\x00b"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            PlainFile(name)
    (tmp_path / "file").write_text("{}")
    (tmp_path / "link").symlink_to("file")
    assert ("lines", [{}]) == read(tmp_path / "link")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=6), st.sampled_from([None, 1]), st.integers(1, 40))
def test_any_array_is_cut_where_json_would(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], indent: int | None, chunk: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "array.json"
    path.write_text("[" + ",".join(json.dumps(v, indent=indent, ensure_ascii=False) for v in values) + "]\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_CHUNK", chunk)
        with path.open("rb") as file:
            assert values == [json.loads(data) for _, _, data, _ in json_array.Elements(file)]
