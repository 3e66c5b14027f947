"""`pix2pix push` and hf:// addresses: a translator goes to the hub and comes back, judged like any other file."""

import json
import os
import shutil
import sys

import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open

from pix2pix import load_translator
from pix2pix.core.trust import UntrustedError
from pix2pix.export.push import _find_records, hide_private_settings
from pix2pix.inference.describe import find_licence
from pix2pix.inference.generator import load_generator
from pix2pix.inference.hub import find_model_name, parse_address
from pix2pix.runs.run import Run
from pix2pix.runs.weight_files import read_safetensors, write_safetensors
from pix2pix.web.demo.runs import load_runs
from pix2pix.web.run_cards import make_card
from tests.conftest import command, pix2pix
from tests.export.hub import TOKEN, Hub
from tests.export.published import authors_unet, save_bytes

huggingface_hub = pytest.importorskip("huggingface_hub")

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's own uploads
NAME = "ada/tiny"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Hub:
    """The stand-in, in place of https://huggingface.co, with a login and a cache of this test's own."""
    from huggingface_hub import constants

    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between attempts
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        yield server


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory) -> Run:
    """A run with an evaluation and a sheet of samples."""
    run = Run(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("evaluated") / "tiny"))
    pix2pix("evaluate", run.path)
    return run


def header(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_what_a_kill_has_left_of_an_evaluation_is_none(evaluated, tmp_path):
    run = Run(shutil.copytree(evaluated.path, tmp_path / "tiny"))
    for name in (".val.part", ".val.former.part"):
        shutil.copytree(run.evaluation / "val", run.evaluation / name)
    assert [folder.name for folder in _find_records(run, load_generator(run.path))] == ["val"]
    assert [page.parent.name for page in make_card(run, tmp_path).evaluations] == ["val"]


def test_a_pushed_run_comes_back_the_same(hub, evaluated, capsys):
    pix2pix("push", evaluated.path, NAME)
    output = capsys.readouterr().out
    assert f"{hub.url}/{NAME}\n" in output
    assert "HTTP Request" not in output
    assert f"pix2pix translate hf://{NAME} picture.png" in output
    assert sorted(hub.repositories[NAME]["main"]) == ["README.md", "config.yaml", "model.safetensors", "samples.png"]
    assert len([path for _, path, _ in hub.asked if "/commit/" in path]) == 1
    ours, theirs = (load_generator(place).generator.state_dict() for place in (evaluated.path, f"hf://{NAME}"))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_every_command_takes_an_address_of_the_hub(hub, evaluated, tmp_path):
    pix2pix("push", evaluated.path, NAME)
    Image.new("RGB", (40, 30), "red").save("drawing.png")
    pix2pix("translate", f"hf://{NAME}", "drawing.png", "--page")
    with Image.open(tmp_path / "desk" / "translated" / "drawing.png") as photo:
        assert photo.size == (40, 30)
    assert "tiny" in (tmp_path / "desk" / "translated" / "index.html").read_text()
    pix2pix("export", f"hf://{NAME}", "--format", "safetensors")
    assert (tmp_path / "desk" / "tiny.safetensors").is_file()
    assert [shown.name for shown in load_runs([f"hf://{NAME}"])] == [NAME]
    assert [shown.name for shown in load_runs([f"hf://{NAME}", evaluated.path])] == [NAME, "tiny"]
    with pytest.raises(SystemExit, match=r"no run directory, .* Set --output"):
        pix2pix("evaluate", f"hf://{NAME}")


@pytest.mark.slow
def test_the_command_line_reaches_the_hub_that_the_environment_names(hub, evaluated, tmp_path):
    places = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    environment = os.environ | places | {"HF_TOKEN": TOKEN, "no_proxy": "127.0.0.1"}
    done = command("push", evaluated.path, NAME, "--private", env=environment)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert NAME in hub.private
    Image.new("RGB", (32, 32)).save("drawing.png")
    assert command("translate", f"hf://{NAME}", "drawing.png", env=environment).returncode == 0
    del environment["HF_TOKEN"]
    (tmp_path / "home" / "hub").rename(tmp_path / "home" / "elsewhere")
    refused = command("translate", f"hf://{NAME}", "drawing.png", env=environment)
    assert f"pix2pix: hf://{NAME}: no such repository on 127.0.0.1, or a private one" in refused.stderr


def test_the_folder_is_written_without_the_hub_and_tells_what_a_user_needs(evaluated, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    pix2pix("push", evaluated.path, NAME, "--output", tmp_path / "card")
    files = sorted(file.name for file in (tmp_path / "card").iterdir())
    assert files == ["README.md", "config.yaml", "model.safetensors", "samples.png"]
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "card" / name) for name in ("README.md", "config.yaml", "samples.png", "model.safetensors")
    ]
    card = (tmp_path / "card" / "README.md").read_text()
    about, metrics = header(card), json.loads((evaluated.evaluation / "val" / "metrics.json").read_text())["metrics"]
    assert (about["license"], about["pipeline_tag"], about["library_name"]) == ("mit", "image-to-image", "pix2pix")
    (result,) = about["model-index"][0]["results"]
    assert {each["type"]: each["value"] for each in result["metrics"]} == {k: round(v, 6) for k, v in metrics.items()}
    assert f"| l1 | {metrics['l1']:.4f} | mean absolute error" in card
    assert f"pix2pix translate hf://{NAME} picture.png\npix2pix demo hf://{NAME}\n```" in card
    assert f'load_translator("hf://{NAME}")' in card
    assert "![Input, output and target of held-out pairs](samples.png)" in card
    config = yaml.safe_load((tmp_path / "card" / "config.yaml").read_text())
    assert config == read_safetensors(tmp_path / "card" / "model.safetensors")["config"]
    again = load_translator(tmp_path / "card" / "model.safetensors")
    picture = Image.effect_noise((32, 32), 50).convert("RGB")
    assert again(picture).tobytes() == load_translator(evaluated.path)(picture).tobytes()


