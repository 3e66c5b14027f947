"""A wrong number of an option is refused in plain words."""

import pytest

from tests.conftest import pix2pix


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["translate", "facades", "x.png", "--tile", "abc"], "'--tile': 'abc' is no whole number."),
        (["translate", "facades", "x.png", "--tile", "-5"], "'--tile': -5: give a number of at least 1."),
        (["translate", "facades", "x.png", "--smooth", "1"], "give a number of at least 0 and less than 1."),
        (["translate", "facades", "x.png", "--smooth", "much"], "'--smooth': 'much' is no number."),
        (["demo", "facades", "--port", "abc"], "'--port': 'abc' is no whole number."),
    ],
)
def test_a_wrong_number_is_refused_in_plain_words(words, sentence, capsys):
    with pytest.raises(SystemExit):
        pix2pix(*words)
    said = capsys.readouterr().err
    assert sentence in said
    assert "range" not in said


def test_a_file_whose_name_begins_with_a_dash_is_told_how_to_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-photos").mkdir()
    for word, sentence in (
        ("-photos", "-photos: begins with a dash, as options do. Write ./-photos"),
        ("-q", "No such"),
    ):
        with pytest.raises(SystemExit):
            pix2pix("translate", "facades", word)
        assert sentence in capsys.readouterr().err
