"""Points in time as users give them: a day or an instant, as text or as Python and pandas have them."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from parsers.thai import BANGKOK
from pipeline.errors import StoreError
from pipeline.store.layout import today_in_bangkok

When = str | date
"""What names a state: a harvest's id, `latest`, `previous`, a day, or a `datetime` (a `pandas.Timestamp` is one)."""

_BUDDHIST: Final = 543  # years that the Buddhist era is ahead
_FIRST_BUDDHIST_YEAR: Final = 2400  # no day of the Common Era that anyone asks for


def end_of(when: When) -> datetime:
    """The instant at which a day or an instant is over.

    Raises StoreError for what is no day, a Buddhist year, and a day to come.
    """
    if isinstance(when, str):
        _refuse_buddhist(when.strip())
        try:
            return _end_of_day(date.fromisoformat(when.strip()))
        except ValueError:
            pass
    elif isinstance(when, datetime) and when == when:  # pandas' NaT is a datetime that equals nothing
        if when.tzinfo is None and when.time() == time():
            return _end_of_day(when.date())
        with suppress(OverflowError, ValueError):  # the first hours and the last ones that Python, or pandas, knows
            instant = when if when.tzinfo else when.replace(tzinfo=BANGKOK)
            _check(instant.astimezone(BANGKOK).date())  # elsewhere it may be tomorrow already
            return instant.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    elif isinstance(when, date) and not isinstance(when, datetime):
        return _end_of_day(when)
    raise StoreError(f"{when!r} is no harvest's id, no day such as 2026-11-22, and neither latest nor previous")


def _end_of_day(day: date) -> datetime:
    _check(day)
    return datetime.combine(day + timedelta(days=1), time(), BANGKOK).astimezone(UTC)


def _check(day: date) -> None:
    _refuse_buddhist(day.isoformat())
    if day > (today := today_in_bangkok()):
        raise StoreError(f"{day.isoformat()} is still to come; today is {today}")


def _refuse_buddhist(text: str) -> None:
    """Raise StoreError for a day of the Buddhist era, whose leap years are others: 2567-02-29 is no day of the Common Era."""
    year = int(text[:4]) if text[:4].isdecimal() else 0
    if year >= _FIRST_BUDDHIST_YEAR:
        meant = f"{year - _BUDDHIST}{text[4:]}"
        with suppress(ValueError):  # it is no day of either era
            date.fromisoformat(meant)
            raise StoreError(f"{text} is a day of the Buddhist era; write {meant}")
