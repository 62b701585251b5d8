"""The web console in a real browser: what a person does, and a picture of every page, on a desk and on a phone."""

import json
import re

import pytest
from localcloud.certificate import make_certificate
from localcloud.console_login import set_password
from localcloud.store.codes import SentCode
from playwright.sync_api import expect
from testkit.browser import DESK, PHONE, WAIT_MS, chromium, page_of, wait_for_notice
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_SECRET, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

from gagent import wire
from mcu_proto.datapoint import Schema

pytestmark = pytest.mark.chromium

SCHEMA = Schema.from_definition(LAMP)
MAC = "021122334455"
PASSWORD = "Secret-word1"
OPERATOR = "Operator-word1"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("console")) as running:
        running.do(_prepare(running.cloud))
        yield running


async def _prepare(cloud):
    set_password(cloud.store, OPERATOR)


@pytest.fixture
def page(cloud, browser):
    with page_of(browser, "http://127.0.0.1:%d" % cloud.cloud.http_port, DESK) as opened:
        yield opened
        assert opened.complaints == []


def _sign_up(page, name):
    page.goto("/#/login/new")
    _make_account(page, name)
    page.wait_for_selector("h1:text('Devices')")


def _make_account(page, name):
    # The page before has a field of that name too.
    page.wait_for_selector("h1:text('New account')")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("text=Make account")


def _add(page, did):
    page.goto("/#/add")
    page.fill("#did", did)
    page.fill("#passcode", PASSCODE)
    page.click("button.plain:text('Add')")
    page.click("#devices [data-did='%s']" % did)
    page.wait_for_selector("#attr-power")


def _be_operator(page):
    page.goto("/#/operator")
    page.fill("#password", OPERATOR)
    page.click("button:text('Log in')")
    page.wait_for_selector("#codes")


def _report(device, **values):
    device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"mode": "warm", **values})))


def _command(device):
    topic, payload = device.heard.get(timeout=PATIENCE_S)
    assert topic.startswith("app2dev/")
    return SCHEMA.decode_control(wire.decode(payload).p0)


def test_a_person_makes_an_account_logs_out_and_in(page):
    page.goto("/")
    page.click("text=Make an account")
    _sign_up(page, "anna")
    page.click("text=Log out")
    page.fill("#name", "anna")
    page.fill("#password", "Wrong-word1")
    page.click("button:text('Log in')")
    wait_for_notice(page, "bad: ")
    page.fill("#password", PASSWORD)
    page.click("button:text('Log in')")
    page.wait_for_selector("text=No device is bound")


def test_logging_out_shows_the_login_page_once(page):
    _sign_up(page, "lena")
    page.evaluate(
        """() => {
            window.shown = 0;
            const count = () => { window.shown += 1; };
            new MutationObserver(count).observe(document.getElementById("page"), { childList: true });
        }"""
    )
    page.click("text=Log out")
    page.wait_for_selector("#name")
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert page.evaluate("window.shown") == 1


def test_a_page_of_its_own_is_asked_for_without_a_login_and_the_login_comes_first(page):
    page.goto("/#/devices")
    page.wait_for_selector("#name")


def test_the_status_on_the_page_follows_the_device(cloud, page):
    did = cloud.register(MAC)
    _sign_up(page, "berta")
    _add(page, did)
    page.wait_for_selector(".state:text('offline')")
    with mqtt_device(cloud, did):
        page.wait_for_selector(".state.on:text('online')")
        page.goto("/#/devices")
        page.wait_for_selector("#devices .state.on")
    page.wait_for_selector("#devices .state:not(.on)")


def test_a_list_of_devices_that_comes_late_does_not_take_the_place_of_the_page_opened_meanwhile(cloud, page):
    mac = "02112233445d"
    did = cloud.register(mac)
    _sign_up(page, "mona")
    user = page.evaluate("JSON.parse(localStorage.getItem('localcloud.user'))")
    wait_until(lambda: user["uid"] in cloud.do(_listeners(cloud.cloud)))
    held = []
    page.route("**/app/bindings?*", lambda route: held.append(route))
    # The page hears of it and asks for the list again.
    with page.expect_request("**/app/bindings?*"):
        cloud.bind(user["token"], mac)
    page.goto("/#/device/" + did)
    page.wait_for_selector("#attr-power")
    with page.expect_response("**/app/bindings?*"):
        held[0].continue_()
    _let_answers_be_shown(page)
    assert page.is_visible("#attr-power")


