"""Settings: where they come from, which one wins, and what a wrong one says."""

import sys

import pytest

import autolog
from autolog import config


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "_cached", None)
    monkeypatch.setattr(config, "_explicit", {})
    for name in list(config.os.environ):
        if name.startswith("AUTOLOG_"):
            monkeypatch.delenv(name)
    yield
    config._cached = None


def test_each_layer_overrides_the_one_below(tmp_path, monkeypatch):
    assert config.load().sample_interval == 5.0
    (tmp_path / "pyproject.toml").write_text("[tool.autolog]\nsample_interval = 1.0\nproject = 'a'\nname = 'n'\n")
    assert config.load().sample_interval == 1.0
    (tmp_path / "autolog.toml").write_text("sample_interval = 2.0\nproject = 'b'\n")
    assert config.load().sample_interval == 2.0
    monkeypatch.setenv("AUTOLOG_SAMPLE_INTERVAL", "3")
    assert config.load().sample_interval == 3.0
    assert autolog.configure(sample_interval=4.0).sample_interval == 4.0
    loaded = config.settings()
    assert (loaded.project, loaded.name) == ("b", "n")
    sources = {name: source for name, (_, source) in config.describe().items()}
    assert sources["sample_interval"] == "configure()"
    assert sources["project"].endswith("autolog.toml")
    assert sources["name"].endswith("pyproject.toml")
    assert sources["redact"] == "default"


def test_a_file_in_a_parent_directory_counts(tmp_path, monkeypatch):
    (tmp_path / "autolog.toml").write_text("project = 'above'\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert config.load().project == "above"


def test_variables_are_read_as_what_the_setting_is(monkeypatch):
    monkeypatch.setenv("AUTOLOG_DISABLE", "console, keras")
    monkeypatch.setenv("AUTOLOG_REDACT", "false")
    monkeypatch.setenv("AUTOLOG_EXIT_WAIT", "0.5")
    loaded = config.load()
    assert (loaded.disable, loaded.redact, loaded.exit_wait) == (["console", "keras"], False, 0.5)


def test_a_single_string_is_a_list_of_one():
    assert autolog.configure(backend="http").backend == ["http"]
    assert autolog.configure(backend=["local", "mlflow"]).backend == ["local", "mlflow"]
    assert autolog.configure(backend=None).backend == ["local"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bakend": "http"}, ["configure()", "'bakend'", "did you mean 'backend'"]),
        ({"qqqqqq": 1}, ["'qqqqqq'", "known settings", "sample_interval"]),
        ({"sample_interval": "often"}, ["'sample_interval'", "float", "'often'"]),
        ({"exit_wait": -1.0}, ["'exit_wait'", "negative"]),
        ({"tags": 3}, ["'tags'", "list[str]", "3"]),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(values, words):
    autolog.configure(project="kept")
    with pytest.raises(autolog.ConfigError) as caught:
        autolog.configure(**values)
    assert all(word in str(caught.value) for word in words)
    assert config.settings() == config.load() == config.Settings(project="kept")


def test_a_wrong_variable_is_said_and_does_not_stop_training(monkeypatch, capsys):
    monkeypatch.setenv("AUTOLOG_DISBLE", "keras")
    monkeypatch.setenv("AUTOLOG_SAMPLE_INTERVAL", "often")
    monkeypatch.setenv("AUTOLOG_NAME", "good")
    assert config.settings().name == "good"
    said = capsys.readouterr().err
    assert "AUTOLOG_DISBLE" in said
    assert "did you mean 'disable'" in said
    assert "AUTOLOG_SAMPLE_INTERVAL" in said
    with pytest.raises(autolog.ConfigError):
        config.load()


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "autolog.toml").write_text("project = \n")
    with pytest.raises(autolog.ConfigError, match=r"autolog\.toml: cannot be read as TOML"):
        config.load()


def test_the_token_is_never_shown():
    autolog.configure(token="s3cr3t-value")
    assert "s3cr3t" not in repr(config.describe())


def test_runs_are_kept_in_the_git_root(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    assert config.runs_root() == tmp_path / ".autolog"
    autolog.configure(dir="elsewhere")
    assert config.runs_root() == tmp_path / "src" / "elsewhere"


def test_toml_is_not_imported_where_there_is_no_file():
    code = "import sys, autolog; sys.exit('tomllib' in sys.modules or 'tomli' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
