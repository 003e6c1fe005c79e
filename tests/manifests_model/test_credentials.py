"""What looks like a credential, and what only resembles one."""

from __future__ import annotations

import base64
import hashlib

import pytest

from policy.manifests.credentials import credentials_in_file, decoded, why_credential, why_credential_variable


def random_text(seed: int, length: int) -> str:
    """Base64 of bytes without a pattern, the same in every run."""
    return base64.b64encode(hashlib.sha512(str(seed).encode()).digest()).decode()[:length]


def test_random_text_is_found_under_any_name() -> None:
    found = [why_credential("SALT", random_text(seed, 40)) for seed in range(500)]

    assert found.count("is as random as a credential") > 425  # some happen to spell a word, or to repeat themselves


@pytest.mark.parametrize(
    "value",
    [
        random_text(1, 20),
        "0123456789ABCDEFabcdef0123456789",
        "preferredDuringSchedulingIgnoredDuringExecution2024",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "com/example/Foo12BarBazQux/MyClass22",
        "0f9a3c5e7b1d2f4a6c8e0b2d4f6a8c0e1b3d5f7a",
        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "AbAb12AbAb12AbAb12AbAb12AbAb12AbAb12",
        "XK7QZ2M9W4T8R6P3N5V1H0J2L4B6C8D0",
        "2024-01-01T00-00-00Z-Backup-Run22",
    ],
)
def test_text_with_a_pattern_is_not(value: str) -> None:
    assert why_credential("VALUE", value) is None


@pytest.mark.parametrize("name", ["CONFIG_HASH", "imageDigest", "TRACE_ID", "ca.crt.sha", "PUBLIC_PART"])
def test_random_text_that_its_name_explains_is_not(name: str) -> None:
    assert why_credential(name, random_text(2, 40)) is None


@pytest.mark.parametrize("name", ["API_KEY", "apiKey", "db.password", "DB_PASSWORD_1", "smtpPasswd", "CLIENT-SECRET"])
def test_the_last_word_of_a_name_tells_a_credential(name: str) -> None:
    assert why_credential(name, "hunter2") == "is named like a credential"


@pytest.mark.parametrize("name", ["KEY", "PASS", "PRIMARY_KEY", "MAX_TOKENS", "SECRET_NAME", "PASSWORD_FILE", "1", ""])
def test_other_words_do_not(name: str) -> None:
    assert why_credential(name, "hunter2") is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_BLAH", "squirrels", True),
        ("TOKEN_FOR_SHOP", "x", True),
        ("SECRET_BLAH", "7", False),
        ("SECRET_BLAH", "true", False),
        ("SECRET_BLAH", "$(OTHER)", False),
        ("SECRET_NAME", "shop", False),
        ("EXISTING_SECRET", "shop-credentials", False),
        ("TOKENIZER_MODEL", "x", False),
        ("", "x", False),
    ],
)
def test_a_variable_tells_a_credential_with_any_word_but_not_what_is_about_one(
    name: str, value: str, expected: bool
) -> None:
    assert (why_credential_variable(name, value) is not None) is expected


def test_a_call_in_a_file_is_no_value() -> None:
    assert list(credentials_in_file("settings.conf", "password = read(file)\ntoken: 'it is ${TOKEN}'\n")) == [
        ("token", "is named like a credential")
    ]


def test_a_program_is_not_parsed() -> None:
    assert list(credentials_in_file("create.py", "token = value\n")) == []


def test_a_hash_of_a_password_is_no_variable() -> None:
    assert why_credential("ADMIN_PASSWORD", "$2y$10$abcdefghijk") == "is named like a credential"
    assert why_credential("ADMIN_PASSWORD", "$ADMIN_PASSWORD") is None


def test_what_is_no_base64_is_taken_as_it_is() -> None:
    assert (decoded("aHVudGVyMg=="), decoded("<path>")) == ("hunter2", "<path>")
