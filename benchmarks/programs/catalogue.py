"""Which programs are run: those that installed packages ship, and the gallery beside this file.

``{packages}`` in a program's words is the folder of the installed packages, ``{gallery}`` that of the gallery,
``{data}`` that of the small models and data sets which :mod:`benchmarks.programs.data` makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["GALLERY", "PROGRAMS", "Program"]

GALLERY = Path(__file__).with_name("gallery")


class Program(NamedTuple):
    """A program: its name, the framework it is about, what follows ``python``, and its environment's extras."""

    name: str
    framework: str
    words: tuple[str, ...]
    variables: Mapping[str, str] = MappingProxyType({})


def _tests(framework: str, module: str, *more: str, **variables: str) -> Program:
    """A module of tests that a package ships, run as its developers do."""
    words = (
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-v",
        "--tb=short",
        "--pyargs",
        module,
        *more,
    )
    return Program(f"{module}{' ' + more[-1] if more else ''}", framework, words, variables)


def _script(framework: str, path: str, *words: str, **variables: str) -> Program:
    """A script that a package ships."""
    return Program(path.removesuffix(".py"), framework, (f"{{packages}}/{path}", *words), variables)


def _trl(name: str, *words: str) -> Program:
    """One of TRL's training scripts, on a tiny model."""
    common = (
        "--output_dir out --max_steps 6 --per_device_train_batch_size 2 --logging_steps 1 --report_to none "
        "--use_cpu True --save_strategy no --bf16 False --gradient_checkpointing False --eval_strategy no"
    )
    return Program(f"trl.scripts.{name}", "transformers", ("-m", f"trl.scripts.{name}", *words, *common.split()))


def _gallery() -> Iterator[Program]:
    """The gallery's scripts: ``keras_jax_autoencoder.py`` is about Keras, on JAX."""
    for path in sorted(GALLERY.glob("*.py")):
        framework, _, rest = path.stem.partition("_")
        backend = rest.partition("_")[0] if framework == "keras" else ""
        variables = {"KERAS_BACKEND": {"tf": "tensorflow"}.get(backend, backend)} if backend else {}
        words: tuple[str, ...] = (f"{{gallery}}/{path.name}",)
        if path.stem.endswith("_torchrun"):
            words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words)
        elif path.stem.endswith("_cli"):
            words = (
                *words,
                "fit",
                "--trainer.max_epochs",
                "3",
                "--trainer.accelerator",
                "cpu",
                "--seed_everything",
                "1",
            )
        yield Program(f"gallery/{path.stem}", framework, words, variables)


_SHIPPED = (
    _tests("sklearn", "sklearn.tests.test_pipeline"),
    _tests("sklearn", "sklearn.tests.test_multiclass"),
    _tests("sklearn", "sklearn.neural_network.tests.test_mlp", "-k", "partial or early or warm"),
    _tests("sklearn", "sklearn.model_selection.tests.test_search", "-k", "refit or unsupervised or nested"),
    _tests("sklearn", "sklearn.model_selection.tests.test_successive_halving", "-k", "aggressive or cv_results"),
    _tests("sklearn", "sklearn.ensemble.tests.test_voting"),
    _tests("sklearn", "sklearn.feature_selection.tests.test_rfe"),
    _tests("sklearn", "sklearn.callback"),
    _tests("skorch", "skorch.tests.test_classifier"),
    _tests("skorch", "skorch.tests.test_history"),
    _tests(
        "keras", "keras.src.trainers.trainer_test", "-k", "on_batch or callbacks or val_split or stop_loop",
        KERAS_BACKEND="torch",
    ),
    _tests("keras", "keras.src.callbacks.early_stopping_test", KERAS_BACKEND="torch"),
    _tests("keras", "keras.src.callbacks.model_checkpoint_test", KERAS_BACKEND="jax"),
    _tests("keras", "keras.src.callbacks.callback_test", KERAS_BACKEND="tensorflow"),
    _tests("keras", "keras.src.models.sequential_test", KERAS_BACKEND="jax"),
    _tests("keras", "keras.src.optimizers.adam_test", KERAS_BACKEND="torch"),
    _tests("keras", "keras.src.backend.jax.trainer_test", KERAS_BACKEND="jax"),
    _script("transformers", "accelerate/test_utils/scripts/test_script.py"),
    _script("transformers", "accelerate/test_utils/scripts/test_sync.py"),
    _script("transformers", "accelerate/test_utils/scripts/test_ops.py"),
    _trl("sft", "--model_name_or_path", "{data}/gpt", "--dataset_name", "{data}/chats", "--max_length", "64"),
    _trl("dpo", "--model_name_or_path", "{data}/gpt", "--dataset_name", "{data}/preferences", "--max_length", "64"),
    _trl("reward", "--model_name_or_path", "{data}/gpt", "--dataset_name", "{data}/preferences", "--max_length", "64"),
    _trl(
        "grpo", "--model_name_or_path", "{data}/gpt", "--dataset_name", "{data}/prompts", "--reward_funcs",
        "think_format_reward", "--num_generations", "2", "--max_completion_length", "8",
    ),
)  # fmt: skip

PROGRAMS = (*_SHIPPED, *_gallery())
