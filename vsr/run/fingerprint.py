"""Whether two runs are of the same input, weights and settings, and what differs if not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST = 4
"""differences that are named; more make a line nobody reads"""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words, what differs between the headers of two runs; empty: nothing."""
    found = []
    if before.get("source") != now["source"]:
        found.append("another input (its SHA-256 differs)")
    for kind in ("model", "detector"):
        old, new = before.get(kind, {}), now[kind]
        if old.get("name") != new["name"]:
            found.append(f"{kind} {old.get('name')} (now {new['name']})")
        elif old.get("sha256") != new["sha256"]:
            found.append(f"other weights of {new['name']}")
    old, new = before.get("networks", {}), now.get("networks", {})
    found += [f"other weights of {k}" for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
    found += setting_differences(before.get("recipe", {}), now["recipe"])
    for name in sorted({*before.get("versions", {}), *now["versions"]}):
        was, is_ = before.get("versions", {}).get(name), now["versions"].get(name)
        if was != is_:
            found.append(f"{name} {was} (now {is_})")
    more = [f"and {len(found) - _MOST} more differences"] if len(found) > _MOST else []
    return found[:_MOST] + more


def setting_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys of two recipes that differ, with both values; their names don't count."""
    old, new = dict(_flat(before)), dict(_flat(now))
    return [
        f"{key} = {old.get(key)} (now {new.get(key)})"
        for key in sorted({*old, *new} - {"name"})
        if old.get(key) != new.get(key)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value
