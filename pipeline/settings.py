"""All settings, each typed and with the reason for its default.

Sources in order: arguments, environment, bma-progress.toml, defaults.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Self, get_args

from pipeline import setting_values as readers
from pipeline.errors import SettingsError, shortened
from pipeline.setting_values import SecretStr, Setting, Watch

PREFIX: Final = "BMA_PROGRESS_"
CONFIG_VARIABLE: Final = "BMA_PROGRESS_CONFIG"
CONFIG_FILE: Final = "bma-progress.toml"


class WrongValueError(ValueError):
    """The value of a setting is not allowed. name: of the setting; its text says what is allowed"""

    def __init__(self, name: str, allowed: str) -> None:
        super().__init__(allowed)
        self.name = name


def _setting(default: Any, **about: Any) -> Any:
    """The field of a setting. about: what `Setting` holds of it"""
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Settings:
    """All settings of bma-progress; each is also an environment variable BMA_PROGRESS_… and a key of the TOML file.

    Make one with `load_settings`, whose errors are sentences for people; here a wrong value raises WrongValueError.
    """

    portal: str = _setting(
        "http://monitor.bangkok.go.th",
        read=readers.portal,
        description="Address of the portal to harvest. Its copies on other hosts show other values: give each a store.",
    )
    data: Path = _setting(
        Path("data/portal"),
        read=readers.store_folder,
        description="Folder of the store, or its address such as s3://bucket/folder; one store holds one portal.",
    )
    contact: str = _setting(
        "",
        read=readers.contact,
        description="E-mail or web address where the portal's people reach you; goes into the user agent.",
    )
    agencies: tuple[str, ...] = _setting(
        (),
        read=readers.agencies,
        description="Harvest only these agencies: codes of 8 digits, or their first 4; all if empty.",
    )
    publish_contacts: bool = _setting(
        True, description="Publish the table contacts. It is personal data: false keeps it out of latest and snapshots."
    )

    robots: bool = _setting(
        True, description="Obey the portal's robots.txt: rules, crawl-delay, request-rate, visit-time."
    )
    # One request a second is what a person clicking fast would do; some thousand pages then take an hour or two.
    # The upper bound only catches typing mistakes: a portal of one's own on loopback may be requested as fast as it answers.
    rate: float = _setting(
        1.0, above=0, at_most=1_000_000, description="Requests a second to one host, all workers together."
    )
    # At one request a second more than a few waiting connections only means a slow portal.
    concurrency: int = _setting(4, at_least=1, at_most=64, description="Requests under way at once.")
    # A server that does not even accept a connection in ten seconds is overloaded; waiting longer adds to its queue.
    connect_timeout: float = _setting(10.0, above=0, at_most=600, description="Seconds to reach the portal.")
    # A PHP page behind a busy database can take long to begin; Apache itself gives up after 60 s by default.
    read_timeout: float = _setting(30.0, above=0, at_most=3600, description="Seconds between two pieces of an answer.")
    # A slow drip never lets the read time-out pass; a whole page of 0.1 MB comes in 90 s even at dial-up speed.
    page_timeout: float = _setting(
        90.0, above=0, at_most=3600, description="Seconds for one whole page, once requested."
    )
    # Three further tries outlast a restart of the web server; what fails four times waits for the second pass.
    retries: int = _setting(3, at_least=0, at_most=10, description="Further tries after a failure that may pass.")
    # 1, 2, 4 seconds: long enough for a hiccup, short beside the hours of a harvest.
    backoff: float = _setting(
        1.0, at_least=0, at_most=600, description="Seconds before the first further try; doubles, with jitter."
    )
    # A portal that asks for more than five minutes is not merely busy: the page is left for the second pass.
    max_retry_after: float = _setting(
        300.0, at_least=0, at_most=86_400, description="Longest wait the portal may ask for, in seconds."
    )
    # Twenty failures in a row are no accident; a pause helps a restarting server, three pauses show one that is down.
    breaker_failures: int = _setting(20, at_least=1, description="Failures in a row that pause the harvest.")
    breaker_pause: float = _setting(60.0, at_least=0, at_most=86_400, description="Seconds of that pause.")
    breaker_pauses: int = _setting(
        3, at_least=0, at_most=100, description="Pauses in a row after which the harvest gives up."
    )
    # The largest page seen has 0.1 MB; 2 MB leaves room, and bounds what parsing one page may cost in time and memory.
    max_page_bytes: int = _setting(
        2_000_000, at_least=1_000, at_most=1_000_000_000, description="Largest page accepted, decoded."
    )
    # Some thousands of projects and as many indicators are known: five times that is a listing without an end.
    max_pages: int = _setting(50_000, at_least=1, description="Pages in one harvest, after which discovery stops.")
    sweep: tuple[str, ...] = _setting(
        (),
        read=readers.ranges,
        description="Serials to ask for over many nights where nothing links to projects, such as 50010000:1-7200; city:1-300 "
        "for the city's indicators.",
    )
    # 2.4 hours of a night at one request a second: the serials of one agency, and the portal rests for most of the day.
    sweep_share: float = _setting(
        0.1,
        above=0,
        at_most=1,
        description="Share of a day's requests, at the set rate, that the sweep takes each night.",
    )
    # A newer front end that lists 7,200 projects by twenties has 360 pages of lists; a calendar has no end.
    max_menu_pages: int = _setting(
        1_000, at_least=1, description="Menus in one harvest that are followed for their links."
    )
    # The longest list seen has some sixty items on one page; a hundred pages are a list that repeats itself.
    max_list_pages: int = _setting(100, at_least=1, description="Further pages of one agency's list that are followed.")
    ca_file: Path | None = _setting(
        None,
        read=readers.file_or_folder,
        description="Certificates (PEM) to trust beside the usual ones, for a portal with an authority of its own.",
    )
    # Off, since anybody on the way can read and change what such a connection carries.
    allow_old_tls: bool = _setting(
        False, description="Accept TLS 1.0 and 1.1, short keys and old ciphers, for a portal that knows no others."
    )
    proxy: str = _setting(
        "",
        read=readers.proxy,
        description="Proxy for the portal, such as http://proxy.example.org:3128. Empty: HTTP_PROXY, HTTPS_PROXY and NO_PROXY "
        "decide; none: no proxy. Loopback is never asked through one.",
    )
    # At half a minute a page ten thousand pages take three days and a half; what is longer is meant for others, or a mistake.
    max_crawl_delay: float = _setting(
        30.0,
        above=0,
        at_most=86_400,
        description="Longest delay between two requests that robots.txt may ask for, in seconds.",
    )
    # Prefect's server spends 50 ms on a task whatever is in it; a hundred pages make that half a millisecond a page.
    batch_size: int = _setting(100, at_least=1, at_most=1000, description="Pages in one Prefect task.")
    # Prefect shows and schedules a harvest; the harvest itself needs nothing of it.
    orchestrator: Literal["prefect", "none"] = _setting(
        "prefect", description="Whether a harvest is a run of a Prefect flow, or runs in the process alone."
    )
    runner: Literal["local", "dask"] = _setting(
        "local", description="Where batches run: this process, or Dask workers."
    )
    dask_address: str = _setting(
        "",
        read=readers.scheduler,
        description="The Dask scheduler, such as tcp://10.0.0.5:8786; empty: processes of this machine.",
    )

    # Bounds of a harvest that may be published. A bound that is broken is to be explained, not adjusted.
    # A firewall or an outage during the harvest costs more than 2 % of the pages.
    min_answered_share: float = _setting(
        0.98, at_least=0, at_most=1, description="Least share of known pages that must answer."
    )
    # A new year's projects come with new lists; records do not vanish by the hundred between two harvests.
    max_gone_share: float = _setting(
        0.01, at_least=0, at_most=1, description="Largest share of known records that may go in one harvest."
    )
    # More than 2 % means that the portal's template changed, and that the parser has to be looked at first.
    max_suspect_share: float = _setting(
        0.02, at_least=0, at_most=1, description="Largest share of pages that may be suspect."
    )
    # Officers report once a month, most of them in its last days: a fifth of all records in one night is a busy one. More
    # than half at once is a template, a charset or a parser that changed, and would be published as rewritten history.
    max_changed_share: float = _setting(
        0.5,
        at_least=0,
        at_most=1,
        description="Largest share of known records that may say something else than the harvest before.",
    )
    # One night is a server's bad hour, two are a week-end; what reads the same three nights running is how the page is now.
    suspect_nights: int = _setting(
        3,
        at_least=1,
        description="Nights running in which a suspect page must say the same before it replaces a whole version.",
    )
    # History grows; a table that shrinks by 3 % in one harvest has lost a part of every page, or a part of the pages.
    min_rows_share: float = _setting(
        0.97, at_least=0, at_most=1, description="Least share of a table's rows that must be there."
    )
    # On a portal of fifty pages one lost page is already two percent.
    allowance_pages: int = _setting(3, at_least=0, description="Pages that may be lost whatever the shares say.")
    allowance_rows: int = _setting(
        100, at_least=0, description="Rows of a table that may be lost whatever the share says."
    )
    # A week of full states answers the common questions at once; older ones are rebuilt from the harvests.
    keep_snapshots: int = _setting(7, at_least=1, description="Snapshots kept beside the first of every month.")
    # A log has a line for every page of the harvest: some 200 bytes each, more than the harvest itself adds. What a harvest
    # looked at stays in its pages.parquet for ever.
    keep_logs: int = _setting(30, at_least=1, description="Harvests whose log.jsonl is kept.")
    # Two reports of a year and more of nights are 40 MB; what they say of pages stays in the harvests for ever.
    keep_reports: int = _setting(
        400,
        at_least=30,
        description="Harvests whose report.json and report.txt are kept; their hashes are kept always.",
    )

    # After half of a night's interval a page is nearer to the next night than to its own.
    resume_hours: float | None = _setting(
        None,
        above=0,
        description="Hours since its start after which an unfinished harvest is not resumed, and what it fetched is kept as "
        "evidence. Empty: half the interval of the service's schedule; 12 without one.",
    )

    # Who is notified when a harvest is not good.
    notify_webhook: SecretStr | None = _setting(
        None,
        read=readers.secret_address,
        description="Address that gets a JSON document when a harvest is held back, fails or is late. It may hold a token: "
        "set it by the environment only.",
    )
    notify_webhook_block: str = _setting(
        "", description="Name of a Prefect Secret block that holds that address, for runs of flows."
    )
    notify_command: str = _setting(
        "",
        read=readers.command,
        description="Command that gets the same document on standard input; split into words, run without a shell.",
    )
    notify_urls: tuple[SecretStr, ...] = _setting(
        (),
        read=readers.secret_addresses,
        description="Addresses of services that are notified too, as apprise writes them: mailtos://…, line://…, slack://…; "
        "separated by blanks. They hold secrets.",
    )
    ping_url: SecretStr | None = _setting(
        None,
        read=readers.secret_address,
        description="Address that is asked for after each good harvest, with /fail after a bad one, as Healthchecks has it: a "
        "service there notices when nothing comes.",
    )
    watch: Watch = _setting(
        Watch(),
        read=readers.watch,
        description="Changes of published harvests that are notified: a table with agencies, codes and meanings.",
    )
    # A harvest begins every 24 hours; 20,000 pages at one a second take five and a half, and may be tried again.
    late_hours: float = _setting(
        36.0, above=0, description="Hours since the start of the last published harvest; then late."
    )

    # What a store says can be proven later only against something kept outside of it.
    timestamp_url: str = _setting(
        "",
        read=readers.authority,
        description="Address of a time-stamp authority (RFC 3161) that stamps the head line after each harvest; none if empty.",
    )
    timestamp_ca: Path | None = _setting(
        None,
        read=readers.file_or_folder,
        description="Certificates (PEM) of the authorities whose time-stamps are trusted, instead of the system's.",
    )
    anchor_command: str = _setting(
        "",
        read=readers.command,
        description="Command that gets the head line on standard input after each harvest, to keep it elsewhere; split into "
        "words, run without a shell, without our settings in its environment.",
    )

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            try:
                object.__setattr__(self, name, setting.value(getattr(self, name)))
            except ValueError as error:
                raise WrongValueError(name, str(error)) from None

    def changed(self, **values: Any) -> Self:
        """The same settings but for some. Raises WrongValueError."""
        return replace(self, **values)


def _without_none(annotation: Any) -> Any:
    return get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation


SETTINGS: Final[Mapping[str, Setting]] = {
    one.name: Setting(_without_none(one.type), one.default, **one.metadata) for one in fields(Settings)
}
"""What is declared of each setting, by name."""

_SECRETS: Final = ("notify_webhook",)
"""Settings that come from the environment alone, and whose values are never shown."""
_HIDDEN: Final = (*_SECRETS, "notify_urls", "ping_url")
"""Settings whose values are never shown."""


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
            if setting not in SETTINGS:
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
        if name not in SETTINGS:
            raise SettingsError(
                f"{config_file()} sets {name!r}, which is no setting{_suggestion(name)}; remove that line"
            )
    for name in given:
        if name not in SETTINGS:
            raise SettingsError(f"{name} is no setting{_suggestion(name)}")
    try:
        return Settings(**{**file_values, **variables, **given})
    except WrongValueError as error:
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
        content = file.read_text(encoding="utf-8-sig")
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
    import tomllib

    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"the settings file {file} is no TOML: {_lower_first(str(error))}; correct that line"
        ) from None


def _explain(error: WrongValueError, given: Mapping[str, Any], file_values: Mapping[str, Any]) -> str:
    name, allowed = error.name, str(error)
    variable = next((key for key in os.environ if key.upper() == f"{PREFIX}{name.upper()}" and os.environ[key]), None)
    if name in given:
        value, source = given[name], ""
    elif variable:
        value, source = os.environ[variable], f" (environment variable {variable})"
    else:
        value, source = file_values.get(name), f" (in {config_file()})"
    if name in _HIDDEN:
        return f"the setting {name} must be {allowed}{source}; its value is not shown"
    shown = str(value) if isinstance(value, Path) else value
    return f"the setting {name} must be {allowed}, not {shortened(repr(shown))}{source}"


def _suggestion(name: str, prefix: str = "") -> str:
    import difflib

    close = difflib.get_close_matches(name.lower(), SETTINGS, n=1)
    if not close:
        return ""
    return f" (did you mean {prefix}{close[0].upper() if prefix else close[0]}?)"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
