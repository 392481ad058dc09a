"""The request for one harvest, as plain data: the parameters of the flow, valid JSON for a deployment."""

from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pipeline.compare.classify import MEANINGS
from pipeline.errors import SettingsError
from pipeline.harvest.portal import PageRef, agency_codes, code_ref, probe_refs
from pipeline.harvest.result import Scope
from pipeline.harvest.sweep import read_range
from pipeline.settings import Settings, load_settings

_NARROWED: Final = frozenset(("rate", "concurrency"))
"""Settings that a scheduled run's parameters may lower."""


class HarvestRequest(BaseModel):
    """The request for one harvest; see the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings that differ from environment and file."
    )
    pages: tuple[str, ...] = Field((), description="Only these project or indicator codes or URLs.")
    agencies: tuple[str, ...] = Field((), description="Only these agencies.")
    sample: int | None = Field(None, ge=1, description="At most so many pages with records.")
    probe: tuple[str, ...] = Field((), description="Ranges of serials, such as 50240000:3500-3600.")
    resume: bool = Field(True, description="Go on with an unfinished harvest; false discards it.")

    due: AwareDatetime | None = Field(
        None, description="The time of a schedule that the harvest answers; a scheduled run has its own."
    )

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
