"""A notice in, a CloudEvent or CAP out: valid by the rules of others, signed so that their libraries agree."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
import standardwebhooks
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.webhooks.cap import NAMESPACE, Issuer, Reference, written
from connectors.webhooks.message import Message, Number, Sending, identifier_of, message, referred
from schemas.alerts import AlertNotice, Change, Heartbeat
from schemas.signatures import SignatureError, headers, secret_of, verify

ROOT = Path(__file__).parents[3]
XSD = etree.XMLSchema(etree.parse(str(Path(__file__).parent / "cap12.xsd")))
AT = datetime(2023, 9, 7, 14, 0, 5, tzinfo=UTC)
ALERT = UUID("11111111-2222-5333-8444-555555555555")
ISSUER = Issuer(
    sender="citysense.luohu.example",
    name_zh="罗湖区",
    name_en="Luohu",
    area_code="440303",
    zone=ZoneInfo("Asia/Shanghai"),
)
NOTICE = AlertNotice(
    alert_id=ALERT,
    revision=3,
    change="updated",
    domain="water",
    kind="level",
    subject="布吉河 <3> & co",
    level=4,
    colour="red",
    certainty="observed",
    raised_at=AT - timedelta(minutes=9),
    at=AT,
    sentence_zh="布吉河水位 4.12 米,超过红色阈值 4.00 米。",
    sentence_en="Buji River is at 4.12 m, above the red threshold of 4.00 m.",
    detail={"level_m": 4.12, "threshold_m": 4.0},
)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def sending(form: str = "cap", references: tuple[Reference, ...] = (), **changed: Any) -> Sending:
    notice = msgspec.structs.replace(NOTICE, **changed)
    return Sending(
        delivery_id=UUID(int=7),
        kind="alert",
        endpoint="water-authority",
        form=form,
        identifier=identifier_of(notice.alert_id, notice.revision),
        references=references,
        notice=notice,
    )


def written_as(one: Sending) -> Message:
    return message(one, ISSUER, "https://ops.luohu.example/")


def cap_of(one: Sending) -> etree._Element:
    root = etree.fromstring(written_as(one).body)
    XSD.assertValid(root)
    return root


def text(root: etree._Element, path: str) -> str | None:
    found = root.findtext("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))
    return None if found is None else str(found)


EARLIER = (Reference(identifier=f"{ALERT}.1", at=AT - timedelta(minutes=9)),)


def test_a_red_alert_as_cap() -> None:
    root = cap_of(sending(references=EARLIER))
    assert text(root, "identifier") == f"{ALERT}.3"
    assert text(root, "sent") == "2023-09-07T22:00:05+08:00"
    assert (text(root, "status"), text(root, "msgType"), text(root, "scope")) == ("Actual", "Update", "Private")
    assert text(root, "references") == f"citysense.luohu.example,{ALERT}.1,2023-09-07T21:51:05+08:00"
    assert [text(root, f"info/{name}") for name in ("severity", "urgency", "certainty")] == [
        "Extreme",
        "Immediate",
        "Observed",
    ]
    languages = [info.findtext(f"{{{NAMESPACE}}}language") for info in root.findall(f"{{{NAMESPACE}}}info")]
    assert languages == ["zh-CN", "en-US"]
    assert text(root, "info/headline") == NOTICE.sentence_zh


@pytest.mark.parametrize(
    ("change", "references", "kind"),
    [
        ("raised", (), "Alert"),
        ("updated", (), "Alert"),  # who never had the first is alerted by the second
        ("updated", EARLIER, "Update"),
        ("raised", EARLIER, "Update"),  # begun again under the same id
        ("ended", EARLIER, "Cancel"),
    ],
)
def test_which_message_a_change_is(change: Change, references: tuple[Reference, ...], kind: str) -> None:
    root = cap_of(sending(references=references, change=change))
    assert text(root, "msgType") == kind
    assert (text(root, "references") is not None) == (kind != "Alert")
    if change == "ended":
        assert text(root, "info/responseType") == "AllClear"


def test_what_a_receiver_may_have_had_is_referred_to() -> None:
    assert referred([(1, 2), (2, 0), (3, 1)], "updated") == {1, 3}
    assert referred([(1, 0), (2, 0)], "updated") == set()
    assert referred([(1, 0), (2, 0)], "ended") == {2}
    assert referred([], "ended") == set()


def test_utc_is_written_as_cap_has_it() -> None:
    assert written(AT, ZoneInfo("UTC")) == "2023-09-07T14:00:05-00:00"
    assert written(AT, ZoneInfo("Asia/Shanghai")) == "2023-09-07T22:00:05+08:00"


texts = st.text(max_size=300)


@settings(max_examples=60)
@given(texts, texts, texts, st.sampled_from(["raised", "updated", "ended"]), st.integers(1, 4), st.booleans())
def test_whatever_is_said_cap_is_valid(zh: str, en: str, subject: str, change: Change, level: int, had: bool) -> None:
    references = EARLIER if had or change == "ended" else ()
    cap_of(sending(references=references, sentence_zh=zh, sentence_en=en, subject=subject, change=change, level=level))


def test_a_heartbeat_in_both_forms() -> None:
    beat = Heartbeat(at=AT, active=2, by_colour={"blue": 0, "yellow": 0, "orange": 1, "red": 1})
    one = msgspec.structs.replace(sending(), kind="heartbeat", notice=beat)
    root = cap_of(one)
    assert (text(root, "status"), text(root, "note")) == ("System", "active=2 blue=0 yellow=0 orange=1 red=1")
    event = json.loads(written_as(msgspec.structs.replace(one, form="cloudevent")).body)
    assert (event["type"], event["data"]["active"]) == ("citysense.heartbeat", 2)


@pytest.mark.parametrize(("kind", "status"), [("exercise", "Exercise"), ("test", "Test")])
def test_no_exercise_looks_like_an_alert(kind: Any, status: str) -> None:
    one = msgspec.structs.replace(sending(), kind=kind)
    assert text(cap_of(one), "status") == status
    event = json.loads(written_as(msgspec.structs.replace(one, form="cloudevent")).body)
    assert event["type"] == f"citysense.{kind}.updated"
    assert event["data"]["status"] == kind


def test_a_cloudevent_that_their_library_reads() -> None:
    sent = written_as(sending("cloudevent", references=EARLIER))
    found = from_structured_event(HTTPMessage(headers={"content-type": sent.content_type}, body=sent.body))
    assert found.get_id() == sent.message_id == str(UUID(int=7))
    assert found.get_type() == "citysense.alert.updated"
    assert found.get_subject() == str(ALERT)
    assert found.get_time() == AT
    assert found.get_extension("sequence") == "00000003"
    data: Any = found.get_data()
    assert (data["colour"], data["revision"], data["detail"]["level_m"]) == ("red", 3, 4.12)
    assert data["acknowledge_url"] == (
        f"https://ops.luohu.example/alerts/{ALERT}/acknowledgements?endpoint=water-authority"
    )
    assert data["references"] == [f"{ALERT}.1"]


def test_an_identifier_of_gb_t_35965_has_31_characters_and_beijing_time() -> None:
    number = Number(prefix="44030301200000"[:14], at=AT, serial=7)
    assert identifier_of(ALERT, 3, number) == "44030301200000_20230907220005_7"
    assert len(identifier_of(ALERT, 3, number)) == 31


@pytest.mark.parametrize("form", ["cloudevent", "cap"])
def test_the_same_bytes_in_every_attempt(form: str) -> None:
    assert written_as(sending(form, references=EARLIER)) == written_as(sending(form, references=EARLIER))


def test_the_signature_of_the_known_vector() -> None:
    found = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        [SECRET],
        b'{"test": 2432232314}',
    )
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-timestamp"] == "1614265330"


def test_the_zone_in_which_a_time_is_written_changes_nothing() -> None:
    beijing = AT.astimezone(timezone(timedelta(hours=8)))
    assert headers("one", beijing, [SECRET], b"{}") == headers("one", AT, [SECRET], b"{}")
    with pytest.raises(ValueError, match="zone"):
        headers("one", AT.replace(tzinfo=None), [SECRET], b"{}")


def test_the_python_library_verifies_ours_and_ours_theirs() -> None:
    old, new = secret_of(b"o" * 24), secret_of(b"n" * 32)
    body = written_as(sending("cloudevent")).body
    now = datetime.now(UTC)
    signed = headers("id-1", now.astimezone(ZoneInfo("Asia/Shanghai")), [new, old], body)
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(body, signed)["subject"] == str(ALERT)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret_of(b"x" * 24)).verify(body, signed)
    theirs = {
        "webhook-id": "id-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(old).sign("id-1", now, body.decode()),
    }
    assert verify(theirs, [new, old], body, now) == "id-1"


def test_the_npm_library_verifies_ours(tmp_path: Path) -> None:
    body = written_as(sending("cloudevent")).body
    signed = headers("id-1", datetime.now(UTC), [secret_of(b"n" * 32), SECRET], body)
    case = {"headers": signed, "body": body.decode(), "secret": SECRET, "wrong": secret_of(b"x" * 32)}
    script = """
        const { Webhook } = require("standardwebhooks");
        const c = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const event = new Webhook(c.secret).verify(c.body, c.headers);
        let refused = false;
        try { new Webhook(c.wrong).verify(c.body, c.headers); } catch { refused = true; }
        console.log(JSON.stringify({ subject: event.subject, refused }));
    """
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps(case), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"subject": str(ALERT), "refused": True}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-timestamp": "soon"}, "no number"),
        ({"webhook-timestamp": "-5"}, "no number"),
        ({"webhook-timestamp": str(int(AT.timestamp()) - 301)}, "301 s old"),
        ({"webhook-timestamp": str(int(AT.timestamp()) + 301)}, "301 s ahead"),
        ({"webhook-signature": "v1a,xxxx"}, "no v1 signature"),
        ({"webhook-signature": "v1,AAAA"}, "no signature is that"),
        ({"webhook-signature": "v1,é"}, "no signature is that"),
        ({"webhook-id": "id-2"}, "no signature is that"),
    ],
)
def test_what_is_not_believed(changed: dict[str, str], says: str) -> None:
    signed = headers("id-1", AT, [SECRET], b"{}") | changed
    with pytest.raises(SignatureError, match=re.escape(says)):
        verify(signed, [SECRET], b"{}", AT)


def test_another_body_is_not_believed() -> None:
    with pytest.raises(SignatureError):
        verify(headers("id-1", AT, [SECRET], b"{}"), [SECRET], b"{ }", AT)