def test_a_device_that_comes_late_does_not_take_the_place_of_the_page_opened_meanwhile(cloud, page):
    did = cloud.register("02112233445e")
    _sign_up(page, "nora")
    _add(page, did)
    page.goto("/#/add")
    page.wait_for_selector("#code")
    held = []
    page.route("**/app/devices/" + did, lambda route: held.append(route))
    with page.expect_request("**/app/devices/" + did):
        page.goto("/#/device/" + did)
    page.goto("/#/add")
    page.wait_for_selector("#code")
    with page.expect_response("**/app/devices/" + did):
        held[0].continue_()
    _let_answers_be_shown(page)
    assert page.is_visible("#code")


def test_devices_are_listed_as_they_were_looked_for_last(cloud, page):
    did, other = cloud.register("02112233445f"), cloud.register("021122334460")
    _be_operator(page)
    page.goto("/#/operator/devices")
    page.wait_for_selector("#all-devices a")
    held = []
    page.route("**find=" + did, lambda route: held.append(route))
    with page.expect_request("**find=" + did):
        page.fill("#find", did)
    page.fill("#find", other)
    page.wait_for_selector("#all-devices a[href$='%s']:only-child" % other)
    with page.expect_response("**find=" + did):
        held[0].continue_()
    _let_answers_be_shown(page)
    shown = page.locator("#all-devices a")
    assert [link.get_attribute("href") for link in shown.all()] == ["#/operator/devices/" + other]


def _let_answers_be_shown(page):
    """What was answered before this is drawn then, if it ever is."""
    page.evaluate("fetch('/console/about').then((answer) => answer.text())")


async def _listeners(cloud):
    """The users who are logged in to the WebSocket API."""
    return [session.uid for session in cloud.websocket._serving]


def test_every_control_sends_what_it_shows_and_shows_what_the_device_reports(cloud, page):
    did = cloud.register("021122334456")
    _sign_up(page, "carla")
    _add(page, did)
    with mqtt_device(cloud, did) as device:
        page.wait_for_selector(".state.on")
        page.check("#attr-power")
        assert _command(device) == {"power": True}
        page.select_option("#attr-mode", "night")
        assert _command(device) == {"mode": "night"}
        page.fill("#attr-level", "12.5")
        page.press("#attr-level", "Enter")
        assert _command(device) == {"level": 12.5}
        page.fill("#attr-scene", "0a0b")
        page.click("button:text('Set')")
        assert _command(device) == {"scene": b"\x0a\x0b\0\0"}
        _report(device, power=True, mode="warm", level=50, scene=b"\1\2\3\4", heat=21)
        page.wait_for_selector("#attr-heat:text('21')")
        assert page.is_checked("#attr-power")
        assert page.input_value("#attr-mode") == "warm"
        assert page.input_value("#attr-scene") == "01020304"
        page.reload()
        page.wait_for_selector("#attr-heat:text('21')")
        assert page.input_value("#attr-level") == "50"


def test_over_https_the_page_listens_over_tls_too(browser, tmp_path):
    make_certificate(tmp_path, ["127.0.0.1"])
    with running_cloud(tmp_path) as cloud:
        did = cloud.register(MAC)
        url = "https://127.0.0.1:%d" % cloud.cloud.https_port
        with page_of(browser, url, DESK, ignore_https_errors=True) as page:
            _sign_up(page, "klara")
            _add(page, did)
            with mqtt_device(cloud, did) as device:
                page.wait_for_selector(".state.on")
                _report(device, heat=21)
                page.wait_for_selector("#attr-heat:text('21')")
            page.goto("/#/device/%s/share" % did)
            page.wait_for_selector("code:text('%s/')" % url)
            assert page.complaints == []


def test_a_control_for_a_device_that_is_offline_says_so_and_shows_the_old_state(cloud, page):
    did = cloud.register("021122334457")
    _sign_up(page, "dora")
    _add(page, did)
    page.click("#attr-power")
    wait_for_notice(page, "bad: ")
    page.wait_for_selector("#attr-power:not(:checked)")


def test_the_log_tells_in_words_what_crossed_the_cloud(cloud, page):
    did = cloud.register("021122334458")
    _sign_up(page, "emma")
    _add(page, did)
    page.goto("/#/device/%s/log" % did)
    with mqtt_device(cloud, did) as device:
        page.wait_for_selector("#log .line:has-text('online')")
        _report(device, level=12.5)
        page.wait_for_selector("#log .line:has-text('report'):has-text('level = 12.5')")


def test_what_the_cloud_tells_is_text_and_never_markup(cloud, page):
    did = cloud.register("021122334459")
    _sign_up(page, "frida")
    _add(page, did)
    page.goto("/#/device/%s/settings" % did)
    page.fill("#alias", "<img src=x onerror=document.title='taken'>")
    page.click("button:text('Rename')")
    page.wait_for_selector("h1:text('<img src=x')")
    assert page.title() == "localcloud"


