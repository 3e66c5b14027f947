"""Passwords in addresses: they stand nowhere, and are found where they belong."""

import base64
import json
import shlex
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from pix2pix.config.parse import parse_config
from pix2pix.core.addresses import authorization_header, hide_secrets, hide_secrets_in, require_no_secrets_in
from pix2pix.evaluation import record
from pix2pix.runs.provenance import describe_session
from pix2pix.runs.run import Run
from tests.conftest import TINY, compose_mapping, make_config, pix2pix

SECRET = "TOPSECRET"
WITH_SECRETS = [
    f"http://user:{SECRET}@host/shards",
    f"https://user:{SECRET}@host:8443/shards",
    f"https://{SECRET}@host/shards",
    f"http://user:a/{SECRET}@host/shards",
    f"http://user:a@{SECRET}@host/shards",
    f"http://user:a/b@{SECRET}@host/shards",
    f"HTTPS://user:{SECRET}@host/shards",
    f"http://:{SECRET}@[::1]:80/shards",
    f"filecache::https://user:{SECRET}@host/shards",
    f"s3://KEY:{SECRET}/x@bucket/shards",
    f"sftp://user:{SECRET}@host/shards",
    f"https://host/shards?token={SECRET}",
    f"https://host/shards#access_token={SECRET}",
    f"https://bucket.s3.amazonaws.com/shards?X-Amz-Credential=A&X-Amz-Signature={SECRET}",
    f"s3://bucket/shards?AWSAccessKeyId=A&Signature={SECRET}",
    f"hf://{SECRET}@datasets/mine",
]
WITHOUT = [
    "http://host/shards",
    "http://host:8080/a@b/shards",
    "http://[::1]:8080/a@b",
    "s3://bucket/shards",
    "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/mine",
    "abfs://container@account.dfs.core.windows.net/shards",
    "sftp://user@host/shards",
    "filecache::https://host/shards",
    "outputs/a=1,b=2",
    "mail@example.org: 12",
    "hf://USER/NAME@v1.0",
]


@pytest.mark.parametrize("address", WITH_SECRETS)
def test_secrets_are_hidden_in_any_text(address):
    assert SECRET not in hide_secrets(address)
    assert SECRET not in hide_secrets(str(Path(address)))
    assert SECRET not in hide_secrets(f"{address}/index.json: cannot be read ('{address}/index.json' said 401)")
    assert SECRET not in str(hide_secrets_in({"data": {"path": address, "all": [address, 1]}}))


@pytest.mark.parametrize("text", WITHOUT)
def test_other_texts_stay_as_they_are(text):
    assert hide_secrets(text) == text
    assert hide_secrets(str(Path(text))) == str(Path(text))
    require_no_secrets_in([f"data.path={text}", text])


