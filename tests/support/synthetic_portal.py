"""A portal of any size, made up as it is asked: invented projects and indicators, edited from night to night.

Run as a program it serves itself: `python tests/support/synthetic_portal.py PROJECTS NIGHT [SHARE]` prints its address. Night n
differs from night 1 in SHARE of its projects a night: a new report, an edited old one, a record gone or back.
"""

import random
import sys
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

WORDS = (
    "การพัฒนา ชุมชน ถนน คลอง สวน โรงเรียน ระบบ ระบายน้ำ ความปลอดภัย ประชาชน เขต สำนักงาน อบรม ปรับปรุง ก่อสร้าง ซ่อมแซม "
    "ตรวจสอบ ติดตาม ประเมินผล งบประมาณ ดำเนินการ เรียบร้อย แล้ว อยู่ระหว่าง ขออนุมัติ จัดซื้อ จัดจ้าง สัญญา ผู้รับจ้าง คณะกรรมการ "
    "ประชุม วางแผน สำรวจ ออกแบบ ส่งมอบ เบิกจ่าย เป้าหมาย ผลลัพธ์ คุณภาพชีวิต สิ่งแวดล้อม ขยะ ต้นไม้ เด็ก ผู้สูงอายุ สุขภาพ "
    "การศึกษา กีฬา วัฒนธรรม ท่องเที่ยว เทศกิจ จราจร ทางเท้า ไฟฟ้า แสงสว่าง ป้องกัน น้ำท่วม อัคคีภัย อาสาสมัคร เครือข่าย ศูนย์ บริการ"
).split()
AGENCIES = [f"{stem}0000" for stem in ("2400", "2200", "0900", "0700", *(str(n) for n in range(5001, 5051)))]
_STYLE = "style='margin:0 auto;padding:4px;font-size:14px' class='panel panel-default col-md-12 ui-body-d'"


def agency_of(number: int) -> str:
    return AGENCIES[number % len(AGENCIES)]


def code_of(number: int) -> str:
    return f"{agency_of(number)}-{number // len(AGENCIES) + 1:04d}"


def words(chance: random.Random, count: int) -> str:
    return "".join(chance.choice(WORDS) + (" " if chance.random() < 0.1 else "") for _ in range(count)).strip()


def changes_until(number: int, night: int, share: float) -> list[int]:
    """The nights up to `night` on which a project was edited."""
    return [n for n in range(2, night + 1) if random.Random(f"{number}/{n}").random() < share]


def is_gone(number: int, night: int) -> bool:
    """A few projects are gone from the third to the sixth night, and come back."""
    return number % 251 == 7 and 3 <= night <= 6


@lru_cache(maxsize=4096)
def project_page(number: int, night: int, share: float) -> bytes:
    chance = random.Random(number)
    code = code_of(number)
    edits = changes_until(number, night, share)
    count = chance.randint(2, 12)
    reports = []
    for index in range(count):
        percent = round(100 * (index + 1) / (count + 12), 2)
        month = 10 + index if index < 3 else index - 2
        year = 2019 if index < 3 else 2020
        reports.append(
            (f"{year}-{month:02d}-{chance.randint(1, 28):02d}", percent, words(chance, chance.randint(5, 40)))
        )
    for night_ in edits:
        if night_ % 3 == 0:
            day, percent, note = reports[0]
            reports[0] = (day, percent, f"{note} แก้ไขคืนที่ {night_}")
        else:
            extra = len(reports) - count
            note = words(random.Random(f"note/{number}/{night_}"), 10)
            reports.append((f"2020-09-{min(28, 10 + extra):02d}", round(100 * len(reports) / (count + 12), 2), note))
    progress = reports[-1][1]
    lines = ["ความคืบหน้าโครงการ/กิจกรรม", "Back Home", "FusionCharts will render here"]
    lines += [f"โครงการ{words(chance, 8)} : {code}", f"สำนักงานเขต{words(chance, 1)} : (2563)", f"{progress:g}"]
    lines += [f"ความคืบหน้าโครงการ ร้อยละ {progress:g}", f"นาย{words(chance, 1)} โทร. {chance.randint(1000, 9999)}"]
    lines += ["ดูโครงการแผนปีฯ : พิมพ์ข้อมูล", "*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 100"]
    lines += ["หลักการและเหตุผล", words(chance, chance.randint(80, 400)), f"{agency_of(number)}/{agency_of(number)}"]
    lines += ["วัตถุประสงค์ของโครงการ", words(chance, 60), "เป้าหมายของโครงการ", words(chance, 30)]
    lines += ["สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ", "ด้านที่ ๑ – มหานครปลอดภัย : Bangkok as a Safe City"]
    lines += [
        "๑.๔ - ปลอดภัยพิบัติ",
        "๑.๔.๑ กรุงเทพมหานครสามารถลดความเสี่ยง%",
        "๑.๔.๑.๑ กรุงเทพมหานครมีความพร้อม",
        "ผลการดำเนินงาน",
    ]
    for place, (day, percent, note) in enumerate(reversed(reports), 1):
        year, month, date = day.split("-")
        lines += [f"({place}) ความคืบหน้าโครงการฯ ร้อยละ {percent:.2f} ({day})", f"{percent:.2f}"]
        lines += [
            f"{int(date)}/{int(month)}/{int(year) + 543} : {note}",
            "** ปัญหาของโครงการ :ไม่มี",
            "** อุปสรรคของโครงการ :-",
        ]
        lines += ["------------------&amp;&amp;&amp;--------------------"]
    lines += ["แผนการดำเนินงานฯ"]
    for step in range(1, 6):
        stamp = f"2020-0{step}-01 00:00:00"
        lines += [f"ขั้นตอน {step}", f":{words(chance, 6)}", ":20%", f"เริ่มต้น :{stamp}", f"สิ้นสุด :{stamp}"]
    lines += [f"(ทดสอบ) แสดงขั้นตอนการดำเนินงานโครงการ : {code}", "สนับสนุนตัวชี้วัดตามแผนฯ"]
    lines += ["** ผลการประเมินโครงการ (รายไตรมาส) **"]
    return _html(lines)