def test_the_hub_reads_the_header_of_the_card(evaluated, tmp_path):
    pix2pix("push", evaluated.path, NAME, "--output", tmp_path / "card")
    data = huggingface_hub.ModelCard.load(tmp_path / "card" / "README.md").data
    assert data.license == "mit"
    assert {result.metric_type for result in data.eval_results} >= {"l1", "psnr"}
    assert {result.dataset_split for result in data.eval_results} == {"val"}


def test_numbers_of_other_weights_are_left_out_of_the_card(evaluated, tmp_path, caplog):
    record = evaluated.evaluation / "val" / "metrics.json"
    kept = record.read_text()
    try:
        content = json.loads(kept)
        content["checkpoint_file"]["sha256"] = "0" * 64
        record.write_text(json.dumps(content))
        pix2pix("push", evaluated.path, NAME, "--output", tmp_path / "card")
    finally:
        record.write_text(kept)
    card = (tmp_path / "card" / "README.md").read_text()
    assert "Not evaluated." in card
    assert "model-index" not in header(card)
    assert "of other weights or test-time choices" in caplog.text
    pix2pix("push", evaluated.path, NAME, "--output", tmp_path / "off", "--dropout", "off")
    assert "Not evaluated." in (tmp_path / "off" / "README.md").read_text()


