"""What a frame shows of a stored page runs nothing and loads nothing, and says all that the page says."""

import time

from pipeline.browse.quiet_page import quiet_page

PAGE = """<!DOCTYPE html><html><head><base href="http://a.example/"><meta http-equiv="refresh" content="0">
<link rel="stylesheet" href="x.css"><script>one()</script>
<style>@import "x"; b{background:url(x.png);color:red}</style></head>
<body onload="two()" background="x.png"><img src="x.png" srcset="y 2x" onerror="three()" alt="ภาพ">
<p style="background:url(x)">ก <b style="color:blue">ข</b> <svg><image href="x.png"/><script>four()</script></svg>
<iframe src="x"></iframe><video poster="x" src="x"></video></p></body></html>"""


def test_what_runs_or_loads_is_taken_out() -> None:
    shown = quiet_page(PAGE.encode("cp874"), "text/html; charset=windows-874").decode()
    for gone in ("script", "()", "x.css", "x.png", "http", "iframe", "url", "@import", "poster", "src"):
        assert gone not in shown, gone
    for kept in ("<!DOCTYPE html>", "color:red", '<b style="color:blue">ข</b>', 'alt="ภาพ"'):
        assert kept in shown, kept


def test_any_bytes_are_a_page() -> None:
    assert quiet_page(b"", None) == b"<html><head></head><body></body></html>"
    assert quiet_page(b"\xff\xfe\x00<", None)


def test_no_page_takes_long() -> None:
    began = time.process_time()
    assert quiet_page(b"<div>" * 100_000, None)
    assert quiet_page(b"<p " + b" ".join(b"a%d=1" % number for number in range(60_000)) + b">", None)
    assert time.process_time() - began < 5  # lexbor alone takes 28 s


def test_what_a_server_misread_is_shown_as_it_came() -> None:
    body = f"<meta charset=utf-8><p>{'ความก้าวหน้าโครงการ/กิจกรรม'.encode().decode('latin-1')}".encode()
    assert "à¸" in quiet_page(body, "text/html; charset=utf-8").decode()
