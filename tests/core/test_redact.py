"""Secrets never come out; the vocabulary of machine learning always does."""

from __future__ import annotations

import base64
import random
import string
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolog.capture.redact import MASK, Redactor
from autolog.capture.secrets import is_random, secret_name


def _words(text: str) -> list[str]:
    return text.split()


SECRET_NAMES = _words("""
    password passwd PASSWORD db_password dbPassword db-passwd passphrase api_key apikey API_KEY apiKey OPENAI_API_KEY
    WANDB_API_KEY token TOKEN HF_TOKEN hub_token auth_token authToken access_token --token use_auth_token refresh_token
    push_to_hub_token GITHUB_TOKEN AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN secret client_secret clientSecret secrets
    credential credentials private_key PRIVATE_KEY secret_key encryption_key ssh_key account_key auth http_auth
    Authorization cookie session_cookie db_pass smtp_pass user_pwd bearer connection_string model.hub_token
    db.password.0     access_tokens github_token webhook X-Amz-Signature MYSQL_PWD
""")

HARMLESS_NAMES = _words("""
    tokenizer tokenizer_name max_tokens num_tokens pad_token eos_token bos_token unk_token mask_token cls_token
    sep_token
    token_count token_ids tokens_per_second tokens pad_token_id eos_token_id decoder_start_token_id image_token
    special_tokens additional_special_tokens word_delimiter_token token_type_ids keys key monkey keyboard keypoints
    num_key_value_heads key_size query_key_value monkey_patch hotkey author authors authority n_pass forward_pass
    passes bypass compass password_file token_path PWD OLDPWD secretary storage_key primary_key sort_key foreign_key
    auth_method auth_url per_token loss_per_token next_token prompt_token signature signature_columns lr batch_size
    token_dropout subtoken conn connection pin design assignment last_token first_token secretion max_token n_token
""")


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(environment={})


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secret_names(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_harmless_names(name: str) -> None:
    assert not secret_name(name)


def _noise(n: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 0) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=n))


# Put together here, so that no scanner of this repository takes them for real ones.
SHAPES = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    _noise(13) + "/" + _noise(12, seed=1) + "/" + _noise(13, seed=2),
    "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "ya29." + _noise(40),
    "ghp_" + _noise(36),
    "github_pat_" + _noise(40),
    "glpat-" + _noise(20),
    "hf_" + _noise(34, string.ascii_letters),
    "sk-" + _noise(48),
    "sk-proj-" + _noise(60),
    "sk-ant-api03-" + _noise(80),
    "gsk_" + _noise(50),
    "xoxb-" + "123456789012-1234567890123-" + _noise(24),
    "sk_" + "live_" + _noise(24),
    "rk_" + "test_" + _noise(24),
    "npm_" + _noise(36),
    "SG." + _noise(22) + "." + _noise(43),
    "dapi" + _noise(32, "0123456789abcdef"),
    "hvs." + _noise(30),
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + _noise(43),
    "123456789:AA" + _noise(33),
    _noise(40),
    _noise(64, string.ascii_letters + string.digits + "+/", seed=5),
]


@pytest.mark.parametrize("secret", SHAPES)
@pytest.mark.parametrize("frame", ["{}", "using {} now", 'x = "{}"', "(key={})", "https://h/p?a={}&b=1", "a:{},b"])
def test_secrets_by_shape(redactor: Redactor, secret: str, frame: str) -> None:
    for masked in (redactor.text(frame.format(secret)), redactor.code(frame.format(secret))):
        assert MASK in masked
        assert secret not in masked
        assert secret[-16:] not in masked


