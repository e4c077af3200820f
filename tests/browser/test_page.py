"""The public parking page as its visitors meet it: the real feed, a real database, a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from schemas.minute import LotMinute
from tests.browser.conftest import DESK, Feed, Visit
from tests.browser.district import HOSTILE, SILENT, city
from tests.browser.reading import ROWS, compact, of_kind, shown

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Visits = Callable[..., Visit]
Seen = tuple[dict[str, Any], tuple[LotMinute, ...]]


@pytest.fixture(scope="module")
def seen(feed: Feed, browser: Browser) -> Seen:
    """The rows of the page, and the minute that they show."""
    visit = Visit(browser.new_context(locale="zh-CN"), feed.url)
    rows = visit.open("/?lang=en").evaluate(ROWS)
    visit.context.close()
    return rows, feed.rows


def test_the_list_shows_every_lot_with_its_number_status_age_window_and_price(seen: Seen) -> None:
    rows, lots = seen
    assert len(rows) == 313
    for lot in lots:
        row = rows[lot.lot_id]
        assert row["figure"] == ("–" if lot.available is None else f"{lot.available:,}"), lot
        assert row["status"] == lot.status and f"sign-{lot.status}" in row["sign"] and row["word"]
        assert row["age"] and row["price"]
        assert "leave by 18:30" in row["share"], row["share"]


def test_unknown_is_a_dash_with_its_reason_and_never_a_zero(seen: Seen) -> None:
    rows, lots = seen
    words = {"expired": "data too old", "never_reported": "never reported", "flag_only": "only says whether"}
    for lot in of_kind(lots, lambda row: row.available is None):
        assert rows[lot.lot_id]["figure"] == "–"
        assert words[str(lot.reason)] in rows[lot.lot_id]["under"]
    for lot in of_kind(lots, lambda row: row.available == 0):
        assert rows[lot.lot_id]["figure"] == "0"


def test_stale_is_hatched_and_said_and_fresh_is_not(seen: Seen) -> None:
    rows, lots = seen
    for lot in of_kind(lots, lambda row: row.freshness == "stale"):
        assert rows[lot.lot_id]["hatched"] and "stale" in rows[lot.lot_id]["age"]
    for lot in of_kind(lots, lambda row: row.freshness == "fresh"):
        assert not rows[lot.lot_id]["hatched"]


def test_a_value_whose_source_gives_no_time_says_when_it_was_received(seen: Seen) -> None:
    rows, lots = seen
    for lot in of_kind(lots, lambda row: row.time_basis == "ingest"):
        assert rows[lot.lot_id]["age"].startswith("received ") and rows[lot.lot_id]["age"].endswith(" ago")


def test_a_search_finds_names_of_both_languages_and_measures_from_a_subdistrict(visit: Visits) -> None:
    page = visit().open()
    for text, expected in (("莲塘", "莲塘街道"), ("liantang", "莲塘街道")):
        page.fill("#q", text)
        rows = page.evaluate(ROWS)
        code = next(area.code for area in city().subdistricts if area.name_zh == expected)
        assert {lot.lot_id for lot in city().lots if lot.subdistrict_code == code} <= set(shown(rows))
        assert len(shown(rows)) < 313
        assert expected in page.inner_text("#from")
    lot = city().lots[4]
    page.fill("#q", lot.name_zh)
    assert lot.lot_id in shown(page.evaluate(ROWS))
    page.fill("#q", "no such place")
    assert shown(page.evaluate(ROWS)) == []
    assert "no such place" in page.inner_text("#none")


def test_the_language_is_switched_and_remembered(visit: Visits) -> None:
    found = visit()
    page = found.open()
    assert page.inner_text("h1") == "罗湖区停车" and page.get_attribute("html", "lang") == "zh-CN"
    page.click("#language")
    assert page.inner_text("h1") == "Luohu parking" and page.get_attribute("html", "lang") == "en"
    assert "Cuizhu" in page.inner_text("#list") and "Open data" in page.inner_text("#data")
    found.open("/")
    assert page.inner_text("h1") == "Luohu parking"
    found.open("/?lang=zh")
    assert page.inner_text("h1") == "罗湖区停车"


def test_the_map_draws_every_lot_by_shape_and_marks_the_stale(feed: Feed, visit: Visits) -> None:
    found = visit(DESK)
    page = found.open()
    found.map()
    script = """() => {
      const map = document.getElementById('map').maplibre;
      const drawn = map.queryRenderedFeatures({ layers: ['lots'] }).map((one) => one.properties)
        .map(({ id, icon }) => [id, icon]);
      const missing = drawn.filter(([, icon]) => !map.hasImage(icon));
      return { drawn: Object.fromEntries(drawn), missing };
    }"""
    found.until(f"() => Object.keys(({script})().drawn).length === 313", "every lot is drawn")
    result = page.evaluate(script)
    assert result["missing"] == []
    for lot in feed.rows:
        stale = "-stale" if lot.freshness == "stale" else ""
        assert result["drawn"][lot.lot_id] == f"{lot.status}{stale}"
    assert page.locator(".area-label").count() == 10
    signs = page.eval_on_selector_all(
        "#legend .sign path.body", "(paths) => paths.map((path) => path.getAttribute('d'))"
    )
    assert len(set(signs)) == 5, "each status has a shape of its own"


def test_a_lot_is_chosen_on_the_map_of_a_phone(visit: Visits) -> None:
    found = visit(has_touch=True)
    page = found.open("/?lang=en")
    assert not page.is_visible("#map-panel")
    page.click("#tab-map")
    found.map()
    assert not page.is_visible("#list")
    place = page.evaluate("""() => {
      const map = document.getElementById('map').maplibre;
      const one = map.queryRenderedFeatures({ layers: ['lots'] })[0];
      const at = map.project(one.geometry.coordinates);
      const box = map.getContainer().getBoundingClientRect();
      return { x: box.x + at.x, y: box.y + at.y };
    }""")
    page.touchscreen.tap(place["x"], place["y"])
    page.wait_for_selector("#chosen h3")
    name = page.inner_text("#chosen h3")
    page.click("#chosen .strong")
    assert page.inner_text(".lot.is-open .name") == name


def test_a_new_minute_comes_by_the_stream(feed: Feed, visit: Visits) -> None:
    found = visit()
    page = found.open("/?lang=en")
    found.until("() => document.querySelector('.of-link')?.dataset.link === 'live'", "the stream is read")
    before = page.evaluate(ROWS)
    rows = feed.publish()
    changed = of_kind(
        rows, lambda row: row.available is not None and before[row.lot_id]["figure"] != f"{row.available:,}"
    )
    lot = changed[0]
    wanted = f"{lot.available:,}"
    found.until(
        f"() => document.querySelector('[data-lot={lot.lot_id}] .figure').textContent === '{wanted}'", "the new number"
    )


def test_rows_keep_their_place_while_the_pointer_is_over_them(feed: Feed, visit: Visits) -> None:
    found = visit()
    page = found.open("/?lang=en")
    page.click("#arrival summary")
    page.click("#arrival-form .strong")
    page.wait_for_selector("#asked:not([hidden])")
    order = "() => [...document.querySelectorAll('.lot')].map((row) => row.dataset.lot)"
    verdicts = "() => [...document.querySelectorAll('.lot .usable')].map((row) => row.dataset.verdict)"
    ranked = {"yes": 0, "unknown": 1, "no": 2}

    def is_ranked() -> bool:
        ranks = [ranked[verdict] for verdict in page.evaluate(verdicts)]
        return ranks == sorted(ranks)

    assert is_ranked()
    page.hover(".lot:nth-child(3)")
    before, said = page.evaluate(order), page.evaluate(verdicts)
    feed.publish()
    found.until(f"() => JSON.stringify(({verdicts})()) !== '{compact(said)}'", "the answers of the new minute")
    assert page.evaluate(order) == before and not is_ranked()
    page.hover("#q")
    found.until(f"() => JSON.stringify(({order})()) !== '{compact(before)}'", "the new order")
    assert is_ranked()


def test_a_stream_that_is_cut_is_said_and_everything_is_grey_until_it_is_back(feed: Feed, visit: Visits) -> None:
    found = visit(DESK)
    page = found.open("/?lang=en")
    feed.kill()
    page.wait_for_selector("#banner:not([hidden])")
    found.until(r"() => /Stream cut, [1-9]\d* s/.test(document.getElementById('banner').textContent)", "seconds")
    assert "grayscale" in page.eval_on_selector("#list", "(list) => getComputedStyle(list).filter")
    assert all(row["hatched"] for row in page.evaluate(ROWS).values())
    feed.start()
    found.until("() => document.getElementById('banner').hidden", "the stream is back")
    assert page.eval_on_selector("#list", "(list) => getComputedStyle(list).filter") == "none"
    found.complaints.clear()  # the browser itself writes down each connection that was refused


def test_a_feed_that_answers_and_has_no_new_minute_stands_still(visit: Visits) -> None:
    script = """async (behindS) => {
      const { absence } = await import('/page/feed.js');
      const now = Date.now();
      return absence({ link: 'live', contactAt: now, lastUpdated: now - behindS * 1000 }, now);
    }"""
    page = visit().open()
    assert page.evaluate(script, 100) is None
    assert page.evaluate(script, 400) == {"kind": "still", "seconds": 340}


def test_where_the_data_cannot_be_read_the_served_table_stays(visit: Visits) -> None:
    found = visit()
    found.page.route("**/parking/v1/**", lambda route: route.abort())
    found.page.goto(f"{found.url}/en")
    found.page.wait_for_selector("#banner:not([hidden])")
    assert found.page.is_visible("#static") and found.page.locator("#static tbody tr").count() == 313
    found.complaints.clear()


def test_without_a_map_the_list_goes_on(visit: Visits) -> None:
    found = visit(DESK)
    found.page.route("**/maplibre-gl.mjs*", lambda route: route.abort())
    page = found.open("/?lang=en")
    found.until("() => document.getElementById('map-said').textContent.includes('cannot draw')", "it is said")
    assert len(page.evaluate(ROWS)) == 313
    found.complaints.clear()


def test_without_scripts_the_page_is_a_table(feed: Feed, visit: Visits) -> None:
    found = visit(java_script_enabled=False)
    page = found.page
    page.goto(f"{found.url}/?lang=en")
    assert page.locator("#static tbody tr").count() == 313 and not page.is_visible("#app")
    stale = of_kind(feed.rows, lambda row: row.freshness == "stale")[0]
    assert page.get_attribute(f"tr#{stale.lot_id}", "class") == "stale"
    unknown = of_kind(feed.rows, lambda row: row.freshness == "never")[0]
    assert page.inner_text(f"tr#{unknown.lot_id} .figure").split() == ["–", "never", "reported"]
    untimed = of_kind(feed.rows, lambda row: row.time_basis == "ingest")[0]
    assert "received 20 s ago" in page.inner_text(f"tr#{untimed.lot_id}")
    assert page.locator("#data a[href$='/lot_status.json']").count() == 1
    assert "CC-BY-4.0" in page.inner_text("#data")
    page.click("#language")
    assert page.inner_text("h1") == "罗湖区停车"


def test_a_name_cannot_become_a_script(visit: Visits) -> None:
    found = visit()
    page = found.open("/?lang=en")
    assert page.evaluate(ROWS)[city().lots[-1].lot_id]["name"] == HOSTILE
    assert page.locator("#list img, #static img").count() == 0
    policy = page.evaluate("() => fetch('/').then((answer) => answer.headers.get('Content-Security-Policy'))")
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_usable_at_arrival_is_asked_of_the_feed(feed: Feed, visit: Visits) -> None:
    page = visit().open("/?lang=en")
    page.click("#arrival summary")
    page.fill("#eta", f"{(feed.minute + timedelta(hours=8, minutes=20)):%Y-%m-%dT%H:%M}")
    page.select_option("#stay", "120")
    page.click("#arrival-form .strong")
    page.wait_for_selector("#asked:not([hidden])")
    assert "for 2 h" in page.inner_text("#asked")
    assert page.locator(".lot .usable:visible, .lot .usable:not([hidden])").count() == 313
    page.check("#only")
    rows = page.evaluate(ROWS)
    assert 0 < len(shown(rows)) < 313
    page.click("#arrival-clear")
    assert page.locator(".lot .usable:not([hidden])").count() == 0


def test_every_number_explains_itself_by_pointer_and_by_key(visit: Visits) -> None:
    page = visit().open("/?lang=en")
    page.hover(".lot:nth-child(1) .number")
    text = page.inner_text("#why")
    assert all(word in text for word in ("Source", "Published", "Rule")), text
    page.keyboard.press("Escape")
    assert not page.is_visible("#why")
    page.focus("#q")
    page.hover("#q")
    page.focus(".lot:nth-child(2) .name")
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.is_visible("#why") and "Rule" in page.inner_text("#why")


def test_the_list_is_walked_and_opened_by_keys(visit: Visits) -> None:
    page = visit().open("/?lang=en")
    page.focus(".lot:nth-child(1) .name")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement === document.querySelector('.lot:nth-child(2) .name')")
    page.keyboard.press("Enter")
    assert page.get_attribute(".lot:nth-child(2) .name", "aria-expanded") == "true"
    assert "Opening hours" in page.inner_text(".lot:nth-child(2) .about")
    page.keyboard.press("Enter")
    assert page.get_attribute(".lot:nth-child(2) .name", "aria-expanded") == "false"


def test_the_health_of_the_feed_is_one_line(feed: Feed, visit: Visits) -> None:
    found = visit()
    page = found.open("/?lang=en")
    found.until("() => document.querySelector('.of-sources')?.textContent !== ''", "quality.json is read")
    line = page.inner_text("#health")
    fresh = sum(row.freshness == "fresh" for row in feed.rows)
    assert f"1 silent: {SILENT}" in line and "fresh (" in line and "not known" in line
    assert fresh < 313
    page.hover("#health .of-fresh")
    assert "the aim is 95 %" in page.inner_text("#why")


def test_everything_that_acts_has_a_name_and_no_two_things_one_id(visit: Visits) -> None:
    found = visit(DESK)
    page = found.open("/?lang=en")
    found.map()
    page.click(".lot:nth-child(1) .name")
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, a[href], input, select')]
      .filter((one) => one.checkVisibility() && !(one.textContent.trim() || one.getAttribute('aria-label')
        || one.title || one.labels?.length)).map((one) => one.outerHTML.slice(0, 120))""")
    assert nameless == []
    twice = page.evaluate("""() => { const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
      return ids.filter((id, i) => ids.indexOf(id) !== i); }""")
    assert twice == []
    assert page.locator("main:visible").count() == 1 and page.locator("h1").count() == 1


