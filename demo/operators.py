"""Who runs the car parks, and how does each tell the city? One source a row; the counts add up to 313."""

from __future__ import annotations

from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

Fault = Literal["late", "frozen", "negative", "excess", "duplicate", "closed", "fault", "future", "missing"]


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """`faults` are those that its format can show; `pools` those that it reports beside the public one.

    `words` are its words for pools that a decoder does not know: of the shared one, where it counts that.
    """

    source: str
    decoder: str
    lots: int
    name_zh: str
    name_en: str
    path: str = ""  # of a polled feed, on the demo's port; pushes go to /push/<source>
    faults: tuple[Fault, ...] = ("late", "frozen")
    pools: tuple[str, ...] = ()
    words: dict[str, str] = {}

    @property
    def counts_shared(self) -> bool:
        return "shared" in self.words.values()

    @property
    def pushes(self) -> bool:
        return not self.path

    def ref(self, number: int, index: int) -> str:
        """What the operator calls its index-th lot (from 0), which is the district's lot `number`."""
        return _REFS[self.decoder].format(n=number, i=index + 1, uuid=uuid5(NAMESPACE_URL, f"demo/{number}"))


OPERATORS = (
    Operator(
        source="demo-hdb",
        decoder="hdb",
        lots=40,
        name_zh="罗湖城投停车",
        name_en="Luohu City Parking",
        path="/hdb/v1/transport/carpark-availability",
        faults=("late", "frozen", "negative", "excess", "duplicate", "future"),
        pools=("motorcycle",),
        words={"S": "shared"},
    ),
    Operator(
        source="demo-lta",
        decoder="lta",
        lots=30,
        name_zh="深交停车",
        name_en="Shenjiao Parking",
        path="/lta/ltaodataservice/CarParkAvailabilityv2",
        faults=("frozen", "negative", "missing"),
        words={"S": "shared"},
    ),
    Operator(
        source="demo-hongkong",
        decoder="hongkong",
        lots=20,
        name_zh="港联泊车",
        name_en="Ganglian Parking",
        path="/hongkong/v1/carpark-info-vacancy",
        faults=("late", "frozen", "closed", "missing"),
        pools=("disabled", "ev"),
        words={"privateCar/SHARED": "shared"},
    ),
    Operator(
        source="demo-hongkong-flat",
        decoder="hongkong-flat",
        lots=12,
        name_zh="口岸停车",
        name_en="Checkpoint Parking",
        path="/hongkong-flat/td/carpark/vacancy_all.json",
        faults=("late", "frozen", "closed", "missing"),
        pools=("disabled", "motorcycle"),
        words={"P/SHARED": "shared"},
    ),
    Operator(
        source="demo-parkapi-v3",
        decoder="parkapi-v3",
        lots=30,
        name_zh="万泊",
        name_en="Wanbo",
        path="/parkapi-v3/park-api/api/public/v3/parking-sites",
        faults=("late", "frozen", "excess", "closed", "missing"),
        pools=("disabled", "ev"),
    ),
    Operator(
        source="demo-parkapi-v1",
        decoder="parkapi-v1",
        lots=16,
        name_zh="东门商圈停车联盟",
        name_en="Dongmen Parking Alliance",
        path="/parkapi-v1/Luohu",
        faults=("frozen", "closed", "missing"),
    ),
    Operator(
        source="demo-datex2-record",
        decoder="datex2",
        lots=20,
        name_zh="鹏程停车",
        name_en="Pengcheng Parking",
        path="/datex2-record/clientPullService",
        faults=("late", "frozen", "negative", "closed", "duplicate"),
        words={"1": "shared"},
    ),
    Operator(
        source="demo-datex2-facility",
        decoder="datex2",
        lots=12,
        name_zh="红岭物业停车",
        name_en="Hongling Property Parking",
        path="/datex2-facility/clientPullService",
        faults=("late", "frozen", "closed", "fault"),
        words={"1": "shared"},
    ),
    Operator(
        source="demo-datex2-v3",
        decoder="datex2",
        lots=14,
        name_zh="清水河物流停车",
        name_en="Qingshuihe Logistics Parking",
        path="/datex2-v3/Parking_Status.xml",
        faults=("late", "frozen", "excess", "missing"),
        words={"1": "shared"},
    ),
    Operator(
        source="demo-npr",
        decoder="npr",
        lots=10,
        name_zh="春风停车",
        name_en="Chunfeng Parking",
        path="/npr/parkingdata/v2/dynamic/{ref}",
        faults=("late", "frozen", "closed", "missing"),
    ),
    Operator(
        source="demo-basel",
        decoder="opendatasoft",
        lots=8,
        name_zh="翠竹街道停车",
        name_en="Cuizhu Subdistrict Parking",
        path="/basel/api/explore/v2.1/catalog/datasets/100088/exports/json",
        faults=("frozen", "excess", "missing"),
    ),
    Operator(
        source="demo-ghent",
        decoder="opendatasoft",
        lots=8,
        name_zh="莲塘停车",
        name_en="Liantang Parking",
        path="/ghent/api/explore/v2.1/catalog/datasets/parking/records",
        faults=("late", "frozen", "closed", "excess", "missing"),
    ),
    Operator(
        source="demo-ngsi",
        decoder="ngsi-v2",
        lots=12,
        name_zh="智泊罗湖",
        name_en="Smart Luohu Parking",
        path="/ngsi/v2/entities",
        faults=("frozen", "negative", "closed", "fault"),
    ),
    Operator(
        source="demo-freiburg",
        decoder="freiburg",
        lots=14,
        name_zh="笋岗停车诱导",
        name_en="Sungang Parking Guidance",
        path="/freiburg/wfs/gdm_pls/gdm_plslive",
        faults=("frozen", "excess", "missing"),
    ),
    Operator(
        source="demo-karlsruhe",
        decoder="karlsruhe",
        lots=14,
        name_zh="布心停车",
        name_en="Buxin Parking",
        path="/karlsruhe/geoserver/TBA/ows",
        faults=("frozen", "closed", "fault", "missing"),
    ),
    Operator(
        source="demo-ymzh",
        decoder="ymzh",
        lots=20,
        name_zh="壹码智行",
        name_en="Yima Parking",
        faults=("frozen", "negative", "duplicate"),  # its stamp is signed: a wrong one would be turned away
        words={"共享车A": "shared"},
    ),
    Operator(
        source="demo-bolink",
        decoder="bolink",
        lots=12,
        name_zh="泊联",
        name_en="Bolian",
        faults=("frozen", "negative", "closed", "missing"),
    ),
    Operator(
        source="demo-tdznyun",
        decoder="tdznyun",
        lots=12,
        name_zh="泰德智能",
        name_en="Taide Intelligent",
        faults=("late", "frozen", "duplicate", "missing"),
    ),
    Operator(
        source="demo-lpr",
        decoder="lpr",
        lots=9,
        name_zh="车牌识别联网",
        name_en="Camera Network",
        faults=("late", "frozen", "negative", "future"),
    ),
)
BY_SOURCE = {operator.source: operator for operator in OPERATORS}
SHARING = "demo-njytb"  # sends windows of shared bays, counts nothing

_REFS = {
    "hdb": "LH{i:02d}",
    "lta": "{i}",
    "hongkong": "{n}",
    "hongkong-flat": "tdc{n}p1",
    "parkapi-v3": "12:{n}",
    "parkapi-v1": "luohu-{n}",
    "datex2": "P{n}",
    "npr": "{uuid}",
    "opendatasoft": "lot-{n}",
    "ngsi-v2": "urn:ngsiv2:OffStreetParking:P{n:03d}",
    "freiburg": "{i}",
    "karlsruhe": "{i}",
    "ymzh": "1708770000000{n:03d}",
    "bolink": "{n:04d}",
    "tdznyun": "LH/{i}P1",
    "lpr": "20210{n:03d}",
}
