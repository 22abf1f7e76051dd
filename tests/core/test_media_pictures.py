"""Pictures, sounds and videos of every library become files that other programs read back to the same values."""

import io
import subprocess
import sys
import wave

import numpy as np
import pytest
from PIL import Image

from autolog.media import Media, audio, image, png, video

# The core is tested without the frameworks too; what is about their values needs them.
torch = pytest.importorskip("torch")

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)


def opened(media):
    return np.asarray(Image.open(io.BytesIO(media.data)))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (64, 33)])
def test_png_is_read_back_exactly(height, width, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)
    back = np.asarray(Image.open(io.BytesIO(png.encode(pixels))))
    assert np.array_equal(back.reshape(pixels.shape), pixels)


def test_16_bits_are_kept():
    pixels = np.random.default_rng(1).integers(0, 65536, (6, 9), dtype=np.uint16)
    assert np.array_equal(opened(image(pixels)), pixels)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (RGB, RGB),
        (RGB[:, :, 0], RGB[:, :, 0]),
        (RGB[:, :, :1], RGB[:, :, 0]),
        (RGB.transpose(2, 0, 1), RGB),
        (torch.from_numpy(RGB).permute(2, 0, 1), RGB),
        (torch.from_numpy(RGB), RGB),
        (RGB[::-1, ::-1], RGB[::-1, ::-1]),
        (RGB / 255, RGB),
        ((RGB / 255).astype(np.float32), RGB),
        (torch.from_numpy(RGB / 255).permute(2, 0, 1).requires_grad_(), RGB),
        (RGB.astype(np.int64), RGB),
        (RGB[:, :, 0] > 99, (RGB[:, :, 0] > 99) * np.uint8(255)),
        (Image.fromarray(RGB), RGB),
    ],
    ids=range(13),
)
def test_pixels_are_exact(given, expected):
    media = image(given)
    assert (media.media_type, media.extension, media.kind) == ("image/png", ".png", "image")
    assert np.array_equal(opened(media), expected)
    assert (media.metadata["width"], media.metadata["height"]) == (expected.shape[1], expected.shape[0])
    assert "clipped" not in media.metadata


def test_the_rule_for_channels_where_both_would_do():
    both = np.zeros((3, 4, 3), dtype=np.uint8)
    assert opened(image(both)).shape == (3, 4, 3)
    assert opened(image(torch.from_numpy(both))).shape == (4, 3, 3)
    assert opened(image(both, channels="first")).shape == (4, 3, 3)
    assert opened(image(torch.from_numpy(both), channels="last")).shape == (3, 4, 3)


def test_what_is_clipped_is_counted():
    media = image(np.array([[-0.5, 0.0, 1.0, 2.0, np.nan]]))
    assert opened(media).tolist() == [[0, 0, 255, 255, 0]]
    assert media.metadata["clipped"] == 2
    assert media.metadata["not_finite"] == 1
    assert (media.metadata["min"], media.metadata["max"]) == (-0.5, 2.0)
    assert opened(image(np.array([[-1.0, 0.0, 1.0]]), value_range=(-1, 1))).tolist() == [[0, 128, 255]]


def test_files_and_bytes_stay_as_they_are(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    assert image(data) == Media(data=data, kind="image", media_type="image/jpeg", extension=".jpg")
    assert image(str(tmp_path / "a.jpg")).data == tmp_path / "a.jpg"
    assert image(image(data)).data == data


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: image(RGB[None]), ValueError, "shape (1, 7, 5, 3)"),
        (lambda: image(np.zeros((5, 5, 2))), ValueError, "shape (5, 5, 2)"),
        (lambda: image(np.zeros((0, 5, 3))), ValueError, "accepted are"),
        (lambda: image(RGB, channels="middle"), ValueError, "'middle'"),
        (lambda: image(RGB, channels="first"), ValueError, "channels="),
        (lambda: image(RGB, value_range=(1, 1)), ValueError, "low < high"),
        (lambda: image(np.array([["a"]])), TypeError, "real numbers"),
        (lambda: image([[1, 2]]), TypeError, "list of length 1; accepted are an array"),
        (lambda: image(None), TypeError, "NoneType"),
        (lambda: image(b"not an image"), ValueError, "b'not an imag"),
        (lambda: image("missing.png"), FileNotFoundError, "missing.png"),
        (lambda: image("."), IsADirectoryError, "folder"),
        (lambda: image(__file__), ValueError, "text/x-python"),
        (lambda: audio(np.zeros(5)), ValueError, "sample_rate"),
        (lambda: audio(np.zeros((2, 2, 2)), 8000), ValueError, "(2, 2, 2)"),
        (lambda: audio(np.zeros(5, dtype=complex), 8000), TypeError, "complex128"),
        (lambda: audio("x.wav"), FileNotFoundError, "x.wav"),
        (lambda: audio(1.0, 8000), TypeError, "float 1.0"),
        (lambda: audio(image(RGB).data), ValueError, "image/png"),
        (lambda: video(np.zeros((2, 3))), ValueError, "accepted are"),
        (lambda: video([RGB, RGB[:3]]), ValueError, "accepted are"),
        (lambda: video(np.zeros((2, 3, 3)), fps=0), ValueError, "fps"),
        (lambda: video(np.zeros((2, 3, 3)), format="mp4"), ValueError, "apng, webp, gif"),
        (lambda: video(7), TypeError, "int 7"),
    ],
    ids=range(24),
)
def test_refusals_say_what_was_given(make, error, says):
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value)


