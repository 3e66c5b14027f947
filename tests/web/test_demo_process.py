"""The demos that the dashboard starts."""

import pytest

from pix2pix.web.demo_process import DemoProcesses


def test_a_demo_imports_nothing_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("click", "torch", "pix2pix"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'EXECUTED')!r}, 'w')")
    with pytest.raises(ValueError, match=r"no run|not a run|no such"):
        DemoProcesses().start([tmp_path / "nothing"])
    assert not (tmp_path / "EXECUTED").exists()
