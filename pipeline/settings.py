"""All settings, each typed and with the reason for its default.

Sources in order: arguments, environment, bma-progress.toml, defaults.
"""

import difflib
import errno
import json
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo

from pipeline.errors import SettingsError, shortened
from pipeline.location import is_url, local_folder
from pipeline.schema.codes import full_agency_code

PREFIX: Final = "BMA_PROGRESS_"
CONFIG_VARIABLE: Final = "BMA_PROGRESS_CONFIG"
CONFIG_FILE: Final = "bma-progress.toml"


class Watch(BaseModel):
    """The changes that are notified: those of these agencies, of these projects or indicators, with these meanings.

    What is empty says nothing; all empty is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    agencies: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    meanings: tuple[str, ...] = ()

    @field_validator("agencies")
    @classmethod
    def _full(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        codes = [full_agency_code(code) for code in value]
        if None in codes:
            raise ValueError(_AGENCIES)
        return tuple(code for code in codes if code)

    def __bool__(self) -> bool:
        return bool(self.agencies or self.codes or self.meanings)


class Settings(BaseModel):
    """All settings of bma-progress; each is also an environment variable BMA_PROGRESS_… and a key of the TOML file.

    Make one with `load_settings`, whose errors are sentences for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    portal: str = Field(
        "http://monitor.bangkok.go.th",
        description="Address of the portal to harvest. Its copies on other hosts show other values: give each a store.",
    )
    data: Path = Field(
        Path("data/portal"),
        description="Folder of the store, or its address such as s3://bucket/folder; one store holds one portal.",
    )
    contact: str = Field(
        "", description="E-mail or web address where the portal's people reach you; goes into the user agent."
    )
    agencies: tuple[str, ...] = Field(
        (), description="Harvest only these agencies: codes of 8 digits, or their first 4; all if empty."
    )
    publish_contacts: bool = Field(
        True, description="Publish the table contacts. It is personal data: false keeps it out of latest and snapshots."
    )

    robots: bool = Field(
        True, description="Obey the portal's robots.txt: rules, crawl-delay, request-rate, visit-time."
    )
    # One request a second is what a person clicking fast would do; some thousand pages then take an hour or two.
    # The upper bound only catches typing mistakes: a portal of one's own on loopback may be requested as fast as it answers.
    rate: float = Field(1.0, gt=0, le=1_000_000, description="Requests a second to one host, all workers together.")
    # At one request a second more than a few waiting connections only means a slow portal.
    concurrency: int = Field(4, ge=1, le=64, description="Requests under way at once.")
    # A server that does not even accept a connection in ten seconds is overloaded; waiting longer adds to its queue.
    connect_timeout: float = Field(10.0, gt=0, le=600, description="Seconds to reach the portal.")
    # A PHP page behind a busy database can take long to begin; Apache itself gives up after 60 s by default.
    read_timeout: float = Field(30.0, gt=0, le=3600, description="Seconds between two pieces of an answer.")
    # A slow drip never lets the read time-out pass; a whole page of 0.1 MB comes in 90 s even at dial-up speed.
    page_timeout: float = Field(90.0, gt=0, le=3600, description="Seconds for one whole page, once requested.")
    # Three further tries outlast a restart of the web server; what fails four times waits for the second pass.
    retries: int = Field(3, ge=0, le=10, description="Further tries after a failure that may pass.")
    # 1, 2, 4 seconds: long enough for a hiccup, short beside the hours of a harvest.
    backoff: float = Field(1.0, ge=0, le=600, description="Seconds before the first further try; doubles, with jitter.")
    # A portal that asks for more than five minutes is not merely busy: the page is left for the second pass.
    max_retry_after: float = Field(
        300.0, ge=0, le=86_400, description="Longest wait the portal may ask for, in seconds."
    )
    # Twenty failures in a row are no accident; a pause helps a restarting server, three pauses show one that is down.
    breaker_failures: int = Field(20, ge=1, description="Failures in a row that pause the harvest.")
    breaker_pause: float = Field(60.0, ge=0, le=86_400, description="Seconds of that pause.")
    breaker_pauses: int = Field(3, ge=0, le=100, description="Pauses in a row after which the harvest gives up.")
    # The largest page seen has 0.1 MB; 2 MB leaves room, and bounds what parsing one page may cost in time and memory.
    max_page_bytes: int = Field(2_000_000, ge=1_000, le=1_000_000_000, description="Largest page accepted, decoded.")
    # Some thousands of projects and as many indicators are known: five times that is a listing without an end.
    max_pages: int = Field(50_000, ge=1, description="Pages in one harvest, after which discovery stops.")
    sweep: tuple[str, ...] = Field(
        (),
        description="Serials to ask for over many nights where nothing links to projects, such as 50010000:1-7200; city:1-300 "
        "for the city's indicators.",
    )
    # 2.4 hours of a night at one request a second: the serials of one agency, and the portal rests for most of the day.
    sweep_share: float = Field(
        0.1, gt=0, le=1, description="Share of a day's requests, at the set rate, that the sweep takes each night."
    )
    # A newer front end that lists 7,200 projects by twenties has 360 pages of lists; a calendar has no end.
    max_menu_pages: int = Field(1_000, ge=1, description="Menus in one harvest that are followed for their links.")
    # The longest list seen has some sixty items on one page; a hundred pages are a list that repeats itself.
    max_list_pages: int = Field(100, ge=1, description="Further pages of one agency's list that are followed.")
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) to trust beside the usual ones, for a portal with an authority of its own.",
    )
    # Off, since anybody on the way can read and change what such a connection carries.
    allow_old_tls: bool = Field(
        False, description="Accept TLS 1.0 and 1.1, short keys and old ciphers, for a portal that knows no others."
    )
    proxy: str = Field(
        "",
        description="Proxy for the portal, such as http://proxy.example.org:3128. Empty: HTTP_PROXY, HTTPS_PROXY and NO_PROXY "
        "decide; none: no proxy. Loopback is never asked through one.",
    )
    # At half a minute a page ten thousand pages take three days and a half; what is longer is meant for others, or a mistake.
    max_crawl_delay: float = Field(
        30.0, gt=0, le=86_400, description="Longest delay between two requests that robots.txt may ask for, in seconds."
    )
    # Prefect's server spends 50 ms on a task whatever is in it; a hundred pages make that half a millisecond a page.
    batch_size: int = Field(100, ge=1, le=1000, description="Pages in one Prefect task.")
    # Prefect shows and schedules a harvest; the harvest itself needs nothing of it.
    orchestrator: Literal["prefect", "none"] = Field(
        "prefect", description="Whether a harvest is a run of a Prefect flow, or runs in the process alone."
    )
    runner: Literal["local", "dask"] = Field("local", description="Where batches run: this process, or Dask workers.")
    dask_address: str = Field(
        "", description="The Dask scheduler, such as tcp://10.0.0.5:8786; empty: processes of this machine."
    )

    # Bounds of a harvest that may be published. A bound that is broken is to be explained, not adjusted.
    # A firewall or an outage during the harvest costs more than 2 % of the pages.
    min_answered_share: float = Field(0.98, ge=0, le=1, description="Least share of known pages that must answer.")
    # A new year's projects come with new lists; records do not vanish by the hundred between two harvests.
    max_gone_share: float = Field(
        0.01, ge=0, le=1, description="Largest share of known records that may go in one harvest."
    )
    # More than 2 % means that the portal's template changed, and that the parser has to be looked at first.
    max_suspect_share: float = Field(0.02, ge=0, le=1, description="Largest share of pages that may be suspect.")
    # Officers report once a month, most of them in its last days: a fifth of all records in one night is a busy one. More
    # than half at once is a template, a charset or a parser that changed, and would be published as rewritten history.
    max_changed_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share of known records that may say something else than the harvest before.",
    )
    # One night is a server's bad hour, two are a week-end; what reads the same three nights running is how the page is now.
    suspect_nights: int = Field(
        3,
        ge=1,
        description="Nights running in which a suspect page must say the same before it replaces a whole version.",
    )
    # History grows; a table that shrinks by 3 % in one harvest has lost a part of every page, or a part of the pages.
    min_rows_share: float = Field(0.97, ge=0, le=1, description="Least share of a table's rows that must be there.")
    # On a portal of fifty pages one lost page is already two percent.
    allowance_pages: int = Field(3, ge=0, description="Pages that may be lost whatever the shares say.")
    allowance_rows: int = Field(100, ge=0, description="Rows of a table that may be lost whatever the share says.")
    # A week of full states answers the common questions at once; older ones are rebuilt from the harvests.
    keep_snapshots: int = Field(7, ge=1, description="Snapshots kept beside the first of every month.")
    # A log has a line for every page of the harvest: some 200 bytes each, more than the harvest itself adds. What a harvest
    # looked at stays in its pages.parquet for ever.
    keep_logs: int = Field(30, ge=1, description="Harvests whose log.jsonl is kept.")
    # Two reports of a year and more of nights are 40 MB; what they say of pages stays in the harvests for ever.
    keep_reports: int = Field(
        400, ge=30, description="Harvests whose report.json and report.txt are kept; their hashes are kept always."
    )

    # After half of a night's interval a page is nearer to the next night than to its own.
    resume_hours: float | None = Field(
        None,
        gt=0,
        description="Hours since its start after which an unfinished harvest is not resumed, and what it fetched is kept as "
        "evidence. Empty: half the interval of the service's schedule; 12 without one.",
    )

    # Who is notified when a harvest is not good.
    notify_webhook: SecretStr | None = Field(
        None,
        description="Address that gets a JSON document when a harvest is held back, fails or is late. It may hold a token: "
        "set it by the environment only.",
    )
    notify_webhook_block: str = Field(
        "", description="Name of a Prefect Secret block that holds that address, for runs of flows."
    )
    notify_command: str = Field(
        "", description="Command that gets the same document on standard input; split into words, run without a shell."
    )
    notify_urls: tuple[SecretStr, ...] = Field(
        (),
        description="Addresses of services that are notified too, as apprise writes them: mailtos://…, line://…, slack://…; "
        "separated by blanks. They hold secrets.",
    )
    ping_url: SecretStr | None = Field(
        None,
        description="Address that is asked for after each good harvest, with /fail after a bad one, as Healthchecks has it: a "
        "service there notices when nothing comes.",
    )
    watch: Watch = Field(
        Watch(),
        description="Changes of published harvests that are notified: a table with agencies, codes and meanings.",
    )
    # A harvest begins every 24 hours; 20,000 pages at one a second take five and a half, and may be tried again.
    late_hours: float = Field(36.0, gt=0, description="Hours since the start of the last published harvest; then late.")

    # What a store says can be proven later only against something kept outside of it.
    timestamp_url: str = Field(
        "",
        description="Address of a time-stamp authority (RFC 3161) that stamps the head line after each harvest; none if empty.",
    )
    timestamp_ca: Path | None = Field(
        None,
        description="Certificates (PEM) of the authorities whose time-stamps are trusted, instead of the system's.",
    )
    anchor_command: str = Field(
        "",
        description="Command that gets the head line on standard input after each harvest, to keep it elsewhere; split into "
        "words, run without a shell, without our settings in its environment.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bool_for_number(cls, value: Any, info: Any) -> Any:
        # pydantic would read `rate = true` as 1.0
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError(_allowed(cls.model_fields[info.field_name]))
        return value

    @field_validator("data", mode="before")
    @classmethod
    def _check_data(cls, value: Any) -> Any:
        return local_folder(value) if isinstance(value, str) and is_url(value) else value

    @field_validator("portal")
    @classmethod
    def _check_portal(cls, value: str) -> str:
        allowed = "an address such as http://monitor.bangkok.go.th, without query or password"
        try:
            parts = urlsplit(value.strip())
            port = parts.port
        except ValueError:
            raise ValueError(allowed) from None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError(allowed)
        if not re.fullmatch(r"[^\s/?#@]+", parts.netloc):
            raise ValueError(allowed)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.rstrip(".")
        default = {"http": 80, "https": 443}[parts.scheme]
        # people copy the address of the start page
        path = re.sub(r"(?:/mobile(?:62)?)?(?:/index\.(?:php|html?))?/*$", "", parts.path)
        return f"{parts.scheme}://{host}{'' if port in (None, default) else f':{port}'}{path}"

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, value: str) -> str:
        value = value.strip()
        if value not in ("", "none") and (not is_web_address(value) or "@" in value):
            raise ValueError("an address such as http://proxy.example.org:3128, without password, or 'none'")
        return value

    @field_validator("watch", mode="before")
    @classmethod
    def _check_watch(cls, value: Any) -> Any:
        try:
            return Watch.model_validate(json.loads(value) if isinstance(value, str) else value)
        except ValueError:  # a ValidationError is one
            raise ValueError(_WATCH) from None

    @field_validator("notify_urls", mode="before")
    @classmethod
    def _check_urls(cls, value: Any) -> Any:
        urls = value.split() if isinstance(value, str) else value
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) and "://" in url for url in urls):
            raise ValueError("addresses such as slack://… or mailtos://…, separated by blanks")
        return tuple(dict.fromkeys(urls))

    @field_validator("notify_webhook", "ping_url")
    @classmethod
    def _check_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        if not is_web_address(value.get_secret_value()):
            raise ValueError(_WEBHOOK)
        return SecretStr(value.get_secret_value().strip())

    @field_validator("timestamp_url")
    @classmethod
    def _check_authority(cls, value: str) -> str:
        if value and not is_web_address(value):
            raise ValueError("an address such as http://timestamp.example.org, or nothing")
        return value.strip()

    @field_validator("notify_command", "anchor_command")
    @classmethod
    def _check_command(cls, value: str) -> str:
        try:
            words = shlex.split(value)
        except ValueError:
            raise ValueError("a command whose quotes are closed, such as 'mail -s harvest ops@example.org'") from None
        if value and not words:
            raise ValueError("a command, or nothing")
        return value

    @field_validator("dask_address")
    @classmethod
    def _check_scheduler(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            complete = bool(parts.scheme and parts.hostname and parts.port)
        except ValueError:
            complete = False
        if value and not complete:
            raise ValueError("the address of a scheduler such as tcp://10.0.0.5:8786, or nothing")
        return value

    @field_validator("contact")
    @classmethod
    def _check_contact(cls, value: str) -> str:
        value = value.strip()
        if not value.isascii() or not value.isprintable():
            raise ValueError("an e-mail or web address in ASCII letters, since it travels in an HTTP header")
        return value

    @field_validator("sweep", mode="before")
    @classmethod
    def _check_sweep(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [part for part in re.split(r"[,\s]+", value) if part]
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise ValueError("ranges of serials such as 50010000:1-7200, in quotes and separated by commas")
        return tuple(dict.fromkeys(value))

    @field_validator("agencies", mode="before")
    @classmethod
    def _check_agencies(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [part for part in re.split(r"[,\s]+", value) if part]
        if not isinstance(value, list | tuple):
            raise ValueError(_AGENCIES)
        codes = [full_agency_code(code) if isinstance(code, str) else None for code in value]
        if None in codes:
            raise ValueError(_AGENCIES)
        return tuple(dict.fromkeys(codes))

    @field_validator("data", "ca_file", "timestamp_ca")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else value


_WEBHOOK: Final = "an address such as https://chat.example.org/hooks/…"
_SECRETS: Final = ("notify_webhook",)
"""Settings that come from the environment alone, and whose values are never shown."""
_HIDDEN: Final = (*_SECRETS, "notify_urls", "ping_url")
"""Settings whose values are never shown."""
_WATCH: Final = 'a table such as { agencies = ["50240000"], codes = [], meanings = ["report_removed"] }'

_AGENCIES: Final = "codes of 8 digits such as 50240000, or their first 4, in quotes and separated by commas"


def is_web_address(text: str) -> bool:
    """Whether a text is an address that a request can be sent to."""
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def config_file() -> Path:
    """The settings file: BMA_PROGRESS_CONFIG, or bma-progress.toml in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)


def load_settings(**arguments: Any) -> Settings:
    """Settings from arguments (None: not given), environment, file and defaults.

    Raises SettingsError, one sentence that names the setting, where it was set and what is allowed.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    file_values = _read_file()
    variables = {}
    for name, text in os.environ.items():
        if name.upper().startswith(PREFIX) and name.upper() != CONFIG_VARIABLE:
            setting = name[len(PREFIX) :].lower()
            if setting not in Settings.model_fields:
                raise SettingsError(
                    f"the environment variable {name} is no setting{_suggestion(setting, PREFIX)}; unset it"
                )
            if text:
                variables[setting] = text
    for name in _SECRETS:
        if name in file_values or name in given:
            raise SettingsError(
                f"{name} may hold a token, so it is set by the environment variable {PREFIX}{name.upper()} only; remove it "
                f"from {config_file() if name in file_values else 'the arguments'}"
            )
    for name in file_values:
        if name not in Settings.model_fields:
            raise SettingsError(
                f"{config_file()} sets {name!r}, which is no setting{_suggestion(name)}; remove that line"
            )
    try:
        return Settings(**{**file_values, **variables, **given})
    except ValidationError as error:
        raise SettingsError(_explain(error, given, file_values)) from None


_ONLY_OURS: Final = frozenset(
    (
        "notify_command",
        "notify_urls",
        "ping_url",
        "anchor_command",
        "portal",
        "data",
        "ca_file",
        "proxy",
        "timestamp_url",
    )
)
"""Settings that run commands, or name addresses and files: taken only from a file that nobody else can write."""


def _read_file() -> dict[str, Any]:
    file = config_file()
    values = _file_values(file)
    if values.keys() & _ONLY_OURS and hasattr(os, "getuid"):
        about = file.stat()
        if about.st_uid not in (0, os.getuid()) or about.st_mode & 0o002:
            raise SettingsError(
                f"the settings file {file} is another user's, or everybody can write to it; own it and take that right away"
            )
    return values


def _file_values(file: Path) -> dict[str, Any]:
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):  # a named pipe would be waited for without an end
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if os.environ.get(CONFIG_VARIABLE):
            raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which does not exist; correct or unset it") from None
        return {}
    except OSError as error:
        raise SettingsError(
            f"the settings file {file} cannot be read ({error.strerror}); correct or remove it"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"the settings file {file} is no UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"the settings file {file} is no TOML: {_lower_first(str(error))}; correct that line"
        ) from None


def _explain(error: ValidationError, given: Mapping[str, Any], file_values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{name} is no setting{_suggestion(name)}"
    variable = next((key for key in os.environ if key.upper() == f"{PREFIX}{name.upper()}" and os.environ[key]), None)
    if name in given:
        value, source = given[name], ""
    elif variable:
        value, source = os.environ[variable], f" (environment variable {variable})"
    else:
        value, source = file_values.get(name), f" (in {config_file()})"
    allowed = str(first["ctx"]["error"]) if first["type"] == "value_error" else _allowed(field)
    if name in _HIDDEN:
        return f"the setting {name} must be {allowed}{source}; its value is not shown"
    shown = str(value) if isinstance(value, Path) else value
    return f"the setting {name} must be {allowed}, not {shortened(repr(shown))}{source}"


def _allowed(field: FieldInfo) -> str:
    """What a setting may be, in words, from its own declaration."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return " or ".join(repr(choice) for choice in get_args(annotation))
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        words = "a whole number" if annotation is int else "a number"
        bounds = []
        for bound in field.metadata:
            if isinstance(bound, Gt):
                bounds.append(f"above {bound.gt:,}")
            if isinstance(bound, Ge):
                bounds.append(f"of at least {bound.ge:,}")
            if isinstance(bound, Le):
                bounds.append(f"at most {bound.le:,}")
        return " ".join([words, " and ".join(bounds)]).strip()
    is_path = annotation is Path or (isinstance(annotation, UnionType) and Path in get_args(annotation))
    return "the name of a file or folder" if is_path else "text in quotes"


def _suggestion(name: str, prefix: str = "") -> str:
    close = difflib.get_close_matches(name.lower(), Settings.model_fields, n=1)
    if not close:
        return ""
    return f" (did you mean {prefix}{close[0].upper() if prefix else close[0]}?)"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
