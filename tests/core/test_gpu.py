"""Which GPUs are the training's, and what they say where there are some."""

import subprocess

import pytest

from autolog.sidecar.gpu import Gpus, chosen

UUIDS = {0: "GPU-aaaa-1", 1: "GPU-bbbb-2", 2: "GPU-cccc-3"}


@pytest.mark.parametrize(
    ("visible", "indexes"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("1", [1]),
        ("2,0", [2, 0]),
        (" 1 , 2 ", [1, 2]),
        ("0,7,1", [0]),
        ("GPU-bbbb", [1]),
        ("GPU-cccc-3,0", [2, 0]),
        ("NoDevFiles", []),
    ],
)
def test_visible_devices(visible, indexes):
    assert chosen(visible, UUIDS) == indexes


@pytest.mark.skipif(
    subprocess.run(["which", "nvidia-smi"], capture_output=True, check=False).returncode == 0,
    reason="this machine has an NVIDIA driver",
)
def test_without_a_driver_there_are_none():
    values = {}
    Gpus(None).sample(values, {1})
    assert values == {}


@pytest.mark.gpu
def test_values_of_a_real_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    import os

    kept = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda")
    values = {}
    Gpus("0").sample(values, {os.getpid()})
    assert set(values) >= {
        "gpu.0.utilization_percent", "gpu.0.memory_used_bytes", "gpu.0.memory_percent", "gpu.0.temperature_celsius",
        "gpu.0.power_watts",
    }  # fmt: skip
    assert values["gpu.0.memory_used_bytes"] >= kept.numel()
    assert values.get("gpu.0.process_memory_bytes", kept.numel()) >= kept.numel()
