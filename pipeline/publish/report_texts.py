"""The Thai texts of the audit report, for the keys of `pipeline.compare.classify`."""

from typing import Final

MEANINGS_TH: Final[dict[str, str]] = {
    "report_removed": "ลบรายงานที่เคยเผยแพร่",
    "report_edited": "แก้ไขหรือแทรกรายงานย้อนหลัง",
    "result_restated": "แก้ผลงานของไตรมาสที่ผ่านมา",
    "progress_down": "ความคืบหน้าลดลง",
    "target_moved": "เปลี่ยนค่าเป้าหมาย",
    "plan_moved": "ปรับแผนการดำเนินงาน",
    "project_gone": "รายการหายไป",
    "project_back": "รายการกลับมา",
    "text_edited": "แก้ไขข้อความ",
    "contact_changed": "เปลี่ยนผู้ติดต่อ",
    "other": "การเปลี่ยนแปลงอื่น",
    "project_new": "รายการใหม่",
    "progress_up": "ความคืบหน้าเพิ่มขึ้น",
    "new_report": "รายงานใหม่ (ปกติ)",
}

DETAILS_TH: Final[dict[str, str]] = {
    "percent_rewritten": "แก้ร้อยละในรายงานเดิม",
    "date_rewritten": "แก้วันที่ในรายงานเดิม",
    "text_rewritten": "แก้ข้อความในรายงานเดิม",
    "report_inserted": "แทรกรายงานย้อนหลัง",
    "report_renumbered": "สลับลำดับรายงาน",
    "newest_report_removed": "ลบรายงานล่าสุด",
    "old_report_removed": "ลบรายงานเก่า",
    "percent_fell": "รายงานใหม่ต่ำกว่าครั้งก่อน",
    "jump_to_100": "เพิ่มเป็น 100 ช่วงสิ้นปีงบประมาณ",
    "moved_after_date": "ปรับแผนหลังพ้นกำหนดแล้ว",
    "dates_moved": "เลื่อนวันก่อนถึงกำหนด",
    "weight_changed": "เปลี่ยนน้ำหนักขั้นตอน",
    "step_added": "เพิ่มขั้นตอน",
    "step_removed": "ลดขั้นตอน",
    "step_renumbered": "สลับลำดับขั้นตอน",
    "target_lowered": "ลดค่าเป้าหมาย",
    "target_raised": "เพิ่มค่าเป้าหมาย",
    "target_set": "กำหนดค่าเป้าหมาย",
    "target_withdrawn": "ถอนค่าเป้าหมาย",
    "result_withdrawn": "ถอนผลงานไตรมาส",
    "result_reported": "รายงานผลไตรมาสครั้งแรก",
    "text_added": "เพิ่มข้อความ",
    "text_removed": "ลบข้อความ",
    "part_of_record": "ส่วนหนึ่งของรายการ",
    "budget_changed": "เปลี่ยนงบประมาณ",
    "evaluation_changed": "เปลี่ยนคะแนนประเมิน",
    "achievement_changed": "เปลี่ยนผลงานรวม",
    "progress_unreadable": "ความคืบหน้าปรากฏเพียงด้านเดียว",
    "indicator_linked": "เพิ่มตัวชี้วัด",
    "indicator_unlinked": "ถอนตัวชี้วัด",
    "strategy_changed": "เปลี่ยนยุทธศาสตร์",
    "list_changed": "เปลี่ยนรายการในบัญชีผล",
}

SEVERITIES_TH: Final[dict[str, str]] = {
    "critical": "แก้ไขประวัติย้อนหลัง",
    "major": "เป้าหมาย แผน และความคืบหน้าที่ต้องอธิบาย",
    "minor": "การแก้ไขอื่น",
    "normal": "การดำเนินงานปกติ",
    "parser": "โปรแกรมอ่านต่างไป เว็บไซต์ไม่ได้เปลี่ยน",
}