def empty_page() -> bytes:
    lines = ["ความคืบหน้าโครงการ/กิจกรรม", "Back Home", ":", ": ()", "ความคืบหน้าโครงการ ร้อยละ"]
    lines += [
        "หลักการและเหตุผล",
        "วัตถุประสงค์ของโครงการ",
        "เป้าหมายของโครงการ",
        "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ",
        "ผลการดำเนินงาน",
    ]
    lines += ["แผนการดำเนินงานฯ", "สนับสนุนตัวชี้วัดตามแผนฯ", "** ผลการประเมินโครงการ (รายไตรมาส) **"]
    return _html(lines)


def list_page(agency: str, projects: int) -> bytes:
    items = [f"<p>ผลการปฏิบัติราชการประจำปีของหน่วยงาน : {agency}</p><p>มิติที่ 1 ด้านประสิทธิผลตามพันธกิจ</p>"]
    for place, number in enumerate((n for n in range(projects) if agency_of(n) == agency), 1):
        link = f"/mobile/myproject.php?pid={code_of(number)}"
        items.append(
            f"<p><a href='{link}'>({place}) ตัวชี้วัดที่ {place}</a></p><p>[มิติที่ 1 : ตัวชี้วัดเจรจา]</p><p>หน่วยนับ :ร้อยละ</p>"
            "<p>เป้าหมาย :100.00</p><p>ผลงาน :100.00</p>"
            "<table><tr><td>ไตรมาสที่ (1 - 4)<td>*ผลงาน* (ร้อยละ)<td>*ผลประเมินตัวชี้วัด* (* 2.1 / 2.2 *)"
            "<tr><td>1<td>100.00<td><td>100 / 100</table>"
        )
    return f"<html><body>{''.join(items)}</body></html>".encode()


def _html(lines: list[str]) -> bytes:
    content = "\n".join(
        f"<div {_STYLE}>\n  <div class='panel-heading'><span>{line}</span></div>\n</div>" for line in lines
    )
    script = "var chart = {'caption': 'x'};\n" * 100
    return f"<html><head><meta charset='utf-8'><script>{script}</script></head><body>{content}</body></html>".encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    projects, night, share = 100, 1, 0.02
    requests: list[str] = []  # noqa: RUF012 - one log for the whole server

    def do_GET(self) -> None:
        type(self).requests.append(self.path)
        parts, status = urlsplit(self.path), 200
        query = parse_qs(parts.query)
        if parts.path == "/mobile/index101.php":
            body = list_page(query["selDEP"][0], self.projects)
        elif parts.path == "/mobile/myproject.php":
            number = numbers(self.projects).get(query["pid"][0])
            gone = number is None or is_gone(number, self.night)
            body = empty_page() if gone or number is None else project_page(number, self.night, self.share)
        elif parts.path == "/robots.txt":
            body = b"User-agent: *\nDisallow: /backend/\n"
        else:
            status, body = 404, b"<h1>Not Found</h1>"
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@lru_cache(maxsize=8)
def numbers(projects: int) -> dict[str, int]:
    return {code_of(number): number for number in range(projects)}


def main() -> None:
    Handler.projects, Handler.night = int(sys.argv[1]), int(sys.argv[2])
    Handler.share = float(sys.argv[3]) if len(sys.argv) > 3 else 0.02
    port = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
