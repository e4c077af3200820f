"""How does the feed say no? RFC 9457 problem+json that tells what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

MEDIA_TYPE = "application/problem+json"
ADVICE = {
    304: "",
    400: "Mend the request as the detail says; /openapi.json describes every parameter.",
    404: "The files there are: /parking/v1/parking.json",
    405: "The feed is for reading: GET, HEAD and OPTIONS.",
    406: "Accept gzip, br or identity.",
    413: "Send no body: the feed is for reading.",
    429: "Ask again after Retry-After seconds. Files change once a minute; If-None-Match and the stream save calls.",
    431: "Send fewer or shorter headers.",
    500: "Ask again; if it stays, write to the contact in /parking/v1/system_information.json.",
    503: "Ask again after Retry-After seconds.",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    advice: str


def problem(status: int, detail: str) -> bytes:
    return msgspec.json.encode(
        Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, advice=ADVICE.get(status, ""))
    )


def headers(retry_after_s: int | None = None, **more: str) -> dict[str, str]:
    found: dict[str, Any] = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **more}
    if retry_after_s is not None:
        found["Retry-After"] = str(retry_after_s)
    return found
