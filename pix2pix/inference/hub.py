"""Downloads translators from the Hugging Face Hub, by addresses such as hf://USER/NAME@REVISION."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from pix2pix.core.extras import import_extra

SCHEME = "hf://"
ADDRESS = re.compile(r"hf:/{1,2}([\w.-]+/[\w.-]+?)(?:@(\S+))?/?")  # a Path keeps one slash of two
CACHED = re.compile(r"models--(.+?)--(.+)")  # the folder of a repository in the cache of huggingface_hub
WEIGHTS = "model.safetensors"  # the file that is read: weights and configuration
TOKEN = re.compile(r"hf_\w{8,}")  # an access token of the hub
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def is_hub_address(path: str | Path) -> bool:
    """Whether a path is an address of the hub."""
    return str(path).startswith("hf:/")


def parse_address(address: str | Path) -> tuple[str, str | None]:
    """Returns the repository, USER/NAME, and the revision, if any. Raises ValueError for another form."""
    match = ADDRESS.fullmatch(str(address))
    if match is None:
        raise ValueError(f"{address}: no address of the hub. Write hf://USER/NAME or hf://USER/NAME@REVISION.")
    if TOKEN.fullmatch(match[2] or ""):  # otherwise it would be sent in addresses, which many programs log
        raise ValueError(f"{SCHEME}{match[1]}@***: behind @ stands an access token, not a revision; {LOG_IN}.")
    return match[1], match[2]


def import_hub() -> ModuleType:
    """Returns the package huggingface_hub. Raises ValueError naming the extra that installs it."""
    huggingface_hub = import_extra("huggingface_hub", "the Hugging Face Hub", "hub")
    for name in ("httpx", "httpx2"):  # which log every request
        logging.getLogger(name).setLevel(logging.WARNING)
    return huggingface_hub


def download_model(address: str | Path) -> Path:
    """Brings the weights of a repository into the cache of huggingface_hub and returns the file.

    Only `model.safetensors` is downloaded: tensors, and a configuration that `pix2pix.core.trust` judges like that of
    any other file before something of it is built. Without a network, the file of an earlier download is used.

    Raises:
        ValueError: for a malformed address, or when huggingface_hub is not installed.
        OSError: when there is no such repository, revision or file, or no access to it.
    """
    repository, revision = parse_address(address)
    hub = import_hub()
    with explain_hub_errors(f"{SCHEME}{repository}" + (f"@{revision}" if revision else "")):
        return Path(hub.hf_hub_download(repository, WEIGHTS, revision=revision))


def find_model_name(file: Path) -> str | None:
    """Returns USER/NAME for a file in the cache of huggingface_hub, None for any other."""
    matches = [CACHED.fullmatch(part) for part in file.parts[-4:-1]]
    return next((f"{match[1]}/{match[2]}" for match in matches if match), None)


# The first of these classes that an error belongs to decides: the more special ones come first.
EXPLANATIONS: dict[str, tuple[type[Exception], str]] = {
    "GatedRepoError": (
        PermissionError,
        f"its owner grants access on request only. Ask for it on its page, then {LOG_IN}.",
    ),
    "RepositoryNotFoundError": (
        FileNotFoundError,
        f"no such repository on {{host}}, or a private one. Check the name, or {LOG_IN}.",
    ),
    "RevisionNotFoundError": (
        FileNotFoundError,
        "the repository has no such revision. Give a branch, a tag or a whole commit hash.",
    ),
    "LocalEntryNotFoundError": (
        FileNotFoundError,
        "not downloaded yet, and the hub does not deliver it now ({reason}). Check the network and HF_HUB_OFFLINE, or "
        "try again later.",
    ),
    "EntryNotFoundError": (
        FileNotFoundError,
        f"has no {WEIGHTS}, so it is no model of `pix2pix push`. Check the name.",
    ),
    "LocalTokenNotFoundError": (PermissionError, f"needs a login: {LOG_IN}."),
    "HFValidationError": (ValueError, "no name of a repository ({reason})."),
    "HfHubHTTPError": (OSError, f"the hub answers: {{reason}}. Check that the token may do this, or {LOG_IN}."),
    "Exception": (OSError, "the transfer failed ({reason}). Run the command again."),
}


@contextmanager
def explain_hub_errors(address: str) -> Iterator[None]:
    """Raises errors of huggingface_hub again as one sentence with the address, the reason and the remedy."""
    from huggingface_hub import errors

    try:
        yield
    except (
        *(errors.HTTPError, errors.EntryNotFoundError),  # pyright: ignore[reportPrivateImportUsage]
        *(errors.LocalTokenNotFoundError, errors.HFValidationError, errors.FileMetadataError),
        RuntimeError,  # what huggingface_hub makes of a failed upload
    ) as error:
        names = {base.__name__ for base in type(error).__mro__}
        kind, words = next(explanation for name, explanation in EXPLANATIONS.items() if name in names)
        raise kind(f"{address}: {words.format(host=_host(error), reason=_reason(error))}") from error


def _host(error: Exception) -> str:
    url = getattr(getattr(error, "response", None), "url", None)
    return getattr(url, "host", None) or "the hub"


def _reason(error: Exception) -> str:
    """The first line of what the server or the network said."""
    cause = error.__cause__ or error
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__
