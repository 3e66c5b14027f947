"""Files and the terminal under locales that are not UTF-8."""

import ast
import os
from pathlib import Path

import pytest

from pix2pix.core.atomic_files import write_text_atomic
from tests.conftest import TINY_FOLDER, command, noise_pairs

ROOT = Path(__file__).parents[2]
OURS = [
    file for folder in ("pix2pix", "hydra_plugins", "scripts", "benchmarks") for file in (ROOT / folder).rglob("*.py")
]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
BINARY = {"Image", "av", "gzip", "tarfile", "webbrowser"}  # their `open` opens no text
TEXT = {"read_text", "write_text", "savetxt", "loadtxt", "genfromtxt", "FileHandler", "TextIOWrapper"}


def is_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text, in a file or in the pipes of a process."""
    given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    if given.get("text") is True or given.get("universal_newlines") is True:
        return True
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if name in {"open", "fdopen"} and owner not in BINARY and (owner, name) != ("os", "open"):
        if owner not in {"", "io", "os"} and any(not isinstance(word, ast.Constant) for word in call.args):
            return False  # what is opened is given, so it is no method of a path
        modes = [word.value for word in call.args if isinstance(word, ast.Constant)] + [given.get("mode")]
        return not any("b" in str(mode) for mode in modes if mode)
    return name in TEXT and owner != "package"  # an installed package, whose files importlib.metadata reads as UTF-8


def says_how(call: ast.Call) -> bool:
    """Whether it names an encoding: read_text takes it in the first place too."""
    return any(word.arg == "encoding" for word in call.keywords) or "'utf-8'" in map(ast.unparse, call.args)


@pytest.mark.parametrize(
    "text", ['open("a")', 'p.open("w", newline="")', "p.read_text()", "run(c, text=True)", "os.fdopen(1)"]
)
def test_what_reads_or_writes_text_is_found(text):
    assert is_text(ast.parse(text).body[0].value)


def test_text_is_read_and_written_in_utf8_everywhere():
    calls = [
        (file, node)
        for file in OURS
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    without = [
        f"{file.relative_to(ROOT)}:{call.lineno}" for file, call in calls if is_text(call) and not says_how(call)
    ]
    assert without == []


def test_a_name_that_is_no_utf8_can_be_written(tmp_path):
    write_text_atomic(tmp_path / "page.html", os.fsdecode(b"caf\xe9 \xc3\xa9"))
    assert (tmp_path / "page.html").read_bytes() == b"caf\xe9 \xc3\xa9"


@pytest.mark.parametrize("locale", [ASCII, {"PYTHONIOENCODING": "ascii"}], ids=["everything", "terminal"])
def test_no_character_ends_the_program(locale, tmp_path):
    noise_pairs(tmp_path / "été ★", 3)
    output = command("data", "check", str(tmp_path / "été ★"), env=with_locale(locale), cold=True)
    assert (output.returncode, output.stderr) == (0, "")
    assert "3 train, 1 val" in output.stdout


@pytest.mark.slow
def test_every_command_works_in_a_locale_of_ascii(tmp_path):
    noise_pairs(tmp_path / "données ★", 3)
    (tmp_path / "données ★" / "val" / "0.jpg").rename(tmp_path / "données ★" / "val" / "façade é.jpg")
    words = ["data=folder", f"data.path='{tmp_path}/données ★'", *TINY_FOLDER[1:], f"output_dir={tmp_path}"]
    for message in (
        command("train", *words, "name='été'", env=with_locale(ASCII), cold=True),
        command("evaluate", str(tmp_path / "été"), env=with_locale(ASCII), cold=True),
        command("compare", str(tmp_path / "été"), env=with_locale(ASCII), cold=True),
        command(
            "translate",
            "--page",
            str(tmp_path / "été"),
            str(tmp_path / "données ★"),
            "-o",
            str(tmp_path / "ö"),
            env=with_locale(ASCII),
            cold=True,
        ),
    ):
        assert message.returncode == 0, message.stderr
    assert (tmp_path / "été/evaluation/val/images/façade é_output.png").is_file()
    assert (tmp_path / "ö/val/façade é.png").is_file()
    assert "été" in (tmp_path / "été/comparison.html").read_text(encoding="utf-8")


def with_locale(names: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONUTF8"} | names
