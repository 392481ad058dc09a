"""The Thai texts of the data dictionary, and oddities of the portal in both languages."""

from typing import Final, NamedTuple

TABLES_TH: Final[dict[str, str]] = {
    "projects": "โครงการ หนึ่งแถวต่อหนึ่งโครงการ",
    "contacts": "ผู้ประสานงานของโครงการ เป็นข้อมูลส่วนบุคคล ไม่เผยแพร่ได้ด้วยการตั้งค่า publish_contacts",
    "project_strategies": "ระดับต่าง ๆ ของแผนพัฒนากรุงเทพมหานครที่โครงการสนับสนุน",
    "progress_reports": "รายงานความคืบหน้าของโครงการ ตามที่เว็บไซต์แสดงอยู่ในขณะนี้",
    "plan_steps": "ขั้นตอนตามแผนการดำเนินงานของโครงการ",
    "project_kpis": "ตัวชี้วัดที่โครงการสนับสนุน ตามที่แสดงในหน้าโครงการ",
    "project_kpi_quarters": "ผลรายไตรมาสของตัวชี้วัดเหล่านั้น",
    "kpis": "ตัวชี้วัด จากหน้าของตัวชี้วัดเอง",
    "kpi_quarters": "ผลรายไตรมาสของตัวชี้วัด พร้อมรายงานของไตรมาส",
    "result_list_items": "รายการในผลการปฏิบัติราชการประจำปีของหน่วยงาน",
    "result_list_quarters": "ผลรายไตรมาสของรายการในผลการปฏิบัติราชการ",
    "result_list_links": "โครงการและตัวชี้วัดที่รายการในผลการปฏิบัติราชการเชื่อมโยงไปถึง",
    "city_indicators": "ตัวชี้วัดการพัฒนาเมือง จากหน้าของตัวชี้วัดเอง",
    "city_indicator_strategies": "ระดับต่าง ๆ ของแผนพัฒนากรุงเทพมหานครที่ตัวชี้วัดเหล่านั้นวัดผล",
    "plan_vs_actual": "แผนเทียบกับผล ณ สิ้นเดือนของปีงบประมาณ คำนวณจากทั้งสองอย่าง",
    "agencies": "หน่วยงานที่อาจมีอยู่ และหน่วยงานที่หน้าเว็บแสดงรหัส คำนวณจากตารางอื่น",
    "changes": "ความเปลี่ยนแปลงทั้งหมดของทุกคืนที่เผยแพร่ คำนวณจากข้อมูลแต่ละคืน ไม่แสดงข้อความของผู้ติดต่อ",
    "red_flags": "รูปแบบที่ควรตั้งคำถาม แถวละหนึ่งเรื่อง คำนวณตามกฎใน pipeline/schema/red_flags.py",
    "project_overview": "ภาพรวมของแต่ละโครงการ โครงการละหนึ่งแถว คำนวณจากตารางอื่น",
    "pages": "หน้าเว็บที่ตรวจดูในแต่ละคืนและผลที่ได้ หน้าที่ไม่ได้ตรวจดูคงรุ่นเดิมไว้",
    "findings": "ข้อสังเกตเกี่ยวกับหน้าเว็บในแต่ละคืน",
}
"""What a row of each table is."""

