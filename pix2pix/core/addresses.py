"""Refuses passwords in URLs that would be written to disk, and hides them in URLs that are printed.

Runs are shared, so none of their files contains a password. Logins of web servers are looked up by host, in the
environment and in ~/.netrc, when they are needed. Object stores take theirs from their own environment variables.
"""

import base64
import netrc
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pix2pix.core.home_folder import expand_home

LOGINS = "PIX2PIX_LOGINS"
WHERE = f"~/.netrc (machine HOST login USER password PASSWORD) or {LOGINS}=https://USER:PASSWORD@HOST"
# `Path` reduces two slashes to one: `http:/user:password@host`. So the expressions need only one.
USER = re.compile(r"(?<=:/)(/?)(?!\[)([^\s:@/?#]*):([^\s/]*|\S*)@")  # user:password@, also with / and @ in the password
TOKEN = re.compile(r"(?i)(?:(?<=ttp:/)|(?<=tps:/)|(?<=\bhf:/))(/?)[^\s:@/?#]+@")  # token@
HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}")  # of the Hugging Face Hub, wherever it stands
# ?token=..., signatures and the like, without a colon or full stop of the sentence behind it
QUERY = re.compile(r"(?<=:/)([^\s?#]*)[?#][^\s'\"]*=[^\s'\"]*?(?=[:,.;]?(?:[\s'\"]|$))")
SECRET_QUERY = re.compile(r"(?i):/\S*[?&#][^\s=&]*(token|key|secret|sig|passw|credential)[^\s=&]*=")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of two letters at least: one may be a drive of Windows
PORT_AND_PATH = re.compile(r"\d*[/?#]")
PORTS = {"http": 80, "https": 443}


def hide_secrets(text: str) -> str:
    """Replaces passwords, tokens and signatures in the addresses of a text by ***."""
    return QUERY.sub(r"\1?***", _hide_logins(text))


def _hide_logins(text: str) -> str:
    # `http://host:8080/a@b` looks like a user with a password, but has a port and a path: it stays as it is.
    text = USER.sub(lambda match: match[0] if PORT_AND_PATH.match(match[3]) else f"{match[1]}***@", text)
    return HUB_TOKEN.sub("***", TOKEN.sub(r"\1***@", text))


def hide_secrets_in(values: Any) -> Any:
    """Applies `hide_secrets` to every text in nested mappings and lists."""
    if isinstance(values, dict):
        return {key: hide_secrets_in(value) for key, value in values.items()}
    if isinstance(values, list):
        return [hide_secrets_in(value) for value in values]
    return hide_secrets(values) if isinstance(values, str) else values


def describe_address(path: str) -> str:
    """Why an address is no place for files, as a sentence; empty for a path. `Path` would make a folder `s3:`."""
    if not ADDRESS.match(path):
        return ""
    return f"{hide_secrets(path)} is an address; give a folder or file of this machine, such as of a mounted disk"


def require_no_secrets(settings: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError for a setting with a password in an address. The message does not show it.

    Args:
        settings: names and values. In settings of `data` any query string is refused, in others one with a name like
            `token`: a note may hold the link of a search.
    """
    for name, value in settings:
        has_query = name.lstrip("+").startswith(("data.", "--"))
        if (hide_secrets if has_query else _hide_logins)(value) != value or SECRET_QUERY.search(value):
            raise ValueError(
                f"{name}={hide_secrets(value)}: the address holds a password, a token or a signature, which would "
                f"appear in files and messages. Leave it out: it is taken from {WHERE}; for s3:// and the like, from "
                "the environment variables of their own tools, such as AWS_ACCESS_KEY_ID."
            )


def require_no_secrets_in(words: Iterable[str]) -> None:
    """Applies `require_no_secrets` to the overrides of a command line, NAME=VALUE."""
    require_no_secrets((name, value) for name, _, value in (word.partition("=") for word in words))


def authorization_header(url: str) -> str | None:
    """The value of the `Authorization` header for a web address; None if no login is known for its host.

    Raises:
        ValueError: when PIX2PIX_LOGINS or the netrc file cannot be read.
    """
    login = _login_from_environment(url) or _login_from_netrc(urlsplit(url).hostname or "")
    if login is None:
        return None
    user, password = login
    return f"Bearer {user}" if password is None else f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def login_hint(status: int | None) -> str:
    """What to do about the HTTP status 401 or 403, as a sentence; an empty text for others."""
    return f" Set the login of its host: {WHERE}." if status in {401, 403} else ""


def _login_from_environment(url: str) -> tuple[str, str | None] | None:
    """The login from PIX2PIX_LOGINS, addresses separated by spaces, with the scheme, host and port of the address."""
    for entry in os.environ.get(LOGINS, "").split():
        login = urlsplit(entry)
        if login.username is None or login.scheme not in PORTS:
            raise ValueError(f"{LOGINS}: one of its entries is not of the form https://USER:PASSWORD@HOST.")
        if _origin(entry) == _origin(url):
            return unquote(login.username), None if login.password is None else unquote(login.password)
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _login_from_netrc(host: str) -> tuple[str, str] | None:
    """The login of the host from the file that NETRC names, else ~/.netrc; never its `default` for any host."""
    file = expand_home(os.environ.get("NETRC") or "~/.netrc")
    if not file.is_file():
        return None
    login = _read_netrc(file, file.stat().st_mtime_ns).get(host)
    return (login[0], login[2]) if login else None


@lru_cache(maxsize=1)
def _read_netrc(file: Path, changed: int) -> dict[str, tuple[str, str, str]]:
    """The logins of a netrc file. It is read again only when it has changed: a training asks for each pair."""
    try:
        return netrc.netrc(str(file)).hosts
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: the logins cannot be read ({type(error).__name__}). Correct the file.") from error
