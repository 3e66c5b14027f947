"""Refuses passwords in URLs that would be written to disk, and hides them in URLs that are printed.

A run is handed on, so none of its files holds a password. Those of web servers are looked up by the name of the host,
in the environment and in ~/.netrc, when they are needed; object stores take theirs from their own environment.
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

LOGINS = "PIX2PIX_LOGINS"
WHERE = f"~/.netrc (machine HOST login USER password PASSWORD) or {LOGINS}=https://USER:PASSWORD@HOST"
# What a path was made of has one slash: `http:/user:password@host`.
USER = re.compile(r"(?<=:/)(/?)(?!\[)([^\s:@/?#]*):([^\s/]*|\S*)@")  # user:password@, also with / and @ in the password
TOKEN = re.compile(r"(?i)(?<=ttp:/|tps:/)(/?)[^\s:@/?#]+@")  # token@
QUERY = re.compile(r"(?<=:/)([^\s?#]*)[?#][^\s'\"]*=[^\s'\"]*")  # ?token=..., signatures and the like
PORT_AND_PATH = re.compile(r"\d*[/?#]")
PORTS = {"http": 80, "https": 443}


def hide_secrets(text: str) -> str:
    """The text without the passwords, tokens and signatures of the addresses in it."""
    return QUERY.sub(r"\1?***", _hide_logins(text))


def _hide_logins(text: str) -> str:
    text = USER.sub(lambda found: found[0] if PORT_AND_PATH.match(found[3]) else f"{found[1]}***@", text)
    return TOKEN.sub(r"\1***@", text)


def hide_secrets_in(values: Any) -> Any:
    """The same of every text in nested mappings and lists."""
    if isinstance(values, dict):
        return {key: hide_secrets_in(value) for key, value in values.items()}
    if isinstance(values, list):
        return [hide_secrets_in(value) for value in values]
    return hide_secrets(values) if isinstance(values, str) else values


def require_no_secrets(settings: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError for a setting with a password in an address, without showing it.

    Args:
        settings: names and values. What stands behind a question mark is looked at in addresses of data alone.
    """
    for name, value in settings:
        of_data = name.lstrip("+").startswith(("data.", "--"))
        if (hide_secrets if of_data else _hide_logins)(value) != value:
            raise ValueError(
                f"{name}={hide_secrets(value)}: the address holds a password, a token or a signature, which would "
                f"stand in files and messages. Leave it out; it is taken from {WHERE}; for s3:// and the like from the "
                "environment of their own tools, such as AWS_ACCESS_KEY_ID."
            )


def require_no_secrets_in(words: Iterable[str]) -> None:
    """The same of words of a command line, NAME=VALUE."""
    require_no_secrets((name, value) for name, _, value in (word.partition("=") for word in words))


def authorization_header(url: str) -> str | None:
    """The value of the header `Authorization` for a web address; None where no login of its host is known.

    Raises:
        ValueError: when the logins cannot be read.
    """
    login = _login_from_environment(url) or _login_from_netrc(urlsplit(url).hostname or "")
    if login is None:
        return None
    user, password = login
    return f"Bearer {user}" if password is None else f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def login_hint(status: int | None) -> str:
    """What to do about an answer, where it is that one has to log in; else nothing."""
    return f" Give the login of its host: {WHERE}." if status in {401, 403} else ""


def _login_from_environment(url: str) -> tuple[str, str | None] | None:
    """The login of PIX2PIX_LOGINS, addresses split at spaces, whose scheme, host and port are those of the address."""
    for known in os.environ.get(LOGINS, "").split():
        login = urlsplit(known)
        if login.username is None or login.scheme not in PORTS:
            raise ValueError(f"{LOGINS}: one of its entries is not of the form https://USER:PASSWORD@HOST.")
        if _origin(known) == _origin(url):
            return unquote(login.username), None if login.password is None else unquote(login.password)
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _login_from_netrc(host: str) -> tuple[str, str] | None:
    """The login of the host in the file that NETRC names, or ~/.netrc; never `default`, which is for any host."""
    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    if not file.is_file():
        return None
    login = _read_netrc(file, file.stat().st_mtime_ns).get(host)
    return (login[0], login[2]) if login else None


@lru_cache(maxsize=1)
def _read_netrc(file: Path, changed: int) -> dict[str, tuple[str, str, str]]:
    """The logins of a netrc file, read again when it has changed: a training asks for each pair."""
    try:
        return netrc.netrc(str(file)).hosts
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: the logins cannot be read ({type(error).__name__}). Mend the file.") from error