COLUMNS_TH: Final[dict[str, str]] = {
    "Code of the agency: the first 4 digits of the indicator's code.": "รหัสหน่วยงาน: 4 หลักแรกของรหัสตัวชี้วัด",
    "Name of that agency, from the table agencies.": "ชื่อหน่วยงานนั้น จากตารางหน่วยงาน",
    "more or less: which is better, by the words of the unit, or null.": "more หรือ less: มากหรือน้อยจึงดี ตามคำในหน่วยนับ หรือว่าง",
    "Result by target; null where less is better or either is missing.": "ผลงานเทียบเป้าหมาย ว่างเมื่อน้อยจึงดีหรือขาดค่าใดค่าหนึ่ง",
    "The harvest that saw the change.": "รอบเก็บข้อมูลที่พบความเปลี่ยนแปลง",
    "Number of the change in its harvest, from 1.": "ลำดับของความเปลี่ยนแปลงในรอบนั้น เริ่มที่ 1",
    "Day of that harvest in Bangkok.": "วันที่ของรอบนั้นตามเวลากรุงเทพฯ",
    "Row concerned: the columns of its key as a JSON object.": "แถวที่เกี่ยวข้อง: คอลัมน์หลักเป็น JSON",
    "Project concerned.": "โครงการที่เกี่ยวข้อง",
    "Indicator concerned.": "ตัวชี้วัดที่เกี่ยวข้อง",
    "Agency concerned.": "หน่วยงานที่เกี่ยวข้อง",
    "added, removed or changed.": "added เพิ่ม, removed ลบ หรือ changed แก้ไข",
    "Column concerned; null where the whole row was added or removed.": "คอลัมน์ที่เกี่ยวข้อง ว่างเมื่อเพิ่มหรือลบทั้งแถว",
    "Value before; of a removed row a JSON object.": "ค่าเดิม ถ้าลบทั้งแถวเป็น JSON",
    "Value after; of an added row a JSON object.": "ค่าใหม่ ถ้าเพิ่มทั้งแถวเป็น JSON",
    "What the change means for an audit.": "ความหมายของความเปลี่ยนแปลงต่อการตรวจสอบ",
    "The finer meaning, where there is one.": "ความหมายที่ละเอียดขึ้น ถ้ามี",
    "portal, or parser where only our reading changed.": "portal เว็บไซต์เปลี่ยน หรือ parser เฉพาะการอ่านของเราเปลี่ยน",
    "Number of the flag of this rule and project, from 1.": "ลำดับของข้อสังเกตตามกฎและโครงการนั้น เริ่มที่ 1",
    "critical, major or minor.": "critical, major หรือ minor",
    "The harvest that saw the change, or first saw the record as it is now.": "รอบที่พบความเปลี่ยนแปลง หรือพบสภาพปัจจุบันครั้งแรก",
    "The rows that show it: a JSON list of tables and keys.": "แถวที่เป็นหลักฐาน: รายชื่อตารางและรหัสเป็น JSON",
    "What these rows say.": "ข้อความหรือค่าในแถวเหล่านั้น",
    "Title of the project.": "ชื่อโครงการ",
    "Name of the agency.": "ชื่อหน่วยงาน",
    "Fiscal year, Buddhist era.": "ปีงบประมาณ พ.ศ.",
    "Progress that the plan leads to by the day of the harvest.": "ความคืบหน้าตามแผน ณ วันที่เก็บข้อมูล",
    "Progress less planned: negative is behind plan.": "ความคืบหน้าลบด้วยแผน ค่าติดลบคือช้ากว่าแผน",
    "Latest day of a report.": "วันที่ล่าสุดของรายงาน",
    "Days from that day to the day of the harvest.": "จำนวนวันจากวันนั้นถึงวันที่เก็บข้อมูล",
    "Number of progress reports.": "จำนวนรายงานความคืบหน้า",
    "Whether any report names problems or obstacles.": "มีรายงานใดระบุปัญหาหรืออุปสรรคหรือไม่",
    "Number of steps in the plan.": "จำนวนขั้นตอนในแผน",
    "Sum of the steps' weights.": "ผลรวมน้ำหนักของขั้นตอน",
    "Number of indicators on the project's page.": "จำนวนตัวชี้วัดในหน้าโครงการ",
    "How many of them reached their target, of those where it can be computed.": "จำนวนตัวชี้วัดที่บรรลุเป้าหมาย นับเฉพาะที่คำนวณได้",
    "Budget received.": "งบประมาณที่ได้รับ",
    "Budget spent.": "งบประมาณที่ใช้ไป",
    "In how many harvests history of the project was rewritten.": "จำนวนรอบที่พบการแก้ไขประวัติของโครงการ",
    "Number of red flags.": "จำนวนข้อสังเกต",
    "Code of the project: 8 digits of the agency, hyphen, serial.": "รหัสโครงการ: รหัสหน่วยงาน 8 หลัก ขีด และเลขลำดับ",
    "Title of the project; titles repeat across districts and years.": "ชื่อโครงการ ชื่อซ้ำกันได้ระหว่างเขตและระหว่างปี",
    "Code of the agency: the first 8 digits of the project code.": "รหัสหน่วยงาน: 8 หลักแรกของรหัสโครงการ",
    "Name of the agency, without the mark of sub-offices (`** `).": "ชื่อหน่วยงาน ตัดเครื่องหมาย `** ` ของหน่วยงานย่อยออก",
    "Fiscal year, Buddhist era: 2563 runs from 2019-10-01 to 2020-09-30.": "ปีงบประมาณ พ.ศ.: 2563 คือ 1 ต.ค. 2562 ถึง 30 ก.ย. 2563",
    "The same fiscal year, Common Era (2563 is 2020).": "ปีงบประมาณเดียวกันในคริสต์ศักราช (2563 คือ 2020)",
    "Progress of the project.": "ความคืบหน้าของโครงการ",
    "Score given by the Strategy and Evaluation Department.": "คะแนนที่สำนักยุทธศาสตร์และประเมินผล (สยป.) ให้",
    "First half of the unit pair: code of the responsible unit.": "ส่วนแรกของคู่รหัสส่วนราชการที่รับผิดชอบ",
    "Second half of the unit pair; equal to the first wherever seen.": "ส่วนหลังของคู่รหัสส่วนราชการ เท่ากับส่วนแรกทุกแห่งที่พบ",
    "Why the project is done.": "หลักการและเหตุผลของโครงการ",
    "Objectives of the project.": "วัตถุประสงค์ของโครงการ",
    "Targets of the project.": "เป้าหมายของโครงการ",
    "Budget received; only the newer front end prints it.": "งบประมาณที่ได้รับ แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "Budget spent; only the newer front end prints it.": "งบประมาณที่ใช้ไป แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "First day; only the newer front end prints it.": "วันเริ่มต้น แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "Last day; only the newer front end prints it.": "วันสิ้นสุด แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "Number of the governor's policy; only the newer front end prints it.": "หมายเลขนโยบายผู้ว่าฯ แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "Number of the branch; only the newer front end prints it.": "หมายเลขสาขา แสดงในหน้าเว็บรุ่นใหม่เท่านั้น",
    "Which of the city's two plans the level belongs to: both use the same numbers.": (
        "ระดับนี้อยู่ในแผนฉบับใดของกรุงเทพมหานคร: สองฉบับใช้เลขซ้ำกัน"
    ),
    "Number of the indicator: the `pid` of its page.": "หมายเลขตัวชี้วัด คือ `pid` ในที่อยู่ของหน้า",
    "The fiscal years in the page's title, as printed.": "ปีงบประมาณในหัวเรื่องของหน้า ตามที่แสดง",
    "The number before the name, in Arabic digits; need not be the indicator's.": (
        "หมายเลขหน้าชื่อเป็นเลขอารบิก อาจไม่ตรงกับหมายเลขตัวชี้วัด"
    ),
    "Unit, as printed inside the target's label.": "หน่วยนับ ตามที่แสดงในป้ายค่าเป้าหมาย",
    "Target, as printed: unit and number are mixed by hand.": "ค่าเป้าหมายตามที่แสดง: หน่วยและตัวเลขปะปนกัน",
    "What kind of data the indicator is.": "ลักษณะข้อมูลของตัวชี้วัด",
    "How the indicator is computed.": "วิธีการคำนวณหรือเกณฑ์การประเมิน",
    "Where its data come from, and who owns them.": "แหล่งข้อมูลและเจ้าของข้อมูล",
    "What the level is called on the page.": "ชื่อเรียกของระดับนั้นตามที่แสดง",
    "Name of the agency, as the portal prints it; null where no page seen has named it.": (
        "ชื่อหน่วยงานตามที่เว็บไซต์แสดง เป็นค่าว่างเมื่อยังไม่มีหน้าใดระบุชื่อ"
    ),
    "English name of the agency.": "ชื่อหน่วยงานภาษาอังกฤษ",
    "department, district or sub_office, by the code.": "ประเภทตามรหัส: department สำนัก district เขต sub_office หน่วยงานย่อย",
    "National code of the district, 1001 to 1050, by its name: the portal numbers districts in its own way.": (
        "รหัสเขตมาตรฐาน 1001 ถึง 1050 หาจากชื่อเขต เพราะเว็บไซต์ใช้เลขเขตของตนเอง"
    ),
    "Whether any page has shown a code of this agency.": "มีหน้าใดแสดงรหัสของหน่วยงานนี้แล้วหรือไม่",
    "Where the page was fetched from.": "ที่อยู่ของหน้าเว็บที่อ่านมา",
    "SHA-256 of the page's bytes as last served.": "ค่า SHA-256 ของไฟล์หน้าเว็บที่ได้รับครั้งล่าสุด",
    "Harvest that first saw this version of the record.": "รอบการเก็บข้อมูลที่พบข้อมูลรุ่นนี้เป็นครั้งแรก",
    "When the record was first seen.": "เวลาที่พบข้อมูลรายการนี้ครั้งแรก",
    "When this version of the record was first seen.": "เวลาที่พบข้อมูลรุ่นนี้ครั้งแรก",
    "When this version was first seen.": "เวลาที่พบข้อมูลรุ่นนี้ครั้งแรก",
    "When a harvest last confirmed this version.": "เวลาที่การเก็บข้อมูลยืนยันข้อมูลรุ่นนี้ครั้งล่าสุด",
    "Version of the parser that read the page.": "รุ่นของโปรแกรมที่แปลความหน้าเว็บ",
    "The whole line, as printed.": "ข้อความทั้งบรรทัดตามที่แสดง",
    "Names of people or of a unit.": "ชื่อบุคคลหรือชื่อฝ่าย",
    "Telephone numbers as printed, without `โทร.` and parentheses.": "หมายเลขโทรศัพท์ตามที่แสดง ตัด `โทร.` และวงเล็บออก",
    "Place in the printed list, from 1.": "ลำดับในรายการที่แสดง เริ่มจาก 1",
    "Depth in the plan, 1 to 4.": "ระดับในแผน 1 ถึง 4",
    "What level 1 is called in this generation of the plan.": "ชื่อเรียกของระดับที่ 1 ในแผนฉบับนั้น (ด้าน หรือ ยุทธศาสตร์)",
    "Code in Arabic digits, such as 1.4.1.1.": "รหัสเป็นเลขอารบิก เช่น 1.4.1.1",
    "Name, without dash and the stray % of the third level.": "ชื่อ ตัดขีดและเครื่องหมาย % ที่หลงมาในระดับที่สามออก",
    "English name, where level 1 prints one.": "ชื่อภาษาอังกฤษ หากระดับที่ 1 แสดงไว้",
    "Place counted from 1 at the oldest report, so that it does not move.": "ลำดับนับจากรายงานเก่าสุดเป็น 1 จึงไม่เลื่อน",
    "Number as printed: 1 is the newest, so it moves with every new report.": "หมายเลขตามที่แสดง: 1 คือล่าสุด จึงเลื่อนทุกครั้งที่มีรายงานใหม่",
    "Progress reported.": "ความคืบหน้าที่รายงาน",
    "Day in the report's heading.": "วันที่ในหัวรายงาน",
    "The one date typed at the head of the note; null where there is none.": "วันที่ที่เจ้าหน้าที่พิมพ์นำหน้าบันทึก ว่างหากไม่มี",
    "What was done, without the leading date.": "สิ่งที่ได้ดำเนินการ ไม่รวมวันที่นำหน้า",
    "Problems; null where the portal prints ไม่มี, - or nothing.": "ปัญหา ว่างหากเว็บไซต์แสดง ไม่มี, - หรือไม่แสดงอะไร",
    "Obstacles; null where the portal prints ไม่มี, - or nothing.": "อุปสรรค ว่างหากเว็บไซต์แสดง ไม่มี, - หรือไม่แสดงอะไร",
    "Number of the step.": "หมายเลขขั้นตอน",
    "What is to be done.": "สิ่งที่ต้องดำเนินการ",
    "Share of the step in the whole plan.": "น้ำหนักของขั้นตอนในแผนทั้งหมด",
    "Planned first day.": "วันเริ่มต้นตามแผน",
    "Planned last day; often the same as the first.": "วันสิ้นสุดตามแผน มักเป็นวันเดียวกับวันเริ่มต้น",
    "Code of the indicator; never padded or converted to a number.": "รหัสตัวชี้วัด ไม่เติมศูนย์และไม่แปลงเป็นตัวเลข",
    "Name of the indicator.": "ชื่อตัวชี้วัด",
    "Unit of target and result, as printed inside their labels.": "หน่วยนับของเป้าหมายและผลงาน ตามที่แสดงในป้ายชื่อ",
    "Target, in the indicator's unit.": "ค่าเป้าหมาย ตามหน่วยนับของตัวชี้วัด",
    "Overall result, in the indicator's unit; need not be the last quarter's.": "ผลงานรวม ตามหน่วยนับ ไม่จำเป็นต้องเท่ากับไตรมาสสุดท้าย",
    "Type of the indicator, as printed.": "ประเภทตัวชี้วัด ตามที่แสดง",
    "`output` or `outcome`.": "`output` คือระดับผลผลิต `outcome` คือระดับผลลัพธ์",
    "Quarter of the fiscal year, 1 (October) to 4 (September).": "ไตรมาสของปีงบประมาณ 1 (เริ่มตุลาคม) ถึง 4 (สิ้นสุดกันยายน)",
    "Result reported for the quarter, in the indicator's unit.": "ผลงานที่รายงานในไตรมาส ตามหน่วยนับของตัวชี้วัด",
    "Score of the quarter; the portal leaves it empty more often than not.": "คะแนนของไตรมาส เว็บไซต์มักเว้นว่างไว้",
    "First number of the evaluation pair (2.1).": "ตัวเลขแรกของคู่ผลประเมิน (2.1)",
    "Second number of the evaluation pair (2.2).": "ตัวเลขหลังของคู่ผลประเมิน (2.2)",
    "What the indicator means.": "นิยามหรือความหมายของตัวชี้วัด",
    "Summary of the year's work.": "สรุปผลการดำเนินงานทั้งปี",
    "The quarter's report, as printed.": "รายงานผลของไตรมาส ตามที่แสดง",
    "Code of the agency.": "รหัสหน่วยงาน",
    "The list: index101, 102, 103 are dimensions 1 to 3, index11 is by strategy.":
        "ชื่อรายการ: index101, 102, 103 คือมิติที่ 1 ถึง 3 ส่วน index11 จัดตามยุทธศาสตร์",
    "Number of the item.": "ลำดับรายการ",
    "What stands in brackets below the item's name.": "ข้อความในวงเล็บเหลี่ยมใต้ชื่อรายการ",
    "Dimension of performance.": "มิติของการปฏิบัติราชการ",
    "Name of the dimension, as the list prints it once.": "ชื่อมิติ ซึ่งรายการแสดงไว้ครั้งเดียว",
    "The first indicator that the item links to.": "ตัวชี้วัดแรกที่รายการเชื่อมโยงไปถึง",
    "The first project that the item links to.": "โครงการแรกที่รายการเชื่อมโยงไปถึง",
    "Strategy printed with the item.": "ยุทธศาสตร์ที่แสดงพร้อมรายการ",
    "Unit of target and result.": "หน่วยนับของเป้าหมายและผลงาน",
    "Target, in the unit.": "เป้าหมาย ตามหน่วยนับ",
    "Result, in the unit.": "ผลงาน ตามหน่วยนับ",
    "Text below the quarters that stands under no quarter's label.": "ข้อความใต้ตารางไตรมาสที่ไม่อยู่ใต้ป้ายของไตรมาสใด",
    "The list.": "ชื่อรายการ",
    "Place among the item's links, from 1.": "ลำดับของลิงก์ในรายการ เริ่มจาก 1",
    "project or kpi.": "project คือโครงการ kpi คือตัวชี้วัด",
    "Code of the project or indicator.": "รหัสโครงการหรือรหัสตัวชี้วัด",
    "Code of the project.": "รหัสโครงการ",
    "Last day of a month of the fiscal year.": "วันสุดท้ายของเดือนในปีงบประมาณ",
    "Progress that the plan's steps, by weight and dates, lead to by that day.": "ความคืบหน้าที่ควรได้ถึงวันนั้น ตามน้ำหนักและวันที่ในแผน",
    "Last progress reported on or before that day; null before the first report and for months not over yet.": (
        "ความคืบหน้าล่าสุดที่รายงานไม่เกินวันนั้น ว่างหากยังไม่มีรายงานหรือยังไม่สิ้นเดือน"
    ),
    "Reported less planned: negative is behind plan.": "ผลลบด้วยแผน: ค่าลบคือล่าช้ากว่าแผน",
    "The page: its kind and code.": "หน้าเว็บ: ประเภทและรหัส",
    "The harvest: its start in UTC.": "รอบการเก็บข้อมูล: เวลาเริ่มตามเวลาสากล (UTC)",
    "project, kpi, result_list, yii_project or city_indicator.": "project, kpi, result_list, yii_project หรือ city_indicator",
    "Code of the project, on pages of projects.": "รหัสโครงการ สำหรับหน้าโครงการ",
    "Code of the indicator, on pages of indicators.": "รหัสตัวชี้วัด สำหรับหน้าตัวชี้วัด",
    "new, changed, unchanged, not_found, blank, blocked, failed or skipped.": (
        "ผลที่ได้: ใหม่ เปลี่ยน ไม่เปลี่ยน ไม่พบ ว่าง ถูกปิดกั้น ล้มเหลว หรือข้ามไป"
    ),
    "The parser's verdict; null where nothing came.": "คำวินิจฉัยของโปรแกรมแปลความ ว่างหากไม่ได้รับอะไร",
    "Status of the answer; null where nothing came.": "รหัสสถานะ HTTP ของคำตอบ ว่างหากไม่ได้รับอะไร",
    "SHA-256 of the bytes served; null where nothing came.": "ค่า SHA-256 ของไฟล์ที่ได้รับ ว่างหากไม่ได้รับอะไร",
    "SHA-256 of the record's values; in harvests/ of new versions only.": "ค่า SHA-256 ของข้อมูลในรายการ ใน harvests/ มีเฉพาะรุ่นใหม่",
    "The first of the published harvests running with this outcome.": "รอบแรกของรอบที่เผยแพร่ติดต่อกันซึ่งได้ผลนี้",
    "The harvest that holds this version's rows.": "รอบการเก็บข้อมูลที่เก็บแถวของรุ่นนี้ไว้",
    "The harvest that holds the bytes of page_sha256.": "รอบการเก็บข้อมูลที่เก็บไฟล์ของ page_sha256 ไว้",
    "SHA-256 of the bytes last served with this record.": "ค่า SHA-256 ของไฟล์ล่าสุดที่มีข้อมูลรายการนี้",
    "The harvest that holds those bytes.": "รอบการเก็บข้อมูลที่เก็บไฟล์นั้นไว้",
    "The verdict of the page that gave this version.": "คำวินิจฉัยของหน้าเว็บที่ให้ข้อมูลรุ่นนี้",
    "Size of the bytes served.": "ขนาดของไฟล์ที่ได้รับ",
    "When the page was fetched in this harvest.": "เวลาที่อ่านหน้าเว็บในรอบนี้",
    "Why nothing came.": "เหตุที่ไม่ได้รับอะไร",
    "The quarter in the line of สยป.: a setting of the portal.": "ไตรมาสในบรรทัดของ สยป. ซึ่งเป็นการตั้งค่าของเว็บไซต์",
    "Progress that a project's page prints: its two pages may differ.": "ความคืบหน้าที่หน้าโครงการแสดง สองหน้าอาจแสดงไม่เท่ากัน",
    "Charset the bytes were read in.": "รหัสอักขระที่ใช้อ่านไฟล์",
    "Printed lines of the record's page that no rule read, at most 20.": "บรรทัดบนหน้าที่ไม่มีกฎใดอ่านได้ ไม่เกิน 20 บรรทัด",
    "Hash of what a suspect page says that has not replaced a whole version.": "ค่าแฮชของข้อมูลบนหน้าที่น่าสงสัย "
    "ซึ่งยังไม่แทนที่ฉบับสมบูรณ์",
    "How many harvests running it said so.": "จำนวนครั้งติดต่อกันที่หน้านั้นแสดงข้อมูลเดียวกันนี้",
    "How many harvests running the portal said not found or blank.": "จำนวนรอบติดต่อกันที่เว็บไซต์ตอบว่าไม่พบหรือว่าง",
    "When the record ended: the second miss running.": "เวลาที่ถือว่ารายการสิ้นสุด: ไม่พบสองรอบติดต่อกัน",
    "Where the record's page came from, where a redirect led elsewhere.": "ที่อยู่ที่หน้าเว็บของรายการนี้มาจริง เมื่อถูกส่งต่อไปที่อื่น",
    "The server's validator of the record's bytes.": "ค่า ETag จากเครื่องแม่ข่าย",
    "The server's date of the record's bytes.": "วันที่ของไฟล์จากเครื่องแม่ข่าย",
    "The harvest.": "รอบการเก็บข้อมูล",
    "The page.": "หน้าเว็บ",
    "Number of the finding on its page, from 1.": "ลำดับข้อสังเกตในหน้านั้น เริ่มจาก 1",
    "Name of the rule.": "ชื่อกติกา",
    "note, warning or error.": "ระดับ: ข้อสังเกต คำเตือน หรือข้อผิดพลาด",
    "Table concerned.": "ตารางที่เกี่ยวข้อง",
    "Row concerned.": "แถวที่เกี่ยวข้อง",
    "Column concerned.": "คอลัมน์ที่เกี่ยวข้อง",
    "What the page printed.": "ข้อความที่หน้าเว็บแสดง",
    "What is odd.": "สิ่งที่ผิดสังเกต",
}  # fmt: skip
"""English description of a column → the same in Thai."""

