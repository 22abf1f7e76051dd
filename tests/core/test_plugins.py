"""Integrations are found, switched on by the import they wait for, and switched off by name."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from autolog import plugins

THIRD_PARTY = """
from autolog import current
from autolog.patching import patch

class Counting:
    name = "counting"
    module = "some_framework"
    distribution = "some-framework"
    tested = ("1.0", "1.0")

    def install(self, module):
        def fit(call):
            with current.ensure_run().child("fit", "fit", self.name) as run:
                yield
                run.captured_metrics({"seen": call.args[0]}, step=1)
        return [patch(module, "fit", fit)]

integration = Counting()
"""


@pytest.fixture
def installed(tmp_path):
    """A third party's plugin, installed as pip would, and a framework for it."""
    (tmp_path / "counting_plugin.py").write_text(THIRD_PARTY)
    (tmp_path / "some_framework.py").write_text("def fit(x):\n    return x + 1\n")
    info = tmp_path / "counting_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[autolog.integrations]\ncounting = counting_plugin:integration\n")
    return tmp_path


def python(code, path, **variables):
    environment = {**os.environ, "PYTHONPATH": str(path), "AUTOLOG_DIR": str(path / "runs"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(journal, kind):
    found = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line for line in found if line["type"] == kind]


REPORT = """
import json
from autolog import plugins
state = plugins.states()["counting"]
print(json.dumps([some_framework.fit(1), state.status]))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import autolog, some_framework",
        "import some_framework, autolog",
        "from some_framework import fit; import autolog, some_framework",
    ],
)
def test_a_third_partys_integration_in_any_import_order(installed, imports):
    assert json.loads(python(imports + REPORT, installed)) == [2, "patched"]
    (journal,) = installed.glob("runs/*/*/journal.jsonl")
    assert [line["values"] for line in lines(journal, "metrics")] == [{"seen": 1}]


def test_it_can_be_disabled_by_variable_and_by_name(installed):
    assert json.loads(python("import autolog, some_framework" + REPORT, installed, AUTOLOG_DISABLE="counting")) == [
        2,
        "off",
    ]
    code = """
        import some_framework
        before = some_framework.fit
        import autolog
        assert some_framework.fit is not before
        autolog.disable("counting")
        assert some_framework.fit is before
        autolog.enable("counting")
        assert some_framework.fit is not before
        autolog.disable()
        assert some_framework.fit is before
        autolog.enable()
        assert some_framework.fit is not before
    """
    python(code, installed)


def test_a_disabled_integration_is_never_loaded(installed):
    (installed / "broken_plugin.py").write_text("")
    code = "import sys, autolog; import sklearn.base; print('autolog.integrations.sklearn' in sys.modules)"
    pytest.importorskip("sklearn")
    assert python(code, installed, AUTOLOG_DISABLE="sklearn").strip() == "False"


def test_a_broken_plugin_is_reported_and_stops_nothing(installed):
    (installed / "counting_plugin.py").write_text("integration = object()\n")
    code = """
        import autolog
        from autolog import guard
        autolog.log_metric("a", 1.0)
        autolog.finish()
        print(*guard.failures())
    """
    assert python(code, installed, AUTOLOG_STRICT="0").strip() == "plugins.counting"
    (journal,) = installed.glob("runs/*/*/journal.jsonl")
    (health,) = lines(journal, "health")
    assert (health["kind"], health["where"]) == ("error", "plugins.counting")
    assert "is no autolog integration" in health["detail"]


HALF = """
from autolog import plugins
from autolog.patching import patch, undo_with

class Half:
    name = "half"
    module = "some_framework"
    distribution = "some-framework"
    tested = ("1.0", "1.0")

    def install(self, module):
        def hook(call):
            yield
        module.listeners.append(self)
        {way}undo_with(lambda: module.listeners.remove(self))
        {way}patch(module, "fit", hook)
        {way}plugins.at_end(print)
        {way}patch(module, "renamed_since", hook)
        return []

integration = Half()
"""


@pytest.mark.parametrize("way", ["", "yield "], ids=["returns", "yields"])
def test_an_installation_that_fails_half_way_leaves_the_framework_untouched(installed, way):
    (installed / "counting_plugin.py").write_text(HALF.format(way=way))
    (installed / "some_framework.py").write_text("listeners = []\ndef fit(x):\n    return x + 1\n")
    code = """
        import some_framework
        before = some_framework.fit
        import autolog
        from autolog import guard, plugins
        assert some_framework.fit is before
        assert some_framework.listeners == []
        assert not plugins._at_end, "what was to be written at the end is still waiting"
        state = plugins.states()["half"]
        print(state.status, *guard.failures())
        autolog.log_metric("a", some_framework.fit(1))
        autolog.disable("half")
        assert some_framework.fit is before
    """
    assert python(code, installed, AUTOLOG_STRICT="0").strip() == "failed half.install"


def test_unknown_names_are_an_error_with_the_nearest():
    import autolog

    with pytest.raises(ValueError, match="did you mean 'keras'"):
        autolog.disable("kears")
    with pytest.raises(ValueError, match="known: "):
        autolog.enable("zzzzzz")


@pytest.mark.parametrize("entry", plugins.BUILT_IN, ids=lambda entry: entry.name)
def test_built_ins_keep_the_contract(entry):
    module, _, attribute = entry.target.partition(":")
    integration = getattr(__import__(module, fromlist=[attribute]), attribute)
    assert isinstance(integration, plugins.Integration)
    assert (integration.name, integration.module) == (entry.name, entry.module)
    low, high = integration.tested
    assert [int(part) for part in low.split(".")] <= [int(part) for part in high.split(".")]


def test_loading_the_built_ins_imports_no_framework():
    targets = [entry.target.partition(":")[0] for entry in plugins.BUILT_IN]
    code = f"""
        import importlib, sys
        for name in {targets!r}:
            importlib.import_module(name)
        frameworks = {{"sklearn", "keras", "torch", "lightning", "pytorch_lightning", "transformers", "numpy"}}
        print(sorted(frameworks & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
