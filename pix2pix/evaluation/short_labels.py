"""Short labels of groups: what they have in common is left out."""

from collections.abc import Mapping, Sequence
from typing import Any


def shorten_labels(settings: Sequence[Mapping[str, Any]], full: Sequence[str]) -> list[str]:
    """A label for each group, by the settings in which the groups differ.

    A text says itself what it is, such as `patch16`; a number has the last part of its setting's name: `l1_weight=10`.

    Args:
        settings: the distinct settings of each group, by their dotted names.
        full: the full labels, which are returned if short ones would be the same for two groups.
    """
    keys = list(dict.fromkeys(key for each in settings for key in each))
    differing = [key for key in keys if len({str(each.get(key, "")) for each in settings}) > 1]
    labels = [" · ".join(shorten_setting(key, each[key]) for key in differing if key in each) for each in settings]
    return labels if len(keys) > 1 and all(labels) and len({*labels}) == len(labels) else list(full)


def shorten_setting(key: str, value: Any) -> str:
    """A text alone, if it says itself what it is; else `l1_weight=10`."""
    return str(value) if _is_word(str(value)) else f"{key.rpartition('.')[2]}={value}"


def _is_word(text: str) -> bool:
    return text[:1].isalpha() and text.lower() not in {"true", "false", "none", "null", "inf", "nan", "on", "off"}
