"""What is a car park of the district called, in Chinese and English? Real roads of Luohu, houses that do not exist."""

from __future__ import annotations

from demo.draws import draw, pick

ROADS: dict[str, tuple[tuple[str, str], ...]] = {
    "440303001": (
        ("宝安南路", "Bao'an South Road"),
        ("红岭中路", "Hongling Middle Road"),
        ("桂园路", "Guiyuan Road"),
        ("松园路", "Songyuan Road"),
        ("解放西路", "Jiefang West Road"),
    ),
    "440303002": (
        ("黄贝路", "Huangbei Road"),
        ("沿河北路", "Yanhe North Road"),
        ("怡景路", "Yijing Road"),
        ("凤凰路", "Fenghuang Road"),
        ("深南东路", "Shennan East Road"),
    ),
    "440303003": (
        ("东门中路", "Dongmen Middle Road"),
        ("晒布路", "Shaibu Road"),
        ("湖贝路", "Hubei Road"),
        ("人民北路", "Renmin North Road"),
        ("乐园路", "Leyuan Road"),
    ),
    "440303004": (
        ("翠竹路", "Cuizhu Road"),
        ("田贝四路", "Tianbei 4th Road"),
        ("水贝二路", "Shuibei 2nd Road"),
        ("太宁路", "Taining Road"),
        ("文锦北路", "Wenjin North Road"),
    ),
    "440303005": (
        ("春风路", "Chunfeng Road"),
        ("嘉宾路", "Jiabin Road"),
        ("人民南路", "Renmin South Road"),
        ("向西路", "Xiangxi Road"),
        ("文锦南路", "Wenjin South Road"),
    ),
    "440303006": (
        ("笋岗东路", "Sungang East Road"),
        ("梨园路", "Liyuan Road"),
        ("宝岗路", "Baogang Road"),
        ("桃园路", "Taoyuan Road"),
        ("梅园路", "Meiyuan Road"),
    ),
    "440303007": (
        ("爱国路", "Aiguo Road"),
        ("太白路", "Taibai Road"),
        ("东湖路", "Donghu Road"),
        ("沙湾路", "Shawan Road"),
        ("布心路", "Buxin Road"),
    ),
    "440303008": (
        ("国威路", "Guowei Road"),
        ("仙桐路", "Xiantong Road"),
        ("罗沙路", "Luosha Road"),
        ("聚福路", "Jufu Road"),
        ("港莲路", "Ganglian Road"),
    ),
    "440303009": (
        ("东晓路", "Dongxiao Road"),
        ("独树路", "Dushu Road"),
        ("太白路", "Taibai Road"),
        ("金稻田路", "Jindaotian Road"),
        ("马山路", "Mashan Road"),
    ),
    "440303010": (
        ("清水河一路", "Qingshuihe 1st Road"),
        ("环仓路", "Huancang Road"),
        ("红岗路", "Honggang Road"),
        ("泥岗东路", "Nigang East Road"),
        ("银湖路", "Yinhu Road"),
    ),
}
_FIRST = (
    ("锦", "Jin"),
    ("翠", "Cui"),
    ("嘉", "Jia"),
    ("华", "Hua"),
    ("丽", "Li"),
    ("瑞", "Rui"),
    ("万", "Wan"),
    ("金", "Jin"),
    ("桂", "Gui"),
    ("松", "Song"),
    ("鸿", "Hong"),
    ("景", "Jing"),
    ("怡", "Yi"),
    ("百", "Bai"),
    ("宝", "Bao"),
    ("新", "Xin"),
    ("安", "An"),
    ("福", "Fu"),
)
_SECOND = (
    ("源", "yuan"),
    ("湖", "hu"),
    ("泰", "tai"),
    ("盛", "sheng"),
    ("庭", "ting"),
    ("馨", "xin"),
    ("茂", "mao"),
    ("岭", "ling"),
    ("城", "cheng"),
    ("峰", "feng"),
    ("苑", "yuan"),
    ("荣", "rong"),
    ("晖", "hui"),
    ("汇", "hui"),
    ("和", "he"),
    ("悦", "yue"),
)
_HOUSES = {
    "estate": (("花园", "Garden"), ("雅苑", "Court"), ("家园", "Homes"), ("新村", "Estate"), ("小区", "Residence")),
    "office": (("大厦", "Tower"), ("商务中心", "Business Centre"), ("国际大厦", "International Tower")),
    "mall": (("广场", "Plaza"), ("购物中心", "Shopping Centre"), ("商业城", "Shopping City")),
    "hotel": (("酒店", "Hotel"), ("大酒店", "Grand Hotel")),
    "hospital": (("医院", "Hospital"), ("社康中心", "Health Centre")),
    "school": (("学校", "School"), ("小学", "Primary School"), ("文化中心", "Culture Centre")),
    "market": (("批发市场", "Wholesale Market"), ("物流园", "Logistics Park")),
    "park": (("公园", "Park"), ("体育中心", "Sports Centre")),
}
_PARKING = {
    "underground": ("地下停车场", "underground car park"),
    "garage": ("停车楼", "multi-storey car park"),
    "surface": ("地面停车场", "car park"),
    "mechanical": ("立体车库", "mechanical garage"),
    "on_street": ("路边停车", "on-street parking"),
}


def name_of(number: int, use: str, kind: str, subdistrict: str, taken: set[str]) -> tuple[str, str, str, str]:
    """name_zh, name_en, address_zh, address_en. A name that is taken gets its road in front."""
    road_zh, road_en = pick(ROADS[subdistrict], "road", number)
    house = 1 + int(draw("house", number) * 180)
    park_zh, park_en = _PARKING[kind]
    first, second = pick(_FIRST, "first", number), pick(_SECOND, "second", number)
    last = pick(_HOUSES[use], "last", number)
    zh, en = f"{first[0]}{second[0]}{last[0]}", f"{first[1]}{second[1]} {last[1]}"
    if not {f"{zh}{park_zh}", f"{en} {park_en}"}.isdisjoint(taken):
        zh, en = f"{road_zh}{zh}", f"{en}, {road_en}"
    if not {f"{zh}{park_zh}", f"{en} {park_en}"}.isdisjoint(taken):
        zh, en = f"{zh}{house}号", f"{en} {house}"
    taken |= {f"{zh}{park_zh}", f"{en} {park_en}"}
    return f"{zh}{park_zh}", f"{en} {park_en}", f"罗湖区{road_zh}{house}号", f"{house} {road_en}, Luohu"
