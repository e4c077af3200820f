"""Do the pushes of Chinese vendors prove who they are, once and lately, and do plates and persons stay out?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.decoding import Decoded, SourceContext
from connectors.formats import DECODERS, PUSHES
from connectors.parking import bolink, lpr, njytb, signing, tdznyun, ymzh
from connectors.parking.plates import names_a_car_or_person, payload_without_persons
from schemas.registers import ShareWindowChange

NOW = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
STAMP_S = int(NOW.timestamp()) - 8
SECRET = "k7-shared-with-the-vendor"
SOURCE = SourceContext(source="op-cn", received_at=NOW, zone=ZoneInfo("Asia/Shanghai"))


def body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def ymzh_body(**fields: Any) -> dict[str, Any]:
    message = {"ParkKey": "17", "AppId": "demo", "TimeStamp": str(STAMP_S * 1000), "Data": {"RemainingSpaces": 7}}
    return {**message, "Nonce": "90001", **fields}


def tdznyun_body(**fields: Any) -> dict[str, Any]:
    content = {"parkCode": "LUOHU/2P7", "plateNum": "粤B9ZZ12", "remainParkNum ": 58}
    message = {"pid": "9", "serviceName": "enterNotify", "timestamp": str(STAMP_S), "bizContent": content}
    return {**message, **fields}


UPDATE = {"park_id": "2001", "type": 1, "empty_plot": 32, "rand": "0.4407", "price_desc": "5元每小时"}


def signed(format_name: str, value: dict[str, Any]) -> bytes:
    module, field = {"ymzh": (ymzh, "Sign"), "bolink": (bolink, "sign"), "tdznyun": (tdznyun, "sign")}[format_name]
    return body({**value, field: module.sign(body(value), SECRET)})


BODY_SIGNED = [("ymzh", ymzh_body()), ("bolink", UPDATE), ("tdznyun", tdznyun_body())]


@pytest.mark.parametrize(("format_name", "value"), BODY_SIGNED)
def test_a_signed_body_is_good_and_any_change_of_it_is_not(format_name: str, value: dict[str, Any]) -> None:
    verify = PUSHES[format_name].verify
    good = signed(format_name, value)
    assert verify(good, {}, SECRET, NOW, 300) is None
    for name in value:
        changed = json.loads(good) | {name: "other"}
        assert verify(body(changed), {}, SECRET, NOW, 300) == "bad_signature", name
    assert verify(good, {}, SECRET + "x", NOW, 300) == "bad_signature"
    assert verify(good, {}, "", NOW, 300) == "bad_signature"
    assert verify(body(value), {}, SECRET, NOW, 300) == "missing_signature"


@pytest.mark.parametrize("format_name", ["ymzh", "bolink", "tdznyun"])
@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"\xff\xfe", b'{"sign":', b"[" * 100_000, b'{"Sign":null}'])
def test_what_cannot_be_read_is_not_signed(format_name: str, payload: bytes) -> None:
    assert PUSHES[format_name].verify(payload, {}, SECRET, NOW, 300) == "missing_signature"


@pytest.mark.parametrize(("format_name", "value"), [BODY_SIGNED[0], BODY_SIGNED[2]])
@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_good_signature_of_another_time_is_stale(format_name: str, value: dict[str, Any], seconds: int) -> None:
    good = signed(format_name, value)
    now = NOW + timedelta(seconds=seconds)
    assert PUSHES[format_name].verify(good, {}, SECRET, now, 300) == "stale_timestamp"
    assert PUSHES[format_name].verify(good, {}, SECRET, now, 900) is None


@pytest.mark.parametrize("stamp", [None, "soon", "17"])
def test_a_signed_message_without_a_readable_time_is_stale(stamp: str | None) -> None:
    assert PUSHES["ymzh"].verify(signed("ymzh", ymzh_body(TimeStamp=stamp)), {}, SECRET, NOW, 300) == "stale_timestamp"


def test_the_rule_of_ymzh_written_out() -> None:
    text = f'AppId=demo&Data={{"RemainingSpaces": 7}}&Nonce=90001&ParkKey=17&TimeStamp={STAMP_S * 1000}'
    digest = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    assert ymzh.sign(body(ymzh_body()), SECRET) == base64.b64encode(digest).decode().lower()


def test_the_rule_of_bolink_written_out() -> None:
    text = f"empty_plot=32&park_id=2001&price_desc=5元每小时&rand=0.4407&type=1&key={SECRET}"
    wanted = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    assert bolink.sign(body(UPDATE), SECRET) == wanted
    nested = b'{"data":{"state":1},"sign":""}'
    wanted = hashlib.md5(f'{{"state":1}}key={SECRET}'.encode(), usedforsecurity=False).hexdigest().upper()
    assert bolink.sign(nested, SECRET) == wanted


def test_the_rule_of_tdznyun_written_out() -> None:
    content = json.dumps(tdznyun_body()["bizContent"], ensure_ascii=False)
    text = f"bizContent={content}&pid=9&serviceName=enterNotify&timestamp={STAMP_S}&key={SECRET}"
    wanted = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    assert tdznyun.sign(body(tdznyun_body()), SECRET) == wanted


def test_options_replace_the_rule() -> None:
    options = {"sign_digest": "sha256", "sign_encoding": "hex", "sign_template": "{secret}{pid}{timestamp}{nothing}"}
    value = tdznyun_body()
    wanted = hashlib.sha256(f"{SECRET}9{STAMP_S}".encode()).hexdigest()
    assert tdznyun.verify(body({**value, "sign": wanted}), {}, SECRET, NOW, 300, options) is None
    assert tdznyun.verify(body({**value, "sign": wanted}), {}, SECRET, NOW, 300) == "bad_signature"
    with pytest.raises(msgspec.ValidationError):
        signing.rule_of(signing.Rule("md5", "hex", ""), {"sign_digest": "crc32"})


@pytest.mark.parametrize("format_name", ["lpr", "njytb"])
def test_a_signed_header_covers_the_body_and_the_time(format_name: str) -> None:
    verify = PUSHES[format_name].verify
    sent = b"service=parkingspace&parkid=7"
    header = signing.stamped_header(sent, SECRET, STAMP_S)
    assert verify(sent, {"X-Signature": header}, SECRET, NOW, 300) is None
    assert verify(sent, {"x-signature": f"t={STAMP_S}, v1=00, {header.split(',')[1]}"}, SECRET, NOW, 300) is None
    assert verify(sent + b" ", {"X-Signature": header}, SECRET, NOW, 300) == "bad_signature"
    moved = header.replace(str(STAMP_S), str(STAMP_S + 1))
    assert verify(sent, {"X-Signature": moved}, SECRET, NOW, 300) == "bad_signature"
    assert verify(sent, {"X-Signature": header}, "", NOW, 300) == "bad_signature"
    assert verify(sent, {"X-Signature": header}, SECRET, NOW + timedelta(hours=1), 300) == "stale_timestamp"
    assert verify(sent, {"X-Signature": header}, SECRET, NOW - timedelta(hours=1), 300) == "stale_timestamp"
    for bad in ("", "t=1", "v1=ab", "粤B12345", f"{header},t=5"):
        assert verify(sent, {"X-Signature": bad}, SECRET, NOW, 300) == "missing_signature"
    assert verify(sent, {}, SECRET, NOW, 300) == "missing_signature"
    assert verify(sent, {"X-Sig": header}, SECRET, NOW, 300, {"signature_header": "x-sig"}) is None


def test_one_message_has_one_replay_id_and_two_have_two() -> None:
    assert ymzh.replay_id(body(ymzh_body())) == "17:90001"
    assert ymzh.replay_id(body(ymzh_body(Nonce="90002"))) == "17:90002"
    assert ymzh.replay_id(body(ymzh_body(Nonce=None))) is None
    assert bolink.replay_id(body(UPDATE)) == bolink.replay_id(base64.b64encode(body(UPDATE))) == "2001:0.4407"
    one, two = signed("tdznyun", tdznyun_body()), signed("tdznyun", tdznyun_body(timestamp=str(STAMP_S + 1)))
    assert tdznyun.replay_id(one) == tdznyun.replay_id(one.replace(b', "', b',"'))
    assert tdznyun.replay_id(one) != tdznyun.replay_id(two)
    assert lpr.replay_id(b"a") == lpr.replay_id(b"a") != lpr.replay_id(b"b")
    assert [PUSHES[name].replay_id(b"no json") for name in ("ymzh", "bolink", "tdznyun")] == [None] * 3


def test_answers_are_the_vendors_own() -> None:
    assert ymzh.answer(True, "")[:2] == (200, b'{"code":200,"msg":"success"}')
    assert bolink.answer(True, "")[:2] == (200, b'{"state":1,"message":"success"}')
    assert tdznyun.answer(True, "")[:2] == (200, '{"code":200,"msg":"成功"}'.encode())
    for push in PUSHES.values():
        assert push.answer(False, "bad_signature")[0] == 401
        assert push.answer(False, "unavailable: Kafka is down")[0] == 503
        assert push.answer(False, "what else")[0] == 400
        assert "what else" in push.answer(False, "what else")[1].decode()
        assert push.answer(True, "")[2].startswith("application/json")


def test_base64_and_json_of_bolink_are_the_same_rows() -> None:
    def bare(decoded: Decoded) -> list[dict[str, Any]]:
        return [{**msgspec.to_builtins(row), "raw_ref": None} for row in decoded.rows]

    plain = bolink.decode(body(UPDATE), SOURCE)
    wrapped = base64.encodebytes(body(UPDATE))
    assert bare(bolink.decode(wrapped, SOURCE)) == bare(plain)
    assert len(plain.rows) == 1


def test_a_window_is_the_bay_and_the_time_whoever_parks_there() -> None:
    def window(**fields: str) -> ShareWindowChange:
        message = {"parkingLotId": "8", "parkingType": "5", "plateNumber": "苏A1Z345", "parkingCode": "A001"}
        times = {"startTime": "2026-11-24 8:30", "endTime": "2026-11-24 9:45"}
        (row,) = njytb.decode(body({**message, **times, **fields}), SOURCE).rows
        assert isinstance(row, ShareWindowChange)
        return row

    first = window()
    assert (first.start, first.end, first.entry_only, first.spaces, first.product) == (
        "08:30",
        "09:45",
        True,
        1,
        "hourly",
    )
    assert window(plateNumber="苏B99Z88").window_id == first.window_id
    others = [window(parkingCode="A002"), window(endTime="2026-11-24 10:00"), window(parkingLotId="9")]
    assert len({first.window_id, *(other.window_id for other in others)}) == 4
    assert first.window_id.startswith("A001:")


PLATES = st.builds(
    lambda province, letter, rest: province + letter + rest,
    st.sampled_from("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=5, max_size=6),
)
PLACES = [
    "plateNum",
    "remainParkNum ",
    "parkCode",
    "enterTime ",
    "memo",
    "ParkKey",
    "park_id",
    "parkid",
    "service",
    "type",
]
MESSAGES = st.dictionaries(st.sampled_from(PLACES), st.just("HERE"), min_size=1)


@pytest.mark.parametrize("format_name", sorted(PUSHES))
@settings(max_examples=40, deadline=None)
@given(
    plate=PLATES, fields=MESSAGES, around=st.sampled_from(["{}", "车牌{}入场", "http://x/{}.jpg", '{{"carNo":"{}"}}'])
)
def test_a_plate_is_nowhere_in_what_leaves_the_connector(
    format_name: str, plate: str, fields: dict[str, str], around: str
) -> None:
    filled = {name: around.format(plate) for name in fields}
    values: list[Any] = [
        {**ymzh_body(**filled), "Data": {"RemainingSpaces": 7, "AreaSpaces": [filled], "CarCardTypeSpaces": [filled]}},
        {**UPDATE, **filled},
        tdznyun_body(bizContent={"parkCode": "P", "remainParkNum": 5, **filled}),
        {"service": "parkingspace", "parkid": "7", "spaceLeft": 5, **filled},
        {"parkingLotId": "8", "parkingType": "5", "parkingCode": filled.get("memo", "A1"), **filled},
    ]
    for payload in [
        *(body(value) for value in values),
        json.dumps(values[2]).encode(),
        body(values[3])[:-1],
        json.dumps(values[2]).encode()[:-1],
        body(values[3]).decode().encode("gb18030")[:-1],
        body(values[3]).decode().encode("utf-16"),
        body(values[3]).decode().encode("utf-16-le"),
        base64.b64encode(body(values[1])),
        base64.b64encode(body(values[1])[:-1]),
    ]:
        decoded = DECODERS[format_name](payload, SOURCE)
        told = "".join(msgspec.json.encode(item).decode() for item in [*decoded.rows, *decoded.rejects])
        assert plate not in told
        assert all(item.raw_encoding == "utf-8" for item in decoded.rejects)
        if not payload.endswith(b"="):  # the base64 of bolink is text of no meaning to the other formats
            assert not names_a_car_or_person(told.replace("\\", ""))


@pytest.mark.parametrize(
    "text",
    [
        "粤B12345",
        "粤B·D12345",
        "粤BD12345",
        "粤Z1234港",
        "京A1234警",
        "WJ粤1234A",
        "使014578",
        "军A12345",
        "13812345678",
        "440303199001011234",
    ],
)
def test_what_looks_like_a_plate_a_phone_or_an_identity_number(text: str) -> None:
    assert names_a_car_or_person(f"x {text} y")


@pytest.mark.parametrize(
    "text",
    [
        "SLZX/1P11",
        "877538407917617152",
        "1708773681705596",
        "A001",
        "2026-11-24 10:30:05",
        "1709016268737",
        "罗湖A座",
        "card_临时车A",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not names_a_car_or_person(text)


def test_persons_are_removed_by_their_keys() -> None:
    sent = body(
        {"ownerName": "张三", "list": [{"手机": 1, "phone ": None, "spaces": 5}], "deep": {"IDCard": "x", "a": "b"}}
    )
    told = {"ownerName": "(removed)", "list": [{"手机": "(removed)", "phone ": None, "spaces": 5}]}
    assert json.loads(payload_without_persons(sent)) == {**told, "deep": {"IDCard": "(removed)", "a": "b"}}


def test_a_deep_message_is_cut_not_followed() -> None:
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    assert "(too deep)" in payload_without_persons(deep)
    assert [rejected.reason for rejected in lpr.decode(deep, SOURCE).rejects] == ["other_service"]
    assert [rejected.reason for rejected in lpr.decode(b"[" * 100_000, SOURCE).rejects] == ["too_deep"]


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=6), children, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("format_name", ["bolink", "lpr"])
@given(
    messages=st.lists(
        st.one_of(VALUES, st.fixed_dictionaries({"park_id": VALUES, "type": VALUES, "empty_plot": VALUES})),
        min_size=1,
        max_size=5,
    )
)
def test_every_message_of_an_array_is_a_row_or_a_reject(format_name: str, messages: list[Any]) -> None:
    assert DECODERS[format_name](body(messages), SOURCE).items == len(messages)


@given(areas=st.lists(VALUES, max_size=4), cards=st.lists(VALUES, max_size=4), total=VALUES)
def test_every_area_and_card_of_ymzh_is_accounted_for(areas: list[Any], cards: list[Any], total: Any) -> None:
    data = {"RemainingSpaces": total, "AreaSpaces": areas, "CarCardTypeSpaces": cards}
    assert ymzh.decode(body(ymzh_body(Data=data)), SOURCE).items == 1 + len(areas) + len(cards)  # no card has a name


@pytest.mark.parametrize("format_name", sorted(PUSHES))
@given(payload=st.binary(max_size=120))
def test_no_bytes_raise(format_name: str, payload: bytes) -> None:
    assert DECODERS[format_name](payload, SOURCE).items >= 1
    PUSHES[format_name].verify(payload, {}, SECRET, NOW, 300)
    PUSHES[format_name].replay_id(payload)


def test_long_garbage_keeps_its_beginning_and_no_half_of_a_plate() -> None:
    told = payload_without_persons(("x" * 32_760 + "粤B12345" + "y" * 100_000).encode())
    assert told.endswith("x (cut, 132767 characters)")
    assert "粤" not in told


def test_broken_json_loses_persons_too() -> None:
    told = payload_without_persons(
        '{"tel":"0755-1234","driver ":{"name":"王五"},"spaces":5,"owner_name": "张三'.encode()
    )
    assert told == '{"tel":(removed),"driver ":(removed)},"spaces":5,"owner_name": (removed)'
