"""Says in the words of this package what Hydra or OmegaConf could not compose: the setting, the rule, the remedy."""

import contextlib
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from pix2pix.config.old_settings import describe_renamed, find_new_name
from pix2pix.config.resolvers import PREFIX, RESOLVERS
from pix2pix.config.unreadable_settings import explain_several_values, explain_unreadable
from pix2pix.core import instantiate
from pix2pix.core.errors import describe_plainly
from pix2pix.core.extras import MissingExtraError
from pix2pix.core.signatures import constructor_parameters

KNOWN = {resolver.__name__ for resolver in RESOLVERS}
NULL_OPTION = "null is no option of a group. For none write callbacks=[], logger=[], metrics=[] or discriminator=none."
SEARCHED = re.compile(r"path=file://(.+)")  # a folder of configurations, in Hydra's message
INCLUDING = re.compile(r"In '(.+?)': ")  # the file whose defaults list names what is missing
MANY_VALUES = re.compile(r"(?:Ambiguous value for argument|Sweep parameters) '(.+?)'(?:\n1\. | requires --multirun)")
# What Hydra says, and the sentence for it; \1 and \2 are the groups of the expression.
SENTENCES = {
    r"Additional config directory '(.*)' not found": r"--config-dir \1: there is no such folder.",
    r"Could not delete '(.+?)=(.+)'\. No match": r"~\1=\2: \2 is not chosen, so it cannot be taken out.",
    r"Could not delete '(.+)'\. No match": r"~\1: there is no such group, so it cannot be taken out.",
    r"Could not delete from config\. '(.+)' does not exist": r"~\1: there is no such setting to take out.",
    r"Could not delete from config\. The value of '(.+)' is (.+) and not (.+)\.": r"~\1=\3: it is \2. Write ~\1.",
    r"In '(.+)': Could not override '(.+)'\.\nDid": (
        r"\1.yaml: `override /\2` comes too late, as \2 is chosen after this file. Write `- /\2/OPTION` in its "
        r"defaults, or \2=OPTION on the command line."
    ),
    r"In '(.+)': Could not override '(.+)'\. No match": r"\1.yaml: `override /\2`: there is no such group of options.",
    r"Could not override '(.+)'\.": r"\1: there is no such choice to replace. Write +\1=OPTION to add one.",
    r"Error merging override (.+?)=(.*\$\{.*)": (
        r"\1=\2: ${ begins a reference to another setting, as ${seed}, and cannot be read. For these characters "
        r"themselves write \\${."
    ),
    r"(.+) appears more than once in the final defaults list": (
        r"\1 is chosen twice. In a file of your own write `- override /\1: OPTION` to choose it anew."
    ),
}


REFERENCES = {  # what OmegaConf says of a reference to another setting, ${NAME}, or to what a resolver makes
    r"Interpolation key '(.+)' not found": (
        r"refers to a setting '\1', which is not there. Correct it; for these characters themselves write \\${...}."
    ),
    r"KeyError raised while .*Environment variable '(.+)' not found": (
        r"refers to the environment variable \1, which is not set. Set it, or write ${oc.env:\1,DEFAULT}."
    ),
    "Recursive interpolation detected": "refers to itself, by way of other settings. Give one of them a value.",
    r"Unsupported interpolation type (.+)": r"refers to ${\1:...}, and nothing of that name makes a value. Correct it.",
    r"(?:\w+ raised while resolving interpolation: )(.+)": r"\1",
}


def describe_error(error: Exception) -> str:
    """A sentence for an error of Hydra or OmegaConf, with the setting and the nearest one that exists."""
    cause: Any = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _describe_missing(error, error.missing_cfg_file)
    typed = [str(getattr(cause, "full_key", "")), *re.findall(r"'([\w./]+)'", str(error))]
    if renamed := next(((name, present) for name in typed if (present := find_new_name(name))), None):
        return describe_renamed(*renamed)
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key}: is not set, and has no default. Set {cause.full_key}=VALUE."
    if reference := _describe_reference(cause):
        return reference
    node = getattr(cause, "parent_node", None)
    if isinstance(node, DictConfig) and cause.key is not None and cause.key not in node:
        return _describe_unknown_key(cause.full_key or str(cause.key), node)
    # A launcher or sweeper, which Hydra builds, says by a ValueError what is wrong with its settings.
    is_of_plugin = isinstance(error, InstantiationException) and isinstance(error.__cause__, ValueError)
    told: Any = error.__cause__ if is_of_plugin else error
    return _describe_refusal(told)