LINES = [
    ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
    ("authorization: basic dXNlcjpwYXNz", "authorization: basic [redacted]"),
    ("train.py --api-key=abc --lr 3", "train.py --api-key=[redacted] --lr 3"),
    ("train.py --password hunter2 --lr 3", "train.py --password [redacted] --lr 3"),
    ("FOO_TOKEN=abcd1234 python x.py", "FOO_TOKEN=[redacted] python x.py"),
    ("export DB_PASSWORD='a b c'", "export DB_PASSWORD='[redacted]'"),
    ("Namespace(lr=0.1, password='hunter2', n=3)", "Namespace(lr=0.1, password='[redacted]', n=3)"),
    ("{'HF_TOKEN': 'abcdef', 'lr': 1}", "{'HF_TOKEN': '[redacted]', 'lr': 1}"),
    ('{"api_key": "abc"}', '{"api_key": "[redacted]"}'),
    ('"{\\"api_key\\": \\"abcdef\\"}"', '"{\\"api_key\\": \\"[redacted]\\"}"'),
    ("password: hunter2", "password: [redacted]"),
    ("https://me:pa:ss@host:80/x", "https://[redacted]@host:80/x"),
    ("git clone https://abcdef@host/x.git", "git clone https://[redacted]@host/x.git"),
    ("postgresql+psycopg2://u:p%40@db/x", "postgresql+psycopg2://[redacted]@db/x"),
    ("GET /x?token=abcdef1234&page=2", "GET /x?token=[redacted]&page=2"),
    ("connect postgres://u:p@w@db:5432/x ok", "connect postgres://[redacted]@db:5432/x ok"),
    ("AccountName=a;AccountKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ=;", "AccountName=a;AccountKey=[redacted];"),
]


@pytest.mark.parametrize(("line", "masked"), LINES)
def test_text(redactor: Redactor, line: str, masked: str) -> None:
    assert redactor.text(line) == masked
    assert redactor.hits == {"text": 1}
    assert redactor.text(masked) == masked  # masking twice changes nothing more