@pytest.mark.parametrize("address", WITH_SECRETS)
@pytest.mark.parametrize("words", [[], ["-m"], ["--cfg", "job"]], ids=["train", "sweep", "show"])
def test_a_command_with_a_secret_is_refused_without_showing_it(tmp_path, monkeypatch, address, words, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"data\.path=.*holds a password.*~/\.netrc.*PIX2PIX_LOGINS") as error:
        pix2pix("train", "data=shards", f"data.path={address}", "name=run", *words)
    assert SECRET not in f"{error.value}{''.join(capsys.readouterr())}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ["data", "preview", "data=shards", "data.path=ADDRESS"],
        ["data", "download", "facades", "--mirror", "ADDRESS"],
        ["train", "-m", "data=shards", "data.path=outputs/a,ADDRESS"],
        ["train", "data.pth=ADDRESS"],
        ["train", "logger.wandb.notes=ADDRESS"],
        ["train", "logger.wandb.notes=https://host/x?id=1&api_key=TOPSECRET"],
        ["train", "output_dir=s3://bucket/x?token=TOPSECRET"],
    ],
    ids=lambda words: words[1],
)
def test_so_is_every_other_command(tmp_path, monkeypatch, command, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        pix2pix(*(word.replace("ADDRESS", WITH_SECRETS[0]) for word in command))
    assert "holds a password" in str(error.value)
    assert SECRET not in f"{error.value}{''.join(capsys.readouterr())}"


def test_a_secret_that_comes_from_a_file_or_a_variable_is_refused_too(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", WITH_SECRETS[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="holds a password") as error:
        pix2pix("train", "data=shards", "data.path=${oc.env:WHERE}", "name=run")
    assert SECRET not in str(error.value)
    assert not list(tmp_path.iterdir())
    config = compose_mapping(*TINY)
    config["data"]["source"]["path"] = WITH_SECRETS[0]
    with pytest.raises(ValueError, match=r"data\.source\.path=http://\*\*\*@host/shards: the address holds"):
        import_module("pix2pix.config.check").parse_and_check(config)


@pytest.mark.parametrize("address", ["s3://bucket/x", f"s3://bucket/x?token={SECRET}"])
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        *[(setting, []) for setting in ("output_dir", "run_dir", "name", "data.cache_dir")],
        ("output_dir", ["-m", "seed=0,1"]),
        ("hydra.sweep.dir", ["-m", "seed=0,1"]),
    ],
)
def test_a_run_is_written_to_no_address(tmp_path, monkeypatch, setting, words, address, capsys):
    """A folder `s3:` would appear in the current one, with the token in its name and in the files of the run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=rf"{setting}.*s3://bucket/x") as error:
        pix2pix("train", *TINY, "name=run", *words, f"{setting}={address}")
    assert "is an address" in str(error.value) or "holds a password" in str(error.value)
    assert SECRET not in f"{error.value}{''.join(capsys.readouterr())}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ["translate", "RUN", "a.png", "-o", "ADDRESS"],
        ["evaluate", "RUN", "-o", "ADDRESS"],
        ["compare", "RUN", "--csv=ADDRESS"],
        ["export", "RUN", "--output", "ADDRESS"],
        ["data", "check", "ADDRESS"],
        ["data", "prepare", "split", "a", "-o", "ADDRESS"],
        ["import", "ADDRESS"],
    ],
    ids=lambda words: words[0],
)
def test_so_does_every_other_command(tmp_path, monkeypatch, command, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^2$"):
        pix2pix(*(word.replace("ADDRESS", f"s3://bucket/x?token={SECRET}") for word in command))
    said = "".join(capsys.readouterr())
    assert "s3://bucket/x?*** is an address; give a folder or file of this machine" in said
    assert SECRET not in said
    assert not list(tmp_path.iterdir())


def test_what_stands_behind_an_address_stays():
    """The tokens of the hub are hidden without an address, too."""
    assert hide_secrets(f"s3://b/r?token={SECRET}: not a run.") == "s3://b/r?***: not a run."
    assert hide_secrets("Invalid: got 'hf_abcdefghijklmnopqrstuvwxyzABCDEFGH'.") == "Invalid: got '***'."
    assert hide_secrets("configs/hf_hub_download.yaml") == "configs/hf_hub_download.yaml"


def test_a_link_with_a_query_may_stand_in_a_note():
    require_no_secrets_in(["logger.wandb.notes=https://host/search?q=pix2pix"])


def test_the_command_line_is_written_down_without_secrets(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py", *shlex.split(f"--from {WITH_SECRETS[0]} --and '{WITH_SECRETS[11]}'")])
    assert SECRET not in json.dumps(describe_session(tmp_path, make_config("provenance.code=false")))


def test_a_run_of_before_goes_on_without_its_password_and_hands_it_to_nobody(run):
    from pix2pix.training.loggers.wandb_session import _config

    there = run.config().to_mapping()
    there["data"]["path"] = there["data"]["source"]["path"] = WITH_SECRETS[0]
    run.config_file.write_text(yaml.safe_dump(there, sort_keys=False))
    here = Run(run.path).config().to_mapping()
    here["data"]["path"] = here["data"]["source"]["path"] = "http://host/shards"
    run.require_same(parse_config(here))
    assert SECRET not in json.dumps(_config(run))


@pytest.fixture
def logins(monkeypatch, tmp_path):
    """Neither the logins of this machine's user nor its netrc."""
    monkeypatch.delenv("PIX2PIX_LOGINS", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_login_is_sent_to_the_host_it_is_of_and_to_no_other(logins, monkeypatch):
    monkeypatch.setenv("PIX2PIX_LOGINS", "https://user:p%40ss@host http://other:pw@host:8080 https://tok@third")
    assert authorization_header("https://host/shards/index.json") == basic("user:p@ss")
    assert authorization_header("https://host:443/shards") == basic("user:p@ss")
    assert authorization_header("http://host:8080/x") == basic("other:pw")
    assert authorization_header("https://third/x") == "Bearer tok"
    for foreign in ("http://host/x", "https://host:8443/x", "https://host.evil.example/x", "https://evil.example/host"):
        assert authorization_header(foreign) is None


def test_a_login_is_taken_from_netrc_but_never_the_one_for_any_host(logins):
    assert authorization_header("https://host/x") is None
    logins.write_text("machine host login user password pw\ndefault login anyone password leaked\n")
    assert authorization_header("https://host/x") == basic("user:pw")
    assert authorization_header("https://evil.example/x") is None
    logins.write_text("machine host login\n nonsense TOPSECRET")
    with pytest.raises(ValueError, match="the logins cannot be read") as error:
        authorization_header("https://host/x")
    assert SECRET not in str(error.value)


def test_logins_that_are_none_are_refused_without_showing_them(logins, monkeypatch):
    monkeypatch.setenv("PIX2PIX_LOGINS", f"user:{SECRET}@host")
    with pytest.raises(ValueError, match=r"PIX2PIX_LOGINS: .* not of the form https://USER:PASSWORD@HOST") as error:
        authorization_header("https://host/x")
    assert SECRET not in str(error.value)


def test_whatever_ends_a_command_shows_no_secret(tmp_path):
    with pytest.raises(SystemExit, match=r"http:.*\*\*\*@host") as error:
        pix2pix("translate", WITH_SECRETS[0], "a.png")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("secret", ["http://user:secret@host/shards", "https://host/shards?token=secret"])
def test_the_record_of_an_evaluation_names_an_address_without_its_secrets(secret):
    assert "secret" not in str(record.hide_password(secret))
    assert record.hide_password("s3://bucket/shards") == "s3://bucket/shards"
