"""Cutting a page's lines into its sections, by the headings the page prints in a fixed order."""

from collections.abc import Callable, Mapping

from parsers.labels import COPYRIGHT, FURNITURE, NAVIGATION, NAVIGATION_LINE, YII_FURNITURE
from parsers.plain import EMPTY_CELL
from parsers.thai import arabic_digits

MOST_PIECES = 8
"""Cells that one printed line is spread over, at most."""
_NOTICE = 5  # lines of a copyright notice, at most

_HEAD = 60  # lines of a page's head, at most
_GLUED = 50  # lines that begin with a heading, at most: one has it glued to its text, a few may quote it

Follows = Callable[[list[str], int], bool]


def cut(
    lines: list[str], headings: Mapping[str, str], follows: Mapping[str, Follows]
) -> tuple[list[str], dict[str, list[str]]]:
    """Cut `lines` at `headings` (key → printed heading, in page order).

    Returns the lines above the first heading, and for each heading that is there the lines below it. Menus and tabs that
    name the page's own headings are navigation, and in neither. A heading is a line of its own. Free text may quote one:
    where a heading stands more than once, the order of headings and `follows` (key → does what comes after line i fit?)
    decide, and the rest stays text. A heading glued to the text behind it is split off where it stands nowhere alone.
    """
    places = _places(lines, headings)
    if any(len(found) > 1 for found in places.values()):
        if twins := _twins(lines, list(places.values())):
            lines = [line for place, line in enumerate(lines) if place not in twins]
            places = _places(lines, headings)
        end = places.get(list(headings)[-1], [len(lines)])[-1]  # a menu below the last heading is no heading's home
        lines = _without_menu(lines, sorted(one for found in places.values() for one in found if one <= end))
        places = _places(lines, headings)
    missing = [key for key in headings if key not in places]
    if missing:
        lines = _respell(lines, {_letters(headings[key]): headings[key] for key in missing})
        places = _places(lines, headings)
        missing = [key for key in missing if key not in places]
        lines = _split_glued(lines, headings, places, missing, follows)
        places = _places(lines, headings)
    chosen = _choose(lines, headings, places, follows)
    starts = sorted((place, key) for key, place in chosen.items())
    bounds = [*(place for place, _ in starts), len(lines)]
    return lines[: bounds[0]], {key: lines[place + 1 : bounds[i]] for i, (place, key) in enumerate(starts, 1)}


def cut_site_end(lines: list[str]) -> tuple[list[str], list[str]]:
    """Part what a site prints below every record, such as *Back* and a copyright notice; returns the record's lines first."""
    end = len(lines)
    below = end
    while below and (lines[below - 1] == EMPTY_CELL or lines[below - 1] in NAVIGATION):
        below -= 1
        end = end if lines[below] == EMPTY_CELL else below
    for place in range(max(end - _NOTICE, 0), end):
        if COPYRIGHT.match(lines[place]):
            above, _ = cut_site_end(lines[:place])
            return above, lines[len(above) :]
    return lines[:end], lines[end:]


def once(lines: list[str]) -> list[str]:
    """The lines; where they are all printed twice over, as pages for two widths of screen do, those of the first time."""
    half, odd = divmod(len(lines), 2)
    twice = half and not odd and lines[0] == lines[half] and lines[:half] == lines[half:]
    return lines[:half] if twice else lines


def without_echoes(lines: list[str]) -> list[str]:
    """The lines of a page's head; of a part that is printed twice over, one below the other, those of the first time."""
    if len(set(lines)) == len(lines) or len(lines) > _HEAD:
        return lines
    place = 0
    while place < len(lines):
        for again in range(place + 1, len(lines)):
            end = 2 * again - place
            if lines[place] == lines[again] and lines[place:again] == lines[again:end]:
                lines = lines[:again] + lines[end:]
                break
        else:
            place += 1
    return lines


def is_navigation(line: str) -> bool:
    """Whether a line prints only fixed furniture and the words of a site's links, one or several."""
    return line in NAVIGATION or bool(NAVIGATION_LINE.fullmatch(line) or YII_FURNITURE.fullmatch(line))