def test_a_device_is_removed_from_the_account(cloud, page):
    did = cloud.register("02112233445a")
    _sign_up(page, "greta")
    _add(page, did)
    page.goto("/#/device/%s/settings" % did)
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("text=Remove from my account")
    page.wait_for_selector("text=No device is bound")


def test_a_scanned_code_of_the_operator_binds_the_device(cloud, page):
    did = cloud.register("02112233445b")
    _be_operator(page)
    page.goto("/#/operator/devices")
    page.fill("#find", did[:10])
    page.wait_for_selector("p:text-is('1 device')")
    page.click("#all-devices [href$='%s']" % did)
    content = page.inner_text("#content")
    page.wait_for_selector(".qr svg")
    # A phone's camera opens what the code says.
    page.goto(content)
    page.click("text=Make an account")
    _make_account(page, "hanna")
    page.click("button:text('Add') >> nth=0")
    page.wait_for_selector("#devices [data-did='%s']" % did)
    assert "code=" not in page.url


def test_a_code_that_no_sender_took_is_shown_to_the_operator(cloud, page):
    _be_operator(page)
    page.wait_for_selector("text=No code waits")
    cloud.do(_keep_code(cloud.cloud))
    page.wait_for_selector(".code:text('123456')")


async def _keep_code(cloud):

    cloud.store.codes.keep_sent(SentCode(1.0, "sms", "13800138000", "123456", "your code", 2**31 - 1))


def test_the_operator_adds_products_and_apps(cloud, page):
    _be_operator(page)
    page.goto("/#/operator/products")
    page.fill("#definition", "{")
    page.fill("#secret", PRODUCT_SECRET)
    page.click("button:text('Add')")
    wait_for_notice(page, "no JSON")
    page.set_input_files("#definition-file", ROOT / "tools" / "demo" / "heatpump.json")
    expect(page.locator("#definition")).to_have_value(re.compile("entities"), timeout=WAIT_MS)
    page.click("button:text('Add')")
    page.wait_for_selector("#products :text('22 attributes')")
    page.goto("/#/operator/apps")
    page.fill("#app-name", "phone")
    page.click("button:text('Add')")
    page.wait_for_selector("#apps :text('phone')")


def test_the_operator_comes_to_the_page_that_was_asked_for(page):
    page.goto("/#/operator/apps")
    page.fill("#password", OPERATOR)
    page.click("button:text('Log in')")
    page.wait_for_selector("#app-id")


def test_a_page_that_was_left_asks_no_more(page):
    page.clock.install()
    _be_operator(page)
    page.goto("/#/operator/apps")
    page.wait_for_selector("#app-id")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(10_000)
    _let_answers_be_shown(page)
    assert [url for url in asked if not url.endswith("/about")] == []


def test_a_wrong_operator_password_shows_nothing(page):
    page.goto("/#/operator")
    page.fill("#password", PASSWORD)
    page.click("button:text('Log in')")
    wait_for_notice(page, "bad: ")
    assert page.query_selector("#codes") is None


PAGES = {
    "login": ("/#/login", "#name"),
    "account": ("/#/login/new", "#name"),
    "devices": ("/#/devices", "#devices"),
    "add": ("/#/add", "#code"),
    "controls": ("/#/device/{did}", "#attr-heat:text('21')"),
    "log": ("/#/device/{did}/log", "#log .line"),
    "qr": ("/#/device/{did}/share", ".qr svg"),
    "settings": ("/#/device/{did}/settings", "#alias"),
    "codes": ("/#/operator", "#codes"),
    "all devices": ("/#/operator/devices", "#all-devices"),
    "products": ("/#/operator/products", "#products"),
    "apps": ("/#/operator/apps", "#app-id"),
}


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_has_its_picture_and_none_is_wider_than_the_screen(cloud, browser, tmp_path, viewport):
    mac = "0211223344%02x" % (viewport["width"] & 0xFF)
    did = cloud.register(mac)
    with (
        page_of(browser, "http://127.0.0.1:%d" % cloud.cloud.http_port, viewport) as page,
        mqtt_device(cloud, did) as d,
    ):
        _sign_up(page, "ida" + mac)
        _add(page, did)
        _report(d, power=True, heat=21)
        _be_operator(page)
        for name, (path, mark) in PAGES.items():
            page.goto(path.format(did=did))
            page.wait_for_selector(mark)
            picture = page.screenshot(path=tmp_path / (name + ".png"), full_page=True)
            # A page without content is a few kilobytes of one colour.
            assert len(picture) > 6000, name
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name
        assert page.complaints == []


def test_every_button_and_field_has_a_name_for_who_cannot_see_it(cloud, page):
    did = cloud.register("02112233445c")
    _sign_up(page, "jana")
    _add(page, did)
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, select, textarea, button, a")]
            .filter((e) => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
    )
    assert json.dumps(nameless) == "[]"