def test_published_weights_keep_their_terms_and_show_their_evaluation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "latest_net_G.pth").write_bytes(save_bytes(authors_unet()))
    pix2pix("import", "g/latest_net_G.pth", "data=facades", "data.direction=BtoA", "--name", "theirs")
    for split in ("train", "val"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        Image.effect_noise((512, 256), 50).convert("RGB").save(tmp_path / "pairs" / split / "1.png")
    pix2pix("evaluate", "outputs/theirs", "--data", "pairs")
    pix2pix("push", "outputs/theirs", NAME, "--output", "card")
    card = (tmp_path / "card" / "README.md").read_text()
    assert header(card)["license"] == "other"
    assert header(card)["license_link"] == "https://cmp.felk.cvut.cz/~tylecr1/facade/"
    assert "published for research; cite the database" in card
    assert "| pairs val, 1 pair |" in card
    with Image.open(tmp_path / "card" / "samples.png") as sheet:
        assert sheet.width > 3 * 256
    pix2pix("push", "outputs/theirs", NAME, "--output", "card", "--license", "cc-by-4.0", "--no-samples")
    card = (tmp_path / "card" / "README.md").read_text()
    assert header(card)["license"] == "cc-by-4.0"
    assert "published for research" in card
    assert not (tmp_path / "card" / "samples.png").exists()
    assert "samples.png" not in card


def test_own_data_have_no_licence_until_one_is_named(tiny_run):
    config = tiny_run.config()
    own = config.replace(data=config.data.replace(name="mine"))
    assert find_licence(own, None, {}).header == {"license": "unknown"}
    assert "names no licence of the data `mine`" in find_licence(own, None, {}).words
    assert "made by A" in find_licence(own, None, {"terms": "made by A"}).words


def test_nothing_that_is_written_or_sent_holds_a_secret_or_a_folder_of_this_machine(hub, evaluated, tmp_path):
    pix2pix("push", evaluated.path, NAME)
    for content in hub.repositories[NAME]["main"].values():
        assert TOKEN.encode() not in content
        assert str(evaluated.path.parent).encode() not in content
    config = {"init_from": "/home/ada/run", "data": {"path": "https://ada:word@host/pairs", "root": "/home/ada"}}
    assert hide_private_settings(config) == {"init_from": "run", "data": {"path": "pairs", "root": "ada"}}
    assert hide_private_settings({"note": "https://ada:word@host/pairs"}) == {"note": "https://***@host/pairs"}


def test_a_folder_with_other_files_is_left_alone(evaluated, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit, match=r"already holds other files, such as thesis\.txt"):
        pix2pix("push", evaluated.path, NAME, "--output", tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.name != "settings"] == ["thesis.txt"]


def test_a_name_that_the_hub_would_refuse_is_refused_before_a_folder_is_written(evaluated, tmp_path):
    for name in ("ada", "a b/c d", "a/b/c"):
        with pytest.raises(SystemExit, match=r"no address of the hub\. Write hf://USER/NAME"):
            pix2pix("push", evaluated.path, name, "--output", tmp_path / "card")
    assert not (tmp_path / "card").exists()


def test_a_token_in_the_place_of_a_revision_is_neither_sent_nor_shown():
    with pytest.raises(ValueError, match=r"hf://ada/houses@\*\*\*: behind @ stands an access token") as error:
        load_generator("hf://ada/houses@hf_abcdefghijklmnop")
    assert "abcdef" not in str(error.value)


def test_a_revision_is_a_model_of_its_own(hub, evaluated, tmp_path):
    pix2pix("push", evaluated.path, NAME)
    commit = next(name for name in hub.repositories[NAME] if name != "main")
    pix2pix("push", evaluated.path, NAME, "--checkpoint", "last", "--dropout", "off", "--revision", "quiet")
    assert load_generator(f"hf://{NAME}@quiet").inference.dropout == "off"
    assert (
        load_generator(f"hf://{NAME}").inference.dropout
        == load_generator(f"hf://{NAME}@{commit}").inference.dropout
        == "on"
    )
    with pytest.raises(FileNotFoundError, match=f"hf://{NAME}@nothing: the repository has no such revision"):
        load_generator(f"hf://{NAME}@nothing")


def foreign(tiny_run, path, **changes) -> bytes:
    """The file of a run with another configuration, as somebody else may have uploaded it."""
    trained = load_generator(tiny_run.path)
    write_safetensors(path, trained.generator.state_dict(), trained.config.to_mapping() | changes, 1)
    return path.read_bytes()


@pytest.mark.parametrize("target", ["subprocess.Popen", "mylab.nets.Net", "os.system"])
def test_a_model_of_somebody_else_is_judged_before_anything_is_built(hub, tiny_run, tmp_path, target):
    generator = {"_target_": target, "args": f"touch {tmp_path}/executed"}
    content = foreign(tiny_run, tmp_path / "m.safetensors", generator=generator)
    hub.put("eve/model", **{"model.safetensors": content})
    with pytest.raises(UntrustedError, match="its configuration is not built"):
        load_translator("hf://eve/model")
    assert not (tmp_path / "executed").exists()


def test_only_tensors_are_downloaded_from_the_hub(hub, evaluated, tmp_path):
    hub.put("eve/pickle", **{"best.ckpt": b"cos\nsystem\n", "config.yaml": b"generator: {_target_: os.system}"})
    with pytest.raises(FileNotFoundError, match=r"hf://eve/pickle: has no model\.safetensors"):
        load_translator("hf://eve/pickle")
    pix2pix("push", evaluated.path, NAME)
    load_translator(f"hf://{NAME}")
    fetched = {path for method, path, _ in hub.asked if method == "GET" and "/resolve/" in path}
    assert {path.rpartition("/")[2] for path in fetched} == {"model.safetensors"}
    hub.put("eve/other", **{"model.safetensors": b"no tensors"})
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_translator("hf://eve/other")


def test_a_damaged_model_is_refused(hub, tiny_run, tmp_path):
    content = bytearray(foreign(tiny_run, tmp_path / "m.safetensors"))
    content[-1] ^= 1
    hub.put(NAME, **{"model.safetensors": bytes(content)})
    with pytest.raises(ValueError, match="checksum differs"):
        load_translator(f"hf://{NAME}")


def test_without_a_network_an_earlier_download_is_used(hub, evaluated, monkeypatch):
    from huggingface_hub import constants

    pix2pix("push", evaluated.path, NAME)
    load_translator(f"hf://{NAME}")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    assert load_translator(f"hf://{NAME}")
    with pytest.raises(OSError, match="hf://ada/never: "):
        load_translator("hf://ada/never")
    with pytest.raises(SystemExit, match=f"pix2pix: hf://{NAME}: the transfer failed"):
        pix2pix("push", evaluated.path, NAME)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "message"),
    [
        (401, {"X_Error_Code": "RepoNotFound"}, FileNotFoundError, "no such repository on 127.0.0.1, or a private one"),
        (403, {"X_Error_Code": "GatedRepo"}, PermissionError, "its owner grants access on request only"),
        (500, {}, FileNotFoundError, r"not downloaded yet, and the hub does not deliver it now \(.*500"),
    ],
)
def test_refusals_of_the_hub_are_told_with_a_remedy(hub, status, headers, kind, message):
    hub.refusals["/ada/"] = status, headers
    with pytest.raises(kind, match=f"hf://{NAME}: {message}"):
        load_translator(f"hf://{NAME}")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/repos/create", 403, "the hub answers: .*403"),
        ("/api/models/ada/tiny/commit", 403, "the hub answers: .*403"),
        ("/lfs/", 500, "the transfer failed"),
    ],
)
def test_a_push_that_the_hub_refuses_ends_in_a_sentence_without_the_token(hub, evaluated, path, status, message):
    hub.refusals[path] = status, {}
    with pytest.raises(SystemExit, match=f"pix2pix: hf://{NAME}: ({message})") as error:
        pix2pix("push", evaluated.path, NAME)
    assert TOKEN not in str(error.value)
    assert "model.safetensors" not in hub.repositories.get(NAME, {}).get("main", {})


