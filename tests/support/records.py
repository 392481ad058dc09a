"""Records that no saved page has: a city indicator, and a list by strategy."""

from support.rendering import Tables

CITY_INDICATOR: Tables = {
    "city_indicators": [
        {
            "indicator_no": "87",
            "printed_no": "12",
            "fiscal_years": "2562-2563",
            "name": "สัดส่วนพื้นที่สีเขียวต่อประชากร",
            "unit": "ตร.ม.",
            "target": "12.25 ตร.ม.",
            "data_kind": "ตัวชี้วัดเป้าประสงค์",
            "definition": "พื้นที่สวนสาธารณะที่ประชาชนเข้าใช้ได้ ต่อจำนวนประชากรตามทะเบียนราษฎร",
            "method": "พื้นที่สีเขียวทั้งหมด หารด้วยจำนวนประชากร",
            "source": "สำนักสิ่งแวดล้อม",
        }
    ],
    "city_indicator_strategies": [
        {
            **{"indicator_no": "87", "position": level, "level": level, "level_label": label},
            **{"strategy_code": code, "name": name, "name_en": None},
        }
        for level, label, code, name in (
            (1, "ด้านที่", "2", "มหานครสีเขียว สะดวกสบาย"),
            (2, "มิติที่", "2.3", "พื้นที่สีเขียว"),
            (3, "เป้าหมายที่", "2.3.1", "กรุงเทพมหานครมีพื้นที่สีเขียวเพิ่มขึ้น"),
        )
    ],
}


def by_strategy(tables: Tables) -> Tables:
    """A list by dimension as one by strategy: levels of the city's plan stand above its items."""
    levels = "ด้านที่ ๒ – มหานครสีเขียว มิติที่ ๒.๓ - พื้นที่สีเขียว"
    items = [{**item, "dimension_name": None, "strategy": levels} for item in tables["result_list_items"]]
    return {**tables, "result_list_items": items}
