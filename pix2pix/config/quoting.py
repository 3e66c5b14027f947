"""Quotes settings of the command line for Hydra, so that paths and names mean what was typed.

Hydra's grammar reads `1e3` as a number and refuses `~`, `#`, `=`, parentheses and letters beyond ASCII.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from pix2pix.config.unreadable_settings import explain_unreadable
from pix2pix.core.home_folder import expand_home

PATHS = {"output_dir", "run_dir", "resume", "init_from", "data.root", "data.path", "data.list", "data.cache_dir"}
PATHS |= {"data.pairs.path", "data.source.path"}
NAMES = {"name", "sweep_name", "data.name"}
TEXTS = {"notes"}  # whole texts, commas included: they are never swept over
FOLDERS = {"data.folders": 1, "data.folders.A": 0, "data.folders.B": 0}  # the depth in the mapping of what is a name
NULLABLE = {"init_from", "data.path", "data.list", "data.pairs.path", "data.source.path"}
FLAGS_WITH_VALUE = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"}
FLAGS_WITH_VALUE |= {"--config-dir", "-cd", "--info", "-i"}

ADDED = re.compile(r"\+\w+(\.\w+)+")  # a setting that is added, not a group of choices
CHOICES = re.compile(r"(choice|shuffle|sort)\((.*)\)", re.DOTALL)
FUNCTION = re.compile(
    r"(choice|range|interval|glob|shuffle|sort|tag|int|float|str|bool|json_str|extend_list)\(.*\)", re.DOTALL
)
# The parts of {A: images, B: [x, y]}: quoted text, a reference to another setting, punctuation, other text.
PARTS = re.compile(r"""\s+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\$\{[^{}]*\}|[{}\[\],:]|[^{}\[\],:\s][^{}\[\],:]*""")
OPENING, CLOSING = "([{", ")]}"


def quote_words(words: Sequence[str]) -> list[str]:
    """The words of a command line with every setting quoted that Hydra would refuse or read as something else.

    Raises ValueError for a word that is no setting, quoted or not.
    """
    quoted = []
    for at, word in enumerate(words):
        # The value of a flag such as `--config-dir` is no setting.
        is_setting = not word.startswith("-") and (at == 0 or words[at - 1] not in FLAGS_WITH_VALUE)
        quoted.append(quote_word(word) if is_setting else word)
        if is_setting and (word.startswith("=") or not _parse(quoted[-1])):
            raise ValueError(explain_unreadable(word, words[at + 1 :]))
    return quoted


def quote_word(word: str) -> str:
    """`KEY=VALUE` quoted where that is necessary; choices of a sweep, references and quoted values stay as they are."""
    key, equals, value = word.partition("=")
    if ADDED.fullmatch(key):
        key = f"+{key}"  # `++` also sets what exists: an earlier version may not have had the setting
        word = f"+{word}"
    setting = key.lstrip("+")
    if not (equals and value.strip()) or word.startswith(("-", "~")):
        return word
    if setting in FOLDERS and value.lstrip().startswith("{"):
        return f"{key}={_quote_parts(value, FOLDERS[setting])}"
    if setting in TEXTS:
        return f"{key}={_quote_text(value, is_path=False, is_nullable=True)}"
    if setting in {*PATHS, *NAMES, *FOLDERS}:
        return f"{key}={_quote_texts(value, setting)}"
    return word if _parse(word) else _quote_unreadable(key, value)


def _quote_texts(value: str, setting: str) -> str:
    """A value that is text, or the texts of a sweep over it; a path that exists is one path, whatever it contains."""
    is_path = setting in PATHS
    if called := CHOICES.fullmatch(value):
        return f"{called[1]}({_quote_texts(called[2], setting)})"
    # `a,b` is a sweep over two paths, unless a path of this name exists.
    whole = is_path and _exists(value)
    texts = [value] if whole else [text.strip() for text in split_choices(value)]
    return ",".join(_quote_text(text, is_path, setting in NULLABLE) for text in texts)


def _quote_text(text: str, is_path: bool, is_nullable: bool) -> str:
    if is_path and (text == "~" or text.startswith("~/")):
        text = str(expand_home(text))
    return text if _is_read_as(text, is_nullable) else quote(text)


def _is_read_as(text: str, is_nullable: bool) -> bool:
    """Whether Hydra reads the text as itself, or as what the user has quoted, escaped or called."""
    override = _parse(f"key={text}")
    if override is None:
        return False
    if FUNCTION.fullmatch(text) or not text:
        return True
    if isinstance(override._value, QuotedString):
        return True
    if override.is_sweep_override():
        return False
    # Equal after parsing, or changed by an escape that the user has typed; null only where the setting may be null.
    value = override.value()
    return (value == text or "\\" in text) if isinstance(value, str) else value is None and is_nullable


def _quote_unreadable(key: str, value: str) -> str:
    """A setting of any other kind that Hydra cannot read, with those parts quoted that keep it from doing so."""
    quoted = (
        _quote_parts(value)
        if value.lstrip().startswith(tuple("[{"))
        else ",".join(each if _parse(f"key={each}") else quote(each.strip()) for each in split_choices(value))
    )
    return f"{key}={quoted}" if _parse(f"{key}={quoted}") else f"{key}={value}"


def _quote_parts(value: str, text_depth: int = -1) -> str:
    """A list or mapping with quotes around the parts that need them; values at `text_depth` are text."""
    return "".join(_quoted_parts(PARTS.findall(value), text_depth))


def _quoted_parts(parts: Iterable[str], text_depth: int) -> Iterator[str]:
    depth, after_colon = 0, False
    for part in parts:
        depth += (part in {"{", "["}) - (part in {"}", "]"})
        text = part.strip()
        is_text = after_colon and depth == text_depth and _parse(f"key={text}") and not _is_read_as(text, False)
        if text and part not in set("{}[],:") and (is_text or not _parse(f"key={text}")):
            yield part.replace(text, quote(text))
        else:
            yield part
        after_colon = part == ":" or (after_colon and not text)


def split_choices(value: str) -> list[str]:
    """The choices of a sweep: the parts between commas outside quotes and brackets; one where these do not close."""
    # One pass over the letters, with the depth of open brackets and the quote that is open.
    parts, start, depth, quotes = [], 0, 0, ""
    for at, letter in enumerate(value):
        if quotes:
            quotes = "" if letter == quotes and value[at - 1] != "\\" else quotes
        elif letter in "'\"" and not value[start:at].strip():
            quotes = letter
        elif letter == "," and depth == 0:
            parts.append(value[start:at])
            start = at + 1
        else:
            depth += (letter in OPENING) - (letter in CLOSING)
    return [value] if quotes or depth else [*parts, value[start:]]


def quote(text: str) -> str:
    """The text as a value on Hydra's command line; references in it are followed."""
    return QuotedString(text, Quote.single).with_quotes()


@functools.lru_cache(maxsize=1024)  # takes two milliseconds, and a word is looked at more than once
def _parse(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _exists(path: str) -> bool:
    try:
        return expand_home(path).exists()
    except (OSError, RuntimeError, ValueError):  # a name too long, a user without a home, a zero byte
        return False
