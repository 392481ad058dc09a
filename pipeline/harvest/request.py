"""The request for one harvest, as plain data: the parameters of the flow, valid JSON for a deployment."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from pipeline.compare.classify import MEANINGS
from pipeline.errors import SettingsError
from pipeline.harvest.portal import PageRef, agency_codes, code_ref, probe_refs
from pipeline.harvest.result import Scope
from pipeline.harvest.sweep import read_range
from pipeline.settings import Settings, load_settings

_NARROWED: Final = frozenset(("rate", "concurrency"))
"""Settings that a scheduled run's parameters may lower."""


@dataclass(frozen=True)
class HarvestRequest:
    """The request for one harvest; see the fields."""

    # pydantic checks requests that come from elsewhere, by a flow or a file; a command need not wait for its import
    __pydantic_config__: ClassVar = {"extra": "forbid", "use_attribute_docstrings": True}

    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from environment and file."""
    pages: tuple[str, ...] = ()
    """Only these project or indicator codes or URLs."""
    agencies: tuple[str, ...] = ()
    """Only these agencies."""
    sample: int | None = None
    """At most so many pages with records."""
    probe: tuple[str, ...] = ()
    """Ranges of serials, such as 50240000:3500-3600."""
    resume: bool = True
    """Go on with an unfinished harvest; false discards it."""
    due: datetime | None = None
    """The time of a schedule that the harvest answers; a scheduled run has its own."""

    def __post_init__(self) -> None:
        if self.sample is not None and self.sample < 1:
            raise ValueError("sample should be greater than or equal to 1")
        if self.due is not None and self.due.tzinfo is None:
            raise ValueError("due should have timezone info")

    def check_narrows(self) -> None:
        """Raise SettingsError where a scheduled run's parameters ask for more than its service allows.

        A parameter comes from anyone who may start runs. What runs commands or names files and addresses comes only from the
        environment and the settings file of the service; a run may ask for fewer pages, and more slowly.
        """
        allowed = load_settings()
        for name, value in self.settings.items():
            limit = getattr(allowed, name) if name in _NARROWED else None
            if limit is None or not isinstance(value, int | float) or value > limit:
                raise SettingsError(
                    f"a run's parameters cannot set {name} to {value!r}; set BMA_PROGRESS_{name.upper()} where the service runs"
                )

    def load(self) -> tuple[Settings, Scope]:
        """The settings and the scope. Raises SettingsError."""
        settings = load_settings(**self.settings)
        refs = []
        for text in self.pages:
            ref = code_ref(text, settings.portal)
            if ref is None:
                raise SettingsError(f"{text!r} is no project code, no indicator code and no page of {settings.portal}")
            refs.append(ref)
        probes: list[PageRef] = []
        for text in self.probe:
            probes += probe_refs(text, settings.portal)
        for text in settings.sweep:
            read_range(text)  # a wrong one is refused before anything begins
        for meaning in settings.watch.meanings:
            if meaning not in MEANINGS:
                raise SettingsError(
                    f"the setting watch names {meaning!r}, which is no meaning; they are: {', '.join(MEANINGS)}"
                )
        chosen = self.agencies or settings.agencies
        agencies = tuple(agency_codes(chosen)) if chosen else ()
        return settings, Scope(tuple(refs), agencies, self.sample, tuple(probes))
