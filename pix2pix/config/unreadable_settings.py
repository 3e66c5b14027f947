"""Says what is wrong with a word of the command line that cannot be read as a setting, and how to write it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

PAIRS = {"(": ")", "[": "]", "{": "}"}
QUOTES, STARTS = "'\"", ",:[{("  # a quote counts where a part of a value starts, after one of these
UNREADABLE = "its value cannot be read"
KEY = re.compile(r"[+~]*[\w.$/-]+(@[\w.:$-]*)?")
DECIMAL_COMMA = re.compile(r"\d+,\d+")
LITERAL = "For a text with such signs, quote it twice: "


def explain_unreadable(word: str, following: Sequence[str] = ()) -> str:
    """A sentence on a word that is no setting: what is wrong, and the word as it could be written.

    Args:
        word: the word as it was typed.
        following: the words after it, among which the end of a list may be that a shell has cut off.
    """
    key, equals, value = word.partition("=")
    if not equals:
        return _explain_no_setting(word, following)
    if not key.strip():
        return f"{word}: there is no setting before the equals sign. Write SETTING={value or 'VALUE'}."
    if not KEY.fullmatch(key):
        without = f"{key.strip()}={value.strip()}"
        remedy = f"Write {without}." if KEY.fullmatch(key.strip()) else "Write SETTING=VALUE, such as data.size=128."
        return f"{word}: {key!r} is no name of a setting. {remedy}"
    fault, mended = _find_fault(value)
    if fault.endswith("is not closed") and (rest := _find_rest(value, following)):
        whole = shlex.quote(f"{key}={rest}")
        return f"{word}: {fault}. The shell cuts words at spaces: write {whole}."
    remedy = f" Write {shlex.quote(f'{key}={mended}')}." if mended else ""
    literal = shlex.quote(f'{key}="{value}"') if '"' not in value else shlex.quote(f"{key}='{value}'")
    return f"{word}: {fault}.{remedy} {LITERAL}{literal}."


def explain_several_values(word: str) -> str:
    """A sentence on a setting with several values, in a command that trains one run."""
    key, _, value = word.partition("=")
    as_list = "" if "(" in value else f" For a list write {shlex.quote(f'{key}=[{value}]')}."
    is_decimal = DECIMAL_COMMA.fullmatch(value)
    point = f" A decimal number has a point: {key}={value.replace(',', '.')}." if is_decimal else ""
    return (
        f"{word}: these are several values, and this command trains one run. Add -m to train a run with each."
        f"{as_list}{point}"
    )


def _explain_no_setting(word: str, following: Sequence[str]) -> str:
    if not word.strip():
        return "an argument is empty, perhaps from a shell variable that is not set. Give it a value, or leave it out."
    if following and following[0].startswith("="):
        value = following[0][1:] or (following[1] if len(following) > 1 else "VALUE")
        return f"{word}: a setting has no spaces around its equals sign. Write {shlex.quote(f'{word}={value}')}."
    key, colon, value = word.partition(":")
    if colon and value and KEY.fullmatch(key) and "/" not in value[:1]:
        return f"{word}: a setting has an equals sign. Write {shlex.quote(f'{key}={value}')}."
    if Path(word).is_dir():
        return f"{word}: is no setting. For a folder of pairs write data=folder {shlex.quote(f'data.path={word}')}."
    remedy = f"Write {word}=VALUE" if KEY.fullmatch(word) else "Write SETTING=VALUE, such as data.size=128"
    return f"{word}: has no equals sign and value. {remedy}; `pix2pix train --help` shows the settings."


def _find_fault(value: str) -> tuple[str, str]:
    """What is wrong with a value, and the value as it was probably meant, or an empty text."""
    opened: list[str] = []
    quotes, before = "", ""  # the quote that is open, and the last letter outside quotes that is no space
    for at, letter in enumerate(value):
        if quotes:
            quotes = "" if letter == quotes and value[at - 1] != "\\" else quotes
        elif letter in QUOTES and before in {"", *STARTS}:
            quotes = letter
        elif letter in PAIRS:
            opened.append(letter)
        elif letter in PAIRS.values() and (not opened or PAIRS[opened.pop()] != letter):
            return f"the bracket {letter} closes nothing", ""
        elif letter == "," and before in {"", *STARTS}:
            return "there is nothing before a comma", ""
        before = before if letter.isspace() else letter
    if quotes:
        return f"the quote {quotes} is not closed", ""
    if opened:
        closed = value.rstrip(", ") + "".join(PAIRS[each] for each in reversed(opened))
        return f"the bracket {opened[-1]} is not closed", _judge_whole(closed)[1] or closed
    return _judge_whole(value)


def _judge_whole(value: str) -> tuple[str, str]:
    """The same for a value whose quotes and brackets are closed."""
    if value.rstrip().endswith(","):
        return "there is nothing after the last comma", value.rstrip(", ")
    if value.startswith("{") and ":" not in value:
        return "braces hold names with values, {NAME: VALUE}; a list has square brackets", f"[{value[1:-1]}]"
    return UNREADABLE, ""


def _find_rest(value: str, following: Sequence[str]) -> str:
    """The value with the words after it that close its brackets; empty where none do."""
    whole = value
    for word in following:
        whole = f"{whole} {word}"
        if _find_fault(whole)[0] == UNREADABLE:
            return whole
    return ""
