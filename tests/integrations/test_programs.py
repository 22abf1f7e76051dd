"""Public programs bare and under `autolog run`: a few of those that `python -m benchmarks.programs` runs."""

import pytest

from benchmarks.programs.catalogue import PROGRAMS
from benchmarks.programs.compare import compare
from benchmarks.programs.output import differences, lines
from tests.waiting import LONG

NAMED = {program.name: program for program in PROGRAMS}


@pytest.mark.parametrize(
    ("name", "code", "children"),
    [
        ("gallery/sklearn_digits_svm", 0, 1),
        ("gallery/keras_torch_multi_output", 0, 3),
        ("gallery/torch_vae_tensorboard", 3, 1),  # it ends with sys.exit(3)
    ],
)
def test_a_program_behaves_as_without_autolog(tmp_path, name, code, children):
    result = compare(NAMED[name], tmp_path, repeat=1, strict=True, timeout=LONG)
    assert result.codes == (code, code)
    assert not result.differences
    assert not result.problems
    assert not result.said
    assert (result.runs, result.children >= children) == (1, True)


def test_there_are_more_than_forty_of_all_five_frameworks():
    assert len(NAMED) == len(PROGRAMS) > 40
    assert {"sklearn", "keras", "lightning", "transformers", "torch"} <= {program.framework for program in PROGRAMS}


def test_durations_and_places_are_no_difference():
    def shown(text):
        return lines(text, "/somewhere/here")

    assert shown("epoch 1 - 3ms/step - loss: 0.5") == shown("epoch 1 - 12ms/step - loss: 0.5")
    assert shown("== 3 passed in 1.25s ==") == shown("== 3 passed in 0.81s ==")
    assert shown(" 10%|#  | 1/9 [00:01<00:08, 1.1it/s]\r 90%|###| 8/9 [00:09<00:00, 1.0it/s]\nloss 1") == ["loss 1"]
    assert shown("a line\rredrawn") == ["redrawn"]
    assert shown("{'train_runtime': 3.1, 'loss': 0.25}") == shown("{'train_runtime': 2.9, 'loss': 0.25}")
    assert shown("saved in /somewhere/here/a.pt") == ["saved in <folder>/a.pt"]
    assert shown("autolog: said\nloss 1") == ["loss 1"]


@pytest.mark.parametrize(("one", "other"), [("loss 0.5", "loss 0.6"), ("accuracy: 0.9681", "accuracy: 0.9682")])
def test_values_are_a_difference(one, other):
    assert differences([lines(one, "/x")], [lines(other, "/x")]) == [f"- {one}", f"+ {other}"]
    assert differences([lines(one, "/x")], [lines(one, "/x"), lines("more\n" + one, "/x")]) == ["+ more"]


def test_what_varies_by_itself_is_no_difference_but_new_lines_are():
    bare = [["took 5 turns", "end"], ["took 6 turns", "end"]]
    assert differences(bare, [["took 6 turns", "end"]]) == []
    assert differences(bare, [["took 5 turns", "warning", "end"]]) == ["+ warning"]
    assert differences(bare, [["took 6 turns"]]) == ["- end"]
