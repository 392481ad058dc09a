"""The contact line: whose name, and which telephones. All people and numbers are invented."""

import re

import pytest
from hypothesis import given
from support.laws import law, troubled_texts

from parsers.contact import split_contact
from parsers.thai import clean

ONE_PERSON = {
    "นายก ขจร ติดต่อ โทร. 7033": "7033",
    "นายก ขจร โทรฯ 7033": "7033",
    "นายก ขจร โทร. 7033.": "7033",
    "นายก ขจร": None,
    "นายก ขจร โทร. 7033": "7033",
    "นายก ขจร โทร.6541": "6541",
    "นายก ขจร โทร 6888": "6888",
    "นายก ขจร(โทร.6573)": "6573",
    "นายก ขจร (3027)": "3027",
    "นายก ขจร 6914": "6914",
    "นายก ขจร / โทร.6375": "6375",
    "นายก ขจร โทร 5636-5638": "5636-5638",
    "นายก ขจร โทร. 5884,5885": "5884,5885",
    "นายก ขจร โทร. ๕๘๘๔ , ๕๘๘๕": "๕๘๘๔ , ๕๘๘๕",
    "นายก ขจร โทร. 6541 และ 6542": "6541 และ 6542",
    "นายก ขจร โทร. 0 2643 3159": "0 2643 3159",
    "นายก ขจร โทร. 022257612 ต่อ 111": "022257612 ต่อ 111",
    "นายก ขจร โทร. +66 2 222 1111": "+66 2 222 1111",
    "นายก ขจร ต่อ 6541": "6541",
    "นายก ขจร (ต่อ 6541)": "6541",
    "นายก ขจร มือถือ 08 1234 5678": "08 1234 5678",
    "นายก ขจร หมายเลขโทรศัพท์ 6541": "6541",
    "นายก ขจร เบอร์โทรติดต่อ 081 234 5678": "081 234 5678",
    "นายก ขจร เบอร์โทรศัพท์มือถือ : 081-234-5678": "081-234-5678",
    "นายก ขจร เบอร์ติดต่อ 7033": "7033",
    "นายก ขจร โทร.ภายใน 7033": "7033",
    "นายก ขจร (ภายใน 7033)": "7033",
    "นายก ขจร โทร. 0 2203 1111 หรือโทร. 2599": "0 2203 1111, 2599",
    "นายก ขจร โทร. 7033 และโทร. 7034": "7033, 7034",
    "นายก ขจร, โทร. 7033 / มือถือ 081 234 5678": "7033, 081 234 5678",
    "นายก ขจร โทร. 0 2225 7612 โทรสาร 0 2225 7613": "0 2225 7612, 0 2225 7613",
    "นายก ขจร Tel: 02-643-3159 ext. 12": "02-643-3159 ext. 12",
    "นายก ขจร โทร. 02-203-1111#7033": "02-203-1111#7033",
    "นายก ขจร โทร. 7033 ถึง 7035": "7033 ถึง 7035",
    "นายก ขจร สายตรง 7033": "7033",
    "นายก ขจร (0) 2643 3159": "0 2643 3159",
    "นายก ขจร โทร. (02) 643-3159 ต่อ 12": "02 643-3159 ต่อ 12",
    "นายก ขจร โทร.": None,
    "นายก ขจร โทร. -": None,
}


@pytest.mark.parametrize("contact", ONE_PERSON)
def test_a_name_has_no_label_and_no_conjunction(contact: str) -> None:
    assert split_contact(contact) == ("นายก ขจร", ONE_PERSON[contact])


@pytest.mark.parametrize(
    ("contact", "name", "phone"),
    [
        ("นายก ขจร และ นางข คจร โทร. 7033", "นายก ขจร และ นางข คจร", "7033"),
        ("นายก ขจร โทร. 7033, นางข คจร โทร. 7034", "นายก ขจร, นางข คจร", "7033, 7034"),
        ("นายก ขจร โทร. 7033 และ นางข คจร โทร. 7034", "นายก ขจร และ นางข คจร", "7033, 7034"),
        ("นายก ขจร (7033) นางข คจร (7034)", "นายก ขจร นางข คจร", "7033, 7034"),
        ("นายก ขจร / โทร.6375 / นางข คจร", "นายก ขจร / นางข คจร", "6375"),
    ],
)
def test_two_people_stay_one_line(contact: str, name: str, phone: str) -> None:
    assert split_contact(contact) == (name, phone)


@pytest.mark.parametrize(
    ("contact", "name", "phone"),
    [
        ("ฝ่ายโยธา", "ฝ่ายโยธา", None),
        ("ฝ่ายตรวจสอบภายใน 7033", "ฝ่ายตรวจสอบภายใน", "7033"),
        ("กองโทรคมนาคม 7033", "กองโทรคมนาคม", "7033"),
        ("นายก ขจร เจ้าพนักงาน 7 โทร. 7033", "นายก ขจร เจ้าพนักงาน 7", "7033"),
        ("นางหรือ โทร. 7033", "นางหรือ", "7033"),
        ("นายก ขจร (02)", "นายก ขจร (02)", None),
        ("kajorn2563@example.org โทร 7033", "kajorn2563@example.org", "7033"),
        ("นายก ขจร Line ID 7033abc", "นายก ขจร Line ID 7033abc", None),
        ("0 2450 3240", None, "0 2450 3240"),
        ("โทร.6541", None, "6541"),
    ],
)
def test_names_keep_what_only_looks_like_a_telephone(contact: str, name: str | None, phone: str | None) -> None:
    assert split_contact(contact) == (name, phone)


LABEL_WORDS = "เบอร์|หมายเลข|โทรศัพท์|โทรสาร|โทร|มือถือ|แฟกซ์|ติดต่อ|ต่อ|ภายใน|สายใน|สายตรง|เคลื่อนที่|ที่ทำงาน|และ|หรือ|tel|fax|mobile"


@law(300)
@given(troubled_texts)
def test_nothing_is_lost_but_label_words(text: str) -> None:
    contact = clean(text)
    name, phone = split_contact(contact)
    kept = (name or "") + (phone or "")
    assert sorted(filter(str.isdigit, kept)) == sorted(filter(str.isdigit, contact))
    kept, printed = (re.sub(LABEL_WORDS, "", one, flags=re.IGNORECASE) for one in (kept, contact))
    assert sorted(filter(str.isalpha, kept)) == sorted(filter(str.isalpha, printed))
