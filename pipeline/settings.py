"""Every knob, typed, with its reason. Sources in order: arguments, environment, bma-progress.toml, defaults."""

import os
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from pipeline.errors import SettingsError

PREFIX: Final = "BMA_PROGRESS_"
CONFIG_VARIABLE: Final = "BMA_PROGRESS_CONFIG"


class Settings(BaseSettings):
    """All settings of bma-progress; each is also an environment variable BMA_PROGRESS_… and a key of the TOML file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    portal: str = Field("http://monitor.bangkok.go.th", description="Address of the portal to harvest.")
    data: Path = Field(Path("data/portal"), description="Folder of the store; one store holds one portal.")
    contact: str = Field("", description="Where the portal's people reach you; goes into the user agent.")
    agencies: tuple[str, ...] = Field((), description="Harvest only these agencies (codes of 8 or 4 digits).")
    publish_contacts: bool = Field(
        True, description="Publish the table contacts. It is personal data: false keeps it out of latest and snapshots."
    )
    robots: bool = Field(True, description="Obey the portal's robots.txt.")

    # One request a second is what a person clicking fast would do; some thousand pages then take an hour or two.
    rate: float = Field(1.0, gt=0, le=1000, description="Requests a second to one host.")
    # At one request a second more than a few waiting connections only means a slow portal.
    concurrency: int = Field(4, ge=1, le=64, description="Requests under way at once.")
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the portal.")
    read_timeout: float = Field(30.0, gt=0, description="Seconds between two pieces of an answer.")
    page_timeout: float = Field(90.0, gt=0, description="Seconds for one whole page: a slow drip never ends otherwise.")
    retries: int = Field(3, ge=0, le=10, description="Further tries after a failure that may pass.")
    backoff: float = Field(1.0, ge=0, description="Seconds before the first further try; doubles, with jitter.")
    max_retry_after: float = Field(300.0, ge=0, description="Longest wait the portal may ask for, in seconds.")
    # Twenty failures running is no bad luck; a pause helps a restarting server, three pauses show a dead one.
    breaker_failures: int = Field(20, ge=1, description="Failures running that pause the harvest.")
    breaker_pause: float = Field(60.0, ge=0, description="Seconds of that pause.")
    breaker_pauses: int = Field(3, ge=0, description="Pauses after which the harvest gives up.")
    max_page_bytes: int = Field(16_000_000, ge=1, description="Largest page accepted, decoded; real ones have 0.1 MB.")
    ca_file: Path | None = Field(None, description="Certificates to trust beside the system's.")
    batch_size: int = Field(100, ge=1, le=1000, description="Pages in one Prefect task.")

    min_answered_share: float = Field(0.98, ge=0, le=1, description="Least share of known pages that must answer.")
    max_gone_share: float = Field(0.01, ge=0, le=1, description="Largest share of known records that may go in a night.")
    max_suspect_share: float = Field(0.02, ge=0, le=1, description="Largest share of pages that may be suspect.")
    min_rows_share: float = Field(0.97, ge=0, le=1, description="Least share of a table's rows that must be there.")
    keep_snapshots: int = Field(7, ge=1, description="Snapshots kept beside the first of every month.")

    @field_validator("portal")
    @classmethod
    def _portal_is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")) or len(value.split("/")) < 3 or not value.split("/")[2]:
            raise ValueError("must be an address such as http://monitor.bangkok.go.th")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        file = Path(os.environ.get(CONFIG_VARIABLE, "bma-progress.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)


def load_settings(**arguments: Any) -> Settings:
    """Settings from arguments (None: not given), environment and file; a wrong one is a SettingsError of one sentence."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {named}, which is no file; correct or unset it")
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX)
        and name != CONFIG_VARIABLE
        and name.removeprefix(PREFIX).lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsError(f"the environment variable {unknown[0]} is no setting; `bma-progress harvest --help` names them")
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{name} is no setting; remove it from bma-progress.toml or correct its name") from None
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"the setting {name} is {first['input']!r}, but {_lower(reason)}") from None
    except ValueError as error:  # a TOML file that is none
        raise SettingsError(f"bma-progress.toml cannot be read: {error}; correct the line it names") from None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