def _without_menu(lines: list[str], places: list[int]) -> list[str]:
    """Take out menus and tabs: headings one below the other that all come again, above the first that is no menu's.

    places: where headings stand, in order
    """
    menu: set[int] = set()
    run: list[int] = []
    for place in [*places, len(lines)]:
        if run and (place == len(lines) or any(line != EMPTY_CELL for line in lines[run[-1] + 1 : place])):
            while run and lines[run[-1]] not in _later(lines, places, run[-1]):
                run.pop()  # the real heading, right below
            if len(run) < 2 or not _later(lines, places, run[-1]).issuperset(lines[one] for one in run):
                break
            menu.update(run)
            run = []
        run.append(place)
    return [line for place, line in enumerate(lines) if place not in menu]


def _twins(lines: list[str], places: list[list[int]]) -> set[int]:
    """Where headings stand again right below themselves, if most do: the page prints each for two widths of screen.

    Of a single one it is a text that begins with its own heading.
    """
    twins = {place for found in map(set, places) for place in found if _line_above(lines, place) in found}
    return twins if 2 * len(twins) > len(places) else set()


def _later(lines: list[str], places: list[int], place: int) -> set[str]:
    return {lines[later] for later in places if later > place}


def without_furniture(lines: list[str]) -> list[str]:
    """The lines that say something of the record: no furniture, and no colon in a cell of its own between its words."""
    return [
        line
        for place, line in enumerate(lines)
        if line not in FURNITURE and not (line == ":" and place and lines[place - 1] in FURNITURE)
    ]


def _places(lines: list[str], headings: Mapping[str, str]) -> dict[str, list[int]]:
    keys = {heading: key for key, heading in headings.items()}
    places: dict[str, list[int]] = {}
    for number in [number for number, line in enumerate(lines) if line in keys]:
        places.setdefault(keys[lines[number]], []).append(number)
    return places


def _choose(
    lines: list[str], headings: Mapping[str, str], places: dict[str, list[int]], follows: Mapping[str, Follows]
) -> dict[str, int]:
    firsts = [found[0] for key in headings if (found := places.get(key))]
    if sum(map(len, places.values())) == len(firsts) and firsts == sorted(firsts):
        return {key: found[0] for key, found in places.items()}
    chosen: dict[str, int] = {}
    bound = len(lines)
    for key in reversed(list(headings)):  # from the end: what quotes a heading is mostly text above the real one
        found = [place for place in places.get(key, ()) if place < bound]
        fits = follows.get(key)
        fitting = [place for place in found if fits(lines, place)] if fits else []
        if fitting:
            chosen[key] = bound = fitting[0]
        elif found:
            place = found.pop()
            while found and _line_above(lines, place) == found[-1]:  # the text begins with its own heading
                place = found.pop()
            chosen[key] = bound = place
    return chosen


def _line_above(lines: list[str], place: int) -> int:
    place -= 1
    while place > 0 and lines[place] == EMPTY_CELL:
        place -= 1
    return place


def _respell(lines: list[str], headings: Mapping[str, str]) -> list[str]:
    """The lines, headings that differ in blanks or in the kind of their digits spelt as usual.

    headings: letters → heading
    """
    longest = 2 * max(map(len, headings))
    return [headings.get(_letters(line), line) if len(line) < longest else line for line in lines]


def _letters(text: str) -> str:
    return arabic_digits(text).replace(" ", "")


def _split_glued(
    lines: list[str],
    headings: Mapping[str, str],
    places: dict[str, list[int]],
    missing: list[str],
    follows: Mapping[str, Follows],
) -> list[str]:
    order = list(headings)
    lines = list(lines)
    split_off: set[int] = set()  # texts that were glued to a heading: one that begins like the next heading quotes it
    for key in missing:
        heading = headings[key]
        before = [place for earlier in order[: order.index(key)] for place in places.get(earlier, ())[:1]]
        after = [place for later in order[order.index(key) + 1 :] for place in places.get(later, ())[-1:]]
        low, high = max(before, default=-1) + 1, min(after, default=len(lines))
        found = [number for number in range(low, high) if lines[number].startswith(heading)][:_GLUED]
        for number in sorted(found, key=split_off.__contains__):
            rest = lines[number].removeprefix(heading).lstrip(" :")
            trial = [*lines[:number], heading, *([rest] if rest else []), *lines[number + 1 :]]
            fits = follows.get(key)
            if not fits or fits(trial, number) or found == [number]:
                more = len(trial) - len(lines)
                split_off = {place + more if place > number else place for place in split_off - {number}}
                split_off |= {number + 1} if rest else set()
                lines = trial
                places = _places(lines, headings)
                break
    return lines
