"""Hypothesis strategies for mutated texts: JSON, TOML and XML, edited as trees and as bytes."""

from __future__ import annotations

import copy
import json
import random
import re
import tomllib
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.bytesedits import EDITS
from vsr.core.config import to_toml

_STRANGE = (
    "", " ", "\x00", "a\nb", "\x1b[31mred", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd",
    "http://127.0.0.1:9/x", "-i", "nan", "1e999", "auto", "0/0", "1/0", "9" * 400, "x" * 5000,
    "\U0001f642", "\ud800", "os.system", "$(id)", "{{7*7}}", "<script>", "none", "true", ".", "..",
)  # fmt: skip
_NUMBERS = (0, -1, 1, 2, 3, 255, 65536, 2**31, 2**32, 2**63, 2**64, 10**30, -(2**63), 10**400)
_FLOATS = (0.0, -0.0, 0.5, -1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
_TOKENS = (
    b"null", b"true", b"NaN", b"1e400", b"[" * 3000, b'{"a":' * 3000, b"'''", b'"', b"\\u0000",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\r", b"=", b"[[x]]", b"[a.b.c]", b"a.b.c = 1\n",
    b"9" * 5000, b"inf", b"1979-05-27", b"<", b"</frame>", b"<person>", b"<frame/>", b"]]>",
    b"<frame number='1'>" * 2000, b"&lol;", b"&#0;", b"<![CDATA[", b"<?xml version='1.0'?>",
    b"<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>",
    b"<!DOCTYPE d SYSTEM 'file:///etc/passwd'>", b"<!ENTITY x SYSTEM 'file:///etc/passwd'>",
)  # fmt: skip

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_NUMBERS),
    st.integers(-100, 100),
    st.sampled_from(_FLOATS),
    st.sampled_from(_STRANGE),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)

Path = tuple[Any, ...]


def paths(tree: Any, at: Path = ()) -> list[Path]:
    """Where every value of nested dicts and lists stands."""
    found = [at] if at else []
    pairs = tree.items() if isinstance(tree, dict) else ()
    if isinstance(tree, list):
        pairs = enumerate(tree)
    for key, value in pairs:
        found += paths(value, (*at, key))
    return found


@st.composite
def trees(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with one to three values exchanged, lost, renamed, repeated or nested."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        places = paths(tree)
        if not places:
            break
        *above, key = draw(st.sampled_from(places))
        parent = tree
        for step in above:
            parent = parent[step]
        how = draw(st.sampled_from(("exchange",) * 4 + ("lose", "rename", "repeat", "other")))
        if how == "exchange":
            parent[key] = draw(VALUES)
        elif how == "lose":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(st.text(max_size=6))] = parent.pop(key)
        elif how == "repeat" and isinstance(parent, list):
            parent.extend([copy.deepcopy(parent[key])] * draw(st.sampled_from((1, 3, 50))))
        else:  # a value that stands elsewhere: right in itself, wrong here
            other: Any = tree
            for step in draw(st.sampled_from(places)):
                if not isinstance(other, dict | list) or other is parent:
                    break
                try:
                    other = other[step]
                except (KeyError, IndexError):
                    break
            parent[key] = copy.deepcopy(other)
    return tree


@st.composite
def raw(draw: st.DrawFn, data: bytes) -> bytes:
    """Byte edits, and words of the formats put in anywhere."""
    edited = bytearray(data)
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 3))):
        if not edited:
            break
        if draw(st.booleans()):
            at = rng.randrange(len(edited))
            edited[at:at] = draw(st.sampled_from(_TOKENS))
        else:
            rng.choice(EDITS)(edited, rng)
    return bytes(edited)


def dump_json(tree: Any) -> bytes:
    """JSON with whatever Python's writer lets through (NaN, lone surrogates)."""
    return json.dumps(tree, ensure_ascii=True, indent=1).encode()


@st.composite
def json_texts(draw: st.DrawFn, data: bytes) -> bytes:
    """A mutated JSON text."""
    if draw(st.integers(0, 3)) == 0:
        return draw(raw(data))
    return dump_json(draw(trees(json.loads(data))))


@st.composite
def toml_texts(draw: st.DrawFn, data: bytes) -> bytes:
    """A mutated TOML text."""
    if draw(st.integers(0, 3)) == 0:
        return draw(raw(data))
    tree = draw(trees(tomllib.loads(data.decode())))
    text = to_toml(tree) if isinstance(tree, dict) else str(tree)
    return text.replace("NaN", "nan").replace("Infinity", "inf").encode("utf-8", "surrogatepass")


_ATTRIBUTE = re.compile(rb'="[^"]*"')
_ELEMENT = re.compile(rb"<(\w+)[^>]*>")


@st.composite
def xml_texts(draw: st.DrawFn, data: bytes) -> bytes:
    """A mutated XML text: attribute values and element names exchanged, or bytes."""
    if draw(st.integers(0, 2)) == 0:
        return draw(raw(data))
    for _ in range(draw(st.integers(1, 3))):
        pattern = draw(st.sampled_from((_ATTRIBUTE, _ATTRIBUTE, _ELEMENT)))
        matches = list(pattern.finditer(data))
        if not matches:
            break
        match = draw(st.sampled_from(matches))
        if pattern is _ATTRIBUTE:
            value = str(draw(SCALARS)).replace("&", "&amp;").replace("<", "&lt;")
            new = b'="' + value.replace('"', "&quot;").encode("utf-8", "replace") + b'"'
        else:
            kinds = (b"frame", b"person", b"leftEye", b"dataset", b"x")
            new = match[0].replace(match[1], draw(st.sampled_from(kinds)), 1)
        data = data[: match.start()] + new + data[match.end() :]
    return data