HARMLESS = [
    "epoch 3/10 - loss: 0.1234 - val_loss: 0.2 - tokens/s: 12345.6 token=5 tokens: 100",
    "commit 8f14e45fceea167a5a36dedd4bea2543f3c2a1b0",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "550e8400-e29b-41d4-a716-446655440000",
    "models--Qwen--Qwen2-VL-7B-Instruct/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors",
    "/home/Someone/Projects2/experimentsXY/Checkpoints/model-epoch=03-val_loss=0.2345.ckpt",
    "MobileNetV3LargeFeatureExtractorBlock12",
    "tf.keras.layers.experimental.preprocessing.RandomFlip",
    "loss_per_token=3.2 pad_token='<pad>' eos_token: </s> sep_token [SEP]",
    "Epoch 1: 100%|██████████| 100/100 [00:01<00:00, 98.2it/s, v_num=12345678901234567890]",
    "--------------------------------------------------------------------------------",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "ssh://git@github.com/x/y.git git@github.com:x/y.git https://github.com/x/y",
    "usage: x [--token TOKEN] [--password PASSWORD]",
    "password: None api_key=None token: null --token --lr 3",
    "20261122-111134-537-9f3c2a81 brave-otter-42 slurm-1234567-node042.cluster.example.org",
    base64.b64encode(b"the quick brown fox jumps over the lazy dog").decode(),
    "data:image/png;base64," + base64.b64encode(random.Random(1).randbytes(900)).decode(),
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKx5VqvLg7y1bK2p0m9wEJYQ7dkU0Jw2zN3Q4Z5a6b7c me",
    "RuntimeError: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
    "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_text_passes_unchanged(redactor: Redactor, line: str) -> None:
    assert redactor.text(line) is line
    assert redactor.code(line) == line
    assert redactor.hits == {}


CODE_KEPT = [
    "password = getpass()",
    'api_key = os.environ["API_KEY"]',
    "api_key=api_key,",
    "def login(user: str, password: str) -> None:",
    "token = tokenizer.next()",
    "self.token = token_1st",
    'parser.add_argument("--password", default=None, help="the password")',
    'pad_token = "<pad>"',
    'self.word_token: str = "<w>"',
    'if token == "endoftext":',
    "for token, weight in pairs: weights[token] = weight",
    'np.vectorize(f, signature="(n),(n)->()")',
    '"""Pass --token for a login, or --secrets and a file."""',
    'NAMES = ["token", "password", "api_key"]',
]
CODE_MASKED = [
    'password = "hunter2"',
    'password: str = "hunter2"',
    "PASSWORD = f'hunter2'",
    'login(user="me", password="hunter2")',
    '{"auth": {"password": "hunter2"}}',
    'os.environ["HF_TOKEN"] = "hunter2"',
    'os.environ.setdefault("HF_TOKEN", "hunter2x9")',
    'parser.add_argument("--password", type=str, default="hunter2")',
    "+password: hunter2x9",
    'password = """hunter2"""',
    'password = r"hunter2"',
    'if password == "hunter2":',
]


@pytest.mark.parametrize("line", CODE_KEPT)
def test_code_without_secrets_stays(redactor: Redactor, line: str) -> None:
    assert redactor.code(f"import os\n{line}\n") == f"import os\n{line}\n"


@pytest.mark.parametrize("line", CODE_MASKED)
def test_literals_in_code_are_masked(redactor: Redactor, line: str) -> None:
    masked = redactor.code(f"import os\n{line}\nx = 1\n", "source.train.py")
    assert "hunter2" not in masked
    assert masked.startswith("import os\n")
    assert masked.endswith("\nx = 1\n")
    assert redactor.hits == {"source.train.py": 1}


def test_private_keys_are_masked_whole(redactor: Redactor) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabcdef\n-----END RSA PRIVATE KEY-----"
    assert redactor.text(f"a\n{key}\nb") == f"a\n{MASK}\nb"
    assert redactor.code("\n".join("+" + line for line in key.splitlines())) == "+" + MASK
    assert "MIIEow" not in redactor.text(key[:50])  # its end is missing


def test_values_at_any_depth(redactor: Redactor) -> None:
    config = {
        "lr": 0.1,
        "hub": {"token": "abc", "name": "org/model", "private": True},
        "credentials": {"user": "me", "port": 5432, "none": None},
        "list": [{"api_key": "k"}, ("password", "x"), "https://u:p@h"],
        "tokenizer": {"pad_token": "<pad>", "word_end_token": "<w>", "vocab": ["a", "b"]},
    }
    masked = redactor.value("config", config)
    assert masked == {
        "lr": 0.1,
        "hub": {"token": MASK, "name": "org/model", "private": True},
        "credentials": {"user": MASK, "port": MASK, "none": None},
        "list": [{"api_key": MASK}, ("password", "x"), f"https://{MASK}@h"],
        "tokenizer": {"pad_token": "<pad>", "word_end_token": "<w>", "vocab": ["a", "b"]},
    }
    assert config["hub"]["token"] == "abc"  # the user's object is untouched
    assert redactor.take_hits() == {
        "config.hub.token": 1,
        "config.credentials.user": 1,
        "config.credentials.port": 1,
        "config.list.api_key": 1,
        "config.list": 1,
    }
    assert redactor.hits == {}


@dataclass
class Login:
    user: str
    password: str


class Odd:
    def __repr__(self) -> str:
        return "Odd(api_key='hunter2')"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_foreign_objects_are_judged_by_what_would_be_written(redactor: Redactor) -> None:
    assert redactor.value("login", Login("me", "hunter2")) == {"user": "me", "password": MASK}
    assert redactor.value("x", Odd()) == f"Odd(api_key='{MASK}')"
    assert redactor.value("x", Broken()) == "<Broken>"
    harmless = Login("me", "")
    assert redactor.value("x", harmless) is harmless
    endless: list[Any] = []
    endless.append(endless)
    redactor.value("x", endless)


def test_argv(redactor: Redactor) -> None:
    argv = [
        "train.py",
        "--lr",
        "3",
        "--token",
        "t0psecret",
        "--api-key=abc",
        "db.password=x",
        "-v",
        "--password",
        "--n=1",
    ]
    argv += ["--tokenizer", "gpt2", "--password", "-dash", "--url", "s3://k:s@b"]
    assert redactor.argv(argv) == [
        *(
            "train.py",
            "--lr",
            "3",
            "--token",
            MASK,
            f"--api-key={MASK}",
            f"db.password={MASK}",
            "-v",
            "--password",
            "--n=1",
        ),
        *("--tokenizer", "gpt2", "--password", MASK, "--url", f"s3://{MASK}@b"),
    ]
    assert redactor.hits == {"argv.token": 1, "argv.api-key": 1, "argv.db.password": 1, "argv.password": 1, "argv": 1}


def test_parsed_arguments(redactor: Redactor) -> None:
    values = {
        "password": {"value": "hunter2", "default": "", "given": True, "type": "str"},
        "lr": {"value": 0.1, "default": 0.2, "given": True, "type": "float"},
    }
    assert redactor.args(values) == {
        "password": {"value": MASK, "default": "", "given": True, "type": "str"},
        "lr": {"value": 0.1, "default": 0.2, "given": True, "type": "float"},
    }
    assert redactor.hits == {"args.password": 1}


def test_a_secret_once_seen_is_masked_everywhere(redactor: Redactor) -> None:
    redactor.argv(["--password", "correct-horse-7"])
    assert redactor.text("logging in with correct-horse-7 …") == f"logging in with {MASK} …"
    learnt = Redactor(environment={"MY_TOKEN": "tr0ub4dor&3", "HOME": "/home/me", "TOKEN_PATH": "/some/path"})
    assert learnt.text("got tr0ub4dor&3 from /some/path in /home/me") == f"got {MASK} from /some/path in /home/me"


def test_own_names(redactor: Redactor) -> None:
    own = Redactor(extra_names=["patient"], environment={})
    assert own.value("patient_id", "p1") == MASK
    assert own.text("Patient-Name: jones") == f"Patient-Name: {MASK}"
    assert redactor.value("patient_id", "p1") == "p1"


def test_switched_off() -> None:
    off = Redactor(enabled=False, environment={"TOKEN": "abcdefgh1"})
    off.learn("abcdefgh2")
    assert off.text("--password=x abcdefgh1 abcdefgh2") == "--password=x abcdefgh1 abcdefgh2"
    assert off.argv(["--password=x"]) == ["--password=x"]
    assert off.value("password", "x") == "x"
    assert off.hits == {}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    redactor = Redactor(environment={})
    for masked in (redactor.text(text), redactor.code(text)):
        assert (masked == text) == (not redactor.take_hits()) or masked == text


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(["password", "DB_PASSWORD", "api_key", "clientSecret"]),
    value=st.text(string.ascii_letters + string.digits + "+_!#%", min_size=5, max_size=40),
    sep=st.sampled_from(["=", ": ", " = "]),
    before=st.text(string.ascii_letters + " .,:;", max_size=30),
)
def test_a_named_value_never_comes_out(name: str, value: str, sep: str, before: str) -> None:
    value = "q7" + value + "9"
    assert value not in Redactor(environment={}).text(f"{before} {name}{sep}{value}\n")
    assert value not in Redactor(environment={}).code(f'{before} {name}{sep}"{value}"\n')
    assert value not in str(Redactor(environment={}).value(name, {"x": [value]}))