UNITS_TH: Final[dict[str, str]] = {"percent": "ร้อยละ", "baht": "บาท", "days": "วัน", "year": "ปี"}

TYPES: Final[dict[str, tuple[str, str]]] = {
    "string": ("text", "ข้อความ"),
    "int": ("whole number", "จำนวนเต็ม"),
    "float": ("number", "จำนวน"),
    "bool": ("true or false", "จริงหรือเท็จ"),
    "date": ("day", "วันที่"),
    "instant": ("instant (UTC)", "เวลา (UTC)"),
}
"""What a type is called, in English and Thai."""


class Oddity(NamedTuple):
    """A property of the portal that can mislead readers of the tables. where: a table or column, or `*` for all texts"""

    where: str
    english: str
    thai: str


ODDITIES: Final = (
    Oddity(
        "projects.project_code",
        "A code alone does not identify a version: several hosts serve copies of the portal and show different values under "
        "one code. So a store has the pages of one host; `source_url` says which.",
        "รหัสอย่างเดียวระบุรุ่นของข้อมูลไม่ได้ เพราะมีหลายเครื่องให้บริการสำเนาของเว็บไซต์และแสดงค่าต่างกัน "
        "คลังข้อมูลหนึ่งจึงเก็บจากเครื่องเดียว ดู `source_url`",
    ),
    Oddity(
        "projects.project_code",
        "The serial is not unique across agencies and not in the order of years; districts have the portal's own numbers "
        "(5001 to 5050), not the national ones.",
        "เลขลำดับซ้ำกันได้ระหว่างหน่วยงานและไม่เรียงตามปี เขตใช้เลขของเว็บไซต์เอง (5001 ถึง 5050) ไม่ใช่รหัสเขตของประเทศ",
    ),
    Oddity(
        "projects.name",
        "Many projects in different districts or years have the same title. Join by code, never by name.",
        "ชื่อเดียวกันเป็นของหลายโครงการ ต่างเขตหรือต่างปี ให้เชื่อมตารางด้วยรหัส ไม่ใช่ด้วยชื่อ",
    ),
    Oddity(
        "projects.rationale",
        "A text may be a placeholder such as `ตามที่สำนักงาน ก.ก./สยป. กำหนด`; it is kept as printed.",
        "ข้อความอาจเป็นเพียงคำแทน เช่น `ตามที่สำนักงาน ก.ก./สยป. กำหนด` ซึ่งคงไว้ตามที่แสดง",
    ),
    Oddity(
        "progress_reports.report_no",
        "The portal counts reports from the newest, so every number changes with a new report; `report_index` counts from "
        "the oldest and does not change.",
        "เว็บไซต์นับรายงานจากล่าสุด หมายเลขจึงเลื่อนเมื่อมีรายงานใหม่ ส่วน `report_index` นับจากเก่าสุดและไม่เลื่อน",
    ),
    Oddity(
        "progress_reports.note_date",
        "Officers type the note's date by hand, in the Buddhist era: there can be none or several, in another order or era. "
        "Then it is null, the note keeps the typed text, and there is a finding. `reported_on_date` comes from the portal.",
        "เจ้าหน้าที่พิมพ์วันที่ในบันทึกเองเป็น พ.ศ. อาจไม่มี มีหลายวัน หรือสลับรูปแบบ "
        "กรณีนั้นค่าว่าง บันทึกคงข้อความเดิม และมีข้อสังเกต ส่วน `reported_on_date` เป็นวันที่ของระบบ",
    ),
    Oddity(
        "progress_reports",
        "Reports can be edited, removed or inserted later, without a mark on the page. `bma-progress diff` and `history` "
        "find that; these tables show the portal's current state.",
        "รายงานอาจถูกแก้ไข ลบ หรือแทรกภายหลังโดยไม่มีร่องรอยในหน้าเว็บ `bma-progress diff` และ `history` ค้นพบได้ ตารางนี้แสดงเฉพาะสภาพปัจจุบัน",
    ),
    Oddity(
        "plan_steps.end_date",
        "A step often begins and ends on one day, and steps are not always in the order of their dates.",
        "ขั้นตอนมักเริ่มและสิ้นสุดในวันเดียว และไม่ได้เรียงตามวันที่เสมอไป",
    ),
    Oddity(
        "project_kpis.unit",
        "Units are part of the labels, and some reverse the direction (`ลดลงร้อยละ`, `>ร้อยละ`): a higher result is not "
        "always a better one, and results of different units cannot be added.",
        "หน่วยนับอยู่ในป้ายชื่อ และบางหน่วยกลับทิศทาง (`ลดลงร้อยละ`, `>ร้อยละ`) ค่ามากกว่าจึงไม่ได้ดีกว่าเสมอไป และรวมค่าต่างหน่วยกันไม่ได้",
    ),
    Oddity(
        "project_kpi_quarters.score",
        "The score of a quarter is usually empty. Empty is a state of its own: it is null, never 0, and the evaluation pair "
        "beside it need not agree with it.",
        "คะแนนของไตรมาสมักว่าง ซึ่งเป็นสถานะหนึ่งต่างหาก จึงเป็นค่าว่าง ไม่ใช่ 0 และคู่ผลประเมินข้าง ๆ ไม่จำเป็นต้องตรงกัน",
    ),
    Oddity(
        "project_kpis.achieved_value",
        "The overall result need not be the last quarter's.",
        "ผลงานรวมไม่จำเป็นต้องเท่ากับผลของไตรมาสสุดท้าย",
    ),
    Oddity(
        "projects.evaluation_score",
        "The quarter printed beside the score is a setting of the whole portal on that day, not a fact of the project: it is "
        "in `pages.evaluation_quarter`. Nearly all pages of 2566 have no score.",
        "ไตรมาสที่แสดงข้างคะแนนเป็นการตั้งค่าของทั้งเว็บไซต์ในวันนั้น "
        "ไม่ใช่ข้อมูลของโครงการ จึงอยู่ใน `pages.evaluation_quarter` หน้าเว็บปี 2566 เกือบทั้งหมดไม่มีคะแนน",
    ),
    Oddity(
        "projects.budget_received_baht",
        "Only the newer front end prints budgets and dates of a project; where a project has no such page they are null, "
        "which does not mean that there is no budget.",
        "งบประมาณและวันเริ่ม–สิ้นสุดแสดงเฉพาะหน้าเว็บรุ่นใหม่ โครงการที่ไม่มีหน้าดังกล่าวจะเป็นค่าว่าง ซึ่งไม่ได้แปลว่าไม่มีงบประมาณ",
    ),
    Oddity(
        "result_list_items",
        "An agency's list is overwritten with another year's content under the same address. It prints no codes: they come "
        "from its links, where there are any.",
        "รายการของหน่วยงานถูกเขียนทับด้วยข้อมูลปีอื่นที่ที่อยู่เดิม และไม่แสดงรหัส รหัสได้จากลิงก์เท่าที่มี",
    ),
    Oddity(
        "project_strategies.name",
        "Pages mix two generations of the city's plan (`ด้านที่`, `ยุทธศาสตร์ที่`); their codes mean different things. "
        "`level_label` tells them apart.",
        "มีแผนของกรุงเทพมหานครสองฉบับปนกัน (`ด้านที่`, `ยุทธศาสตร์ที่`) รหัสจึงมีความหมายต่างกัน แยกได้ด้วย `level_label`",
    ),
    Oddity(
        "*",
        "Spelling is normalised only where computers write one Thai letter in several ways (sara am, `แ`), and in spaces; "
        "everything else, also Thai digits and mistakes, is as printed. The bytes as served are kept.",
        "ข้อความปรับเฉพาะตัวสะกดที่คอมพิวเตอร์เขียนได้หลายแบบ (สระอำ, `แ`) และช่องว่าง นอกนั้นรวมทั้งเลขไทยและคำผิดคงไว้ตามที่แสดง และเก็บไฟล์ต้นฉบับไว้",
    ),
)  # fmt: skip