@pytest.mark.parametrize(("width", "height"), [(360, 740), (683, 384), (1366, 768)])
def test_nothing_runs_out_of_the_screen(visit: Visits, width: int, height: int) -> None:
    page = visit((width, height)).open("/?lang=en")
    page.click(".lot:nth-child(2) .name")
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_print_has_every_lot_and_no_controls(visit: Visits) -> None:
    page = visit().open("/?lang=en")
    page.emulate_media(media="print")
    assert not page.is_visible("#map-panel") and not page.is_visible("#search")
    heights = page.eval_on_selector_all(".lot", "(rows) => rows.map((row) => row.getBoundingClientRect().height)")
    assert len(heights) == 313 and min(heights) > 20


def test_the_position_is_asked_for_only_when_somebody_wants_it(visit: Visits) -> None:
    found = visit(geolocation={"latitude": 22.5431, "longitude": 114.1101}, permissions=["geolocation"])
    found.page.add_init_script("""(() => { window.positions = 0;
      const ask = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation);
      navigator.geolocation.getCurrentPosition = (...all) => { window.positions += 1; ask(...all); }; })()""")
    page = found.open("/?lang=en")
    assert page.evaluate("() => window.positions") == 0
    page.click("#near")
    found.until("() => document.getElementById('from').textContent.includes('my position')", "measured from there")
    assert page.evaluate("() => window.positions") == 1