NAME_PARTS = _words(
    "model layer norm attention head Block Conv Net ResNet V3 50 large vit 224 x LLaMA 7B Instruct GPTQ 4bit v1 train"
    " split dev checkpoint step 1000 tiny Base a1b2c3d4 deadbeef12"
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(NAME_PARTS), min_size=4, max_size=14), st.sampled_from("_-/"))
def test_names_of_models_are_not_noise(words: list[str], sep: str) -> None:
    assert not is_random(sep.join(words))


def test_noise_is_noticed() -> None:
    found = sum(is_random(_noise(40, seed=n)) for n in range(1000))
    assert found >= 970
    assert not any(is_random(_noise(40, "0123456789abcdef", seed=n)) for n in range(1000))


def test_a_text_that_was_harmless_is_masked_once_it_is_known_as_a_secret() -> None:
    redactor = Redactor(environment={})
    assert redactor.text("Quince-7-Marmalade") == "Quince-7-Marmalade"
    redactor.learn("Quince-7-Marmalade")
    assert redactor.text("Quince-7-Marmalade") == MASK


def test_texts_without_a_secret_are_remembered_within_bounds() -> None:
    redactor = Redactor(environment={})
    for number in range(10_000):
        assert redactor.text(f"line {number}") == f"line {number}"
    assert len(redactor._harmless) <= 4096