def _describe_reference(error: Any) -> str:
    """A sentence for a reference, ${...}, that cannot be resolved; empty for other errors."""
    key, message = getattr(error, "full_key", ""), str(error)
    if (old := re.search(r"Unsupported interpolation type (\w+)", message)) and old[1] in KNOWN:
        return f"${{{old[1]}:...}} is called ${{{PREFIX}{old[1]}:...}}, in {key}. Write it so."
    found = next(((said, text) for pattern, text in REFERENCES.items() if (said := re.match(pattern, message))), None)
    return f"{key}: {found[0].expand(found[1])}" if found else ""


def _describe_refusal(error: Exception) -> str:
    message = describe_plainly(error).partition("\nConfig search path")[0]
    if isinstance(error, OverrideParseException):
        return explain_unreadable(error.override)
    if many := MANY_VALUES.match(message):
        return explain_several_values(many[1])
    if message.startswith("Config group override must be a string"):
        return NULL_OPTION
    for said, sentence in SENTENCES.items():
        if found := re.match(said, message):
            return found.expand(sentence)
    return message


def _describe_unknown_key(key: str, node: DictConfig) -> str:
    arguments: Iterable[str] = ()
    target = node.get(instantiate.TARGET)
    # The settings name every argument of this package's classes, and importing those would take seconds.
    if isinstance(target, str) and not target.startswith("pix2pix."):
        with contextlib.suppress(ValueError):  # no such class
            arguments = constructor_parameters(instantiate.locate_factory(target))
    if key.rpartition(".")[2] in arguments:
        return f"{key}: the class here takes it, but it is not among the settings. Add it: +{key}=VALUE."
    return instantiate.unknown_key_message(key, [str(name) for name in node])


def is_choice(option: str) -> bool:
    """Whether an option of a group can be chosen: those that begin with `_` are parts of others."""
    return not option.startswith("_")


def _describe_missing(error: MissingConfigException, missing: str) -> str:
    """A sentence for an option that no group has, chosen alone, in a list, or by the defaults of a file."""
    group, _, option = missing.rpartition("/")
    folders = [Path(folder) for folder in SEARCHED.findall(str(error))]
    including = INCLUDING.match(str(error))
    file = including[1] if including else ""
    # Of an option in a list Hydra does not name the group's others.
    options = set(error.options or ()) | {path.stem for folder in folders for path in (folder / group).glob("*.yaml")}
    own = any((folder / f"{file}.yaml").is_file() for folder in folders[1:])  # the first folder is this package's
    place = f"{file}.yaml: " if own else ""
    if not group:
        return f"--config-name {missing}: there is no such file in {', '.join(map(str, folders))}."
    if (group, option) == ("hydra/launcher", "pix2pix_slurm"):  # which the plugin names if submitit is there
        return str(MissingExtraError("hydra/launcher=slurm", "slurm"))
    if options:
        return f"{place}{_describe_unknown_option(group, option, sorted(filter(is_choice, options)))}"
    # Without a slash in front, a file's defaults are looked for beside the file.
    inner = group.removeprefix(f"{file.rpartition('/')[0]}/")
    remedy = f" For the group {inner} write `- override /{inner}: {option}`." if inner != group else ""
    return f"{place}{group}={option}: there is no such group of options.{remedy}"


def _describe_unknown_option(group: str, option: str, options: list[str]) -> str:
    near = difflib.get_close_matches(option, options, n=1)
    guess = f"; did you mean {near[0]}?" if near else "."
    return f"{group}={option}: there is no such option{guess} Choose from {', '.join(options)}."
