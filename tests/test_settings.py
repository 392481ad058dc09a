"""Settings: their sources in order, and one sentence for each mistake."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import PREFIX, SETTINGS, load_settings


@pytest.fixture(autouse=True)
def _clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BMA_PROGRESS_CONFIG", raising=False)


def complaint(**arguments: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    return sentence


def test_arguments_win_over_environment_over_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bma-progress.toml").write_text("rate = 0.5\nconcurrency = 2\nretries = 1\n")
    monkeypatch.setenv("BMA_PROGRESS_CONCURRENCY", "3")
    monkeypatch.setenv("BMA_PROGRESS_RETRIES", "2")
    settings = load_settings(retries=0, backoff=None)
    assert (settings.rate, settings.concurrency, settings.retries, settings.backoff) == (0.5, 3, 0, 1.0)


def test_config_variable_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.toml"
    other.write_bytes("\ufeffrobots = false\r\nagencies = ['2400', '50240000']\r\n".encode())
    monkeypatch.setenv("BMA_PROGRESS_CONFIG", str(other))
    settings = load_settings()
    assert settings.robots is False
    assert settings.agencies == ("24000000", "50240000")
    other.unlink()
    assert complaint() == f"BMA_PROGRESS_CONFIG names {other}, which does not exist; correct or unset it"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_RATE", "")
    assert load_settings().rate == 1.0


@pytest.mark.parametrize("text", ["2400,5024", "24000000 50240000", " 2400 , 50240000, 2400"])
def test_agencies_come_as_a_list_with_commas(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_AGENCIES", text)
    assert load_settings().agencies == ("24000000", "50240000")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("rate", "fast", "a number above 0 and at most 1,000,000"),
        ("rate", "0", "a number above 0 and at most 1,000,000"),
        ("rate", "inf", "a number above 0 and at most 1,000,000"),
        ("read_timeout", "nan", "a number above 0 and at most 3,600"),
        ("concurrency", "2.5", "a whole number of at least 1 and at most 64"),
        ("robots", "maybe", "true or false"),
        ("runner", "cloud", "'local' or 'dask'"),
        ("dask_address", "10.0.0.5:8786", "the address of a scheduler such as tcp://10.0.0.5:8786, or nothing"),
        ("min_rows_share", "97", "a number of at least 0 and at most 1"),
        ("contact", "กทม", "an e-mail or web address in ASCII letters, since it travels in an HTTP header"),
        (
            "contact",
            "me@example.org\r\nX-Injected: 1",
            "an e-mail or web address in ASCII letters, since it travels in an HTTP header",
        ),
        (
            "agencies",
            "5024,ราษฎร์บูรณะ",
            "codes of 8 digits such as 50240000, or their first 4, in quotes and separated by commas",
        ),
        ("agencies", "๒๔๐๐", "codes of 8 digits such as 50240000, or their first 4, in quotes and separated by commas"),
        (
            "portal",
            "monitor.bangkok.go.th",
            "an address such as http://monitor.bangkok.go.th, without query or password",
        ),
        ("portal", "ftp://x", "an address such as http://monitor.bangkok.go.th, without query or password"),
        ("portal", "http://", "an address such as http://monitor.bangkok.go.th, without query or password"),
        ("portal", "http://host:99999", "an address such as http://monitor.bangkok.go.th, without query or password"),
        (
            "portal",
            "http://me:secret@host",
            "an address such as http://monitor.bangkok.go.th, without query or password",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    assert complaint().startswith(f"the setting {name} must be {allowed}, not ")
    assert complaint().endswith(f" (environment variable {PREFIX}{name.upper()})")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "rate = true",
            "the setting rate must be a number above 0 and at most 1,000,000, not True (in bma-progress.toml)",
        ),
        ("contact = 7", "the setting contact must be text in quotes, not 7 (in bma-progress.toml)"),
        ("data = 7", "the setting data must be the name of a file or folder, not 7 (in bma-progress.toml)"),
        ("raet = 2", "bma-progress.toml sets 'raet', which is no setting (did you mean rate?); remove that line"),
        ("[harvest]\nrate = 2", "bma-progress.toml sets 'harvest', which is no setting; remove that line"),
        (
            "agencies = [50240000]",
            "the setting agencies must be codes of 8 digits such as 50240000, or their first 4, in quotes",
        ),
        ("rate = ", "the settings file bma-progress.toml is no TOML: invalid value (at"),
    ],
)
def test_a_mistake_in_the_file(line: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "bma-progress.toml").write_text(line)
    assert complaint().startswith(sentence)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bma-progress.toml").mkdir()
    assert "cannot be read (Is a directory)" in complaint()
    (tmp_path / "bma-progress.toml").rmdir()
    (tmp_path / "bma-progress.toml").write_bytes(b"contact = '\xa1\xa2'")
    assert complaint() == "the settings file bma-progress.toml is no UTF-8 text; save it as UTF-8"


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_RETRYS", "2")
    assert complaint() == (
        "the environment variable BMA_PROGRESS_RETRYS is no setting (did you mean BMA_PROGRESS_RETRIES?); unset it"
    )


def test_a_wrong_argument_names_no_other_source() -> None:
    assert complaint(rate=-1.0) == "the setting rate must be a number above 0 and at most 1,000,000, not -1.0"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("HTTP://Monitor.Bangkok.go.th:80/", "http://monitor.bangkok.go.th"),
        ("https://host:443", "https://host"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://host/copy/", "http://host/copy"),
        ("http://host/mobile/index.php", "http://host"),
        ("http://host/mobile62/", "http://host"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_the_portal_has_one_spelling(given: str, kept: str) -> None:
    assert load_settings(portal=given).portal == kept


def test_every_setting_has_a_description() -> None:
    for name, field in SETTINGS.items():
        assert field.description, name
        assert field.description.endswith("."), name