def read_wav(media):
    with wave.open(io.BytesIO(media.data)) as file:
        kind = {1: np.uint8, 2: np.int16, 4: np.int32}[file.getsampwidth()]
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype=kind)
        return frames.reshape(-1, file.getnchannels()), file.getframerate()


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8])
def test_integer_samples_are_exact(kind):
    limits = np.iinfo(kind)
    samples = np.random.default_rng(0).integers(limits.min, limits.max, 99, dtype=kind)
    back, rate = read_wav(audio(samples, 16000))
    assert rate == 16000
    assert np.array_equal(back[:, 0], samples)


def test_float_samples_and_channels():
    wave_form = np.sin(np.arange(100)).astype(np.float32)
    stereo = np.stack([wave_form, -wave_form])
    for given in (stereo, stereo.T, torch.from_numpy(stereo), torch.from_numpy(stereo).T):
        media = audio(given, 44100.0)
        back, _ = read_wav(media)
        assert np.array_equal(back, np.rint(stereo.T.astype(float) * 32767).astype(np.int16))
        assert media.metadata == {"sample_rate": 44100, "channels": 2, "seconds": 100 / 44100}
    assert read_wav(audio(np.zeros((2, 2)), 8000, channels="first"))[0].shape == (2, 2)


def test_clipped_samples_are_counted():
    media = audio(np.array([0.5, 2.0, -3.0, np.nan, np.inf]), 8000)
    assert media.metadata["clipped"] == 4
    assert read_wav(media)[0][:, 0].tolist() == [16384, 32767, -32767, 0, 32767]


FRAMES = np.random.default_rng(2).integers(0, 256, (4, 8, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "given",
    [
        FRAMES,
        list(FRAMES),
        torch.from_numpy(FRAMES).permute(0, 3, 1, 2),
        [torch.from_numpy(frame).permute(2, 0, 1) for frame in FRAMES],
        FRAMES / 255,
    ],
    ids=range(5),
)
def test_an_animation_holds_every_frame_exactly(given):
    media = video(given, fps=4)
    assert (media.media_type, media.extension) == ("image/apng", ".png")
    film = Image.open(io.BytesIO(media.data))
    assert film.n_frames == 4
    for number, frame in enumerate(FRAMES):
        film.seek(number)
        assert film.info["duration"] == 250
        assert np.array_equal(np.asarray(film.convert("RGB")), frame)
    assert media.metadata == {"width": 6, "height": 8, "frames": 4, "fps": 4}


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_animations_by_pillow(kind):
    media = video(FRAMES, fps=4, format=kind)
    assert Image.open(io.BytesIO(media.data)).n_frames == 4
    assert media.media_type == f"image/{kind}"
    assert video(media.data).media_type == f"image/{kind}"


def test_grey_video_and_odd_speeds():
    for fps in (0.01, 1, 23.976, 10_000):
        film = Image.open(io.BytesIO(video(FRAMES[..., 0], fps=fps).data))
        assert film.n_frames == 4
        film.seek(1)
        assert film.info["duration"] == pytest.approx(1000 / fps, rel=0.01)


def test_no_generator_is_drawn_from_and_nothing_is_changed():
    array, tensor = RGB.copy(), torch.rand(3, 4, 4, requires_grad=True)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002  (the global one)
    image(array)
    image(tensor)
    audio(array[:, 0, 0] / 255, 8000)
    video(np.stack([array, array]))
    assert np.array_equal(array, RGB)
    assert tensor.grad is None
    assert tensor.requires_grad
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002  (the same)


def test_pillow_is_not_imported_for_arrays():
    program = (
        "import sys, numpy; from autolog.media import image, audio, video\n"
        "image(numpy.zeros((3, 3))); video(numpy.zeros((2, 3, 3))); audio(numpy.zeros(3), 8000)\n"
        "assert not {'PIL', 'matplotlib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