def test_a_push_without_a_login_names_the_remedy(hub, evaluated, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(SystemExit, match=r"hf auth login"):
        pix2pix("push", evaluated.path, NAME)


def test_without_the_extra_an_error_names_it(evaluated, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for words in (["push", evaluated.path, NAME], ["translate", f"hf://{NAME}", "x.png"], ["demo", f"hf://{NAME}"]):
        with pytest.raises(SystemExit, match=r"pip install 'pix2pix\[hub\]'"):
            pix2pix(*words)


@pytest.mark.parametrize(
    "address", ["hf://ada", "hf://", "hf://a/b/c", "hf://ada/tiny@", "hf://ada/ti ny", "hf:/../x/y"]
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(ValueError, match="Write hf://USER/NAME or hf://USER/NAME@REVISION"):
        load_translator(address)


def test_an_address_survives_being_taken_for_a_path(tmp_path):
    assert parse_address("hf://ada/tiny@v1.0") == parse_address("hf:/ada/tiny@v1.0") == ("ada/tiny", "v1.0")
    assert parse_address("hf://ada/tiny/") == ("ada/tiny", None)
    cached = tmp_path / "models--ada--my--net" / "snapshots" / "abc" / "model.safetensors"
    assert find_model_name(cached) == "ada/my--net"
    assert find_model_name(tmp_path / "model.safetensors") is None


def test_half_precision_halves_the_file(evaluated, tmp_path):
    sizes = []
    for words in ([], ["--half"]):
        pix2pix("push", evaluated.path, NAME, "--output", tmp_path / "card", *words)
        with safe_open(tmp_path / "card" / "model.safetensors", framework="pt") as file:
            sizes.append(sum(file.get_tensor(name).nbytes for name in file.keys()))  # noqa: SIM118
    assert sizes[1] < 0.51 * sizes[0]
