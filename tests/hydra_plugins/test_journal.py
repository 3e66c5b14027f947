"""The journal of a search, after a power cut or a full disk."""

import json
import logging
from pathlib import Path

import pytest

from hydra_plugins.pix2pix_search.journal import open_journal

optuna = pytest.importorskip("optuna")


@pytest.fixture
def journal(tmp_path) -> Path:
    """A search of three trials: two are finished, the third runs."""
    file = tmp_path / "search.journal"
    study = optuna.create_study(storage=open_journal(file), study_name="search")
    for value in (1.0, 2.0, None):
        trial = study.ask()
        trial.set_user_attr("overrides", [f"x={trial.suggest_float('x', 0, 1)}"])
        if value is not None:
            study.tell(trial, value)
    return file


def values(journal: Path) -> list[float | None]:
    return [trial.value for trial in optuna.load_study(storage=open_journal(journal), study_name="search").trials]


def lines(journal: Path) -> list[bytes]:
    return journal.read_bytes().splitlines(keepends=True)


def copies(journal: Path) -> list[bytes]:
    return [copy.read_bytes() for copy in sorted(journal.parent.glob("search.journal.damaged-*"))]


def test_a_sound_journal_is_left_alone(journal):
    before = journal.read_bytes()
    assert values(journal) == [1.0, 2.0, None]
    assert journal.read_bytes() == before
    assert copies(journal) == []


@pytest.mark.parametrize(
    "end", [b'{"op_code":8,"wor', b"\0" * 4096, b"\xff\xfe", b"{}", b"5", b'"text"\n', b"\n\n"], ids=str
)
def test_what_a_power_cut_left_at_the_end_is_cut_off(journal, end):
    sound = journal.read_bytes()
    journal.write_bytes(sound + end)
    assert values(journal) == [1.0, 2.0, None]
    assert journal.read_bytes() == sound
    assert copies(journal) == [sound + end]


def test_a_search_whose_last_line_is_cut_goes_on_and_says_so(journal, caplog):
    caplog.set_level(logging.WARNING)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    assert values(journal) == [1.0, 2.0, None]
    total = len(lines(journal)) + 1
    assert f"{journal}: 1 of its {total} lines are damaged" in caplog.text
    assert copies(journal) == [whole[:-7]]
    assert values(journal) == [1.0, 2.0, None]
    assert len(copies(journal)) == 1


def test_a_line_that_only_lacks_its_end_is_kept(journal):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1])
    assert values(journal) == [1.0, 2.0, None]
    assert journal.read_bytes() == whole


def test_values_never_move_to_another_trial(journal):
    """Trials are numbered by the order of their first lines: with one of these lost, later lines tell of others."""
    whole = lines(journal)
    kept = []
    for place in range(1, len(whole)):
        journal.write_bytes(b"".join([*whole[:place], b"rubbish\n", *whole[place + 1 :]]))
        trials = optuna.load_study(storage=open_journal(journal), study_name="search").trials
        kept.append(len(trials))
        for trial, number in ((trial, trial.number) for trial in trials):
            assert trial.value in {None, (1.0, 2.0, None)[number]}
            if "overrides" in trial.user_attrs and trial.params:
                assert trial.user_attrs["overrides"] == [f"x={trial.params['x']}"]
    assert sorted(set(kept)) == [0, 1, 2, 3]


def test_a_journal_of_rubbish_begins_again_and_is_kept(journal):
    journal.write_bytes(b"\x89PNG\r\n" * 100)
    open_journal(journal)
    assert journal.read_bytes() == b""
    assert len(copies(journal)) == 1


def test_a_journal_of_another_program_is_named(journal):
    journal.write_text(json.dumps({"op_code": 4, "what": "else"}) + "\n")
    with pytest.raises(ValueError, match=r"search\.journal: is no journal of a search (.|\n)*Move it away"):
        open_journal(journal)


def test_a_lock_that_a_kill_left_behind_is_found_again(tmp_path, monkeypatch):
    """Optuna looks for its age by the path in it, which must mean the same from the lock's own folder."""
    monkeypatch.chdir(tmp_path)
    backend = open_journal(Path("deep") / "search.journal")._backend
    backend._lock.acquire()
    assert (tmp_path / "deep" / "search.journal.lock").resolve(strict=True) == tmp_path / "deep" / "search.journal"
