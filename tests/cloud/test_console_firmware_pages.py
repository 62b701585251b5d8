"""The operator's firmware pages in a real browser: from a file to devices that run it, on a desk and on a phone."""

import csv
import os

import pytest
from localcloud.console_login import set_password
from localcloud.ota_signing import make_key
from testkit.browser import DESK, PHONE, chromium, page_of, wait_for_notice
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, mqtt_device, running_cloud

from gagent.firmware import KIND_MCU, build_progress
from gagent.wire import SERVICE_OTA_PROGRESS, encode_service

pytestmark = pytest.mark.chromium

OPERATOR = "Operator-word1"
HARD, OLD, NEW = "00000001", "00000001", "00000002"
MAC, OTHER_MAC = "AA0000000201", "AA0000000202"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def cloud(tmp_path):
    with running_cloud(tmp_path / "cloud") as running:
        set_password(running.cloud.store, OPERATOR)
        yield running


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(cloud, browser, request):
    with page_of(browser, "http://127.0.0.1:%d" % cloud.cloud.http_port, request.param) as opened:
        opened.width = request.param["width"]
        opened.goto("/#/operator")
        opened.fill("#password", OPERATOR)
        opened.click("button:text('Log in')")
        opened.wait_for_selector("#codes")
        yield opened
        assert opened.complaints == []


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "pump.bin"
    path.write_bytes(os.urandom(1_500_000))
    return path


def check(cloud, did, soft):
    """A device says what runs on its MCU and asks for more."""
    body = "passcode=%s&type=2&hard_version=%s&soft_version=%s" % (PASSCODE, HARD, soft)
    return cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body)


def add(page, image):
    page.goto("/#/operator/firmware")
    page.set_input_files("#image", image)
    page.fill("#hard", HARD)
    page.fill("#soft", NEW)
    page.click("button:text('Add')")
    page.wait_for_selector("h2:text('MCU firmware 00000002')")


def picture(page, path):
    """Taken, and no wider than the screen."""
    page.wait_for_selector("#notice:empty", state="attached")
    assert len(page.screenshot(path=path, full_page=True)) > 6000
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width


def test_the_operator_takes_an_image_from_the_file_to_the_devices(cloud, page, image, tmp_path):
    make_key(cloud.cloud.settings.data_dir)
    first, other = cloud.register(MAC), cloud.register(OTHER_MAC)
    for did in (first, other):
        check(cloud, did, OLD)
    add(page, image)
    assert page.is_hidden("button:text('Push')")
    page.wait_for_selector("text=No device was told yet")
    page.fill("#find", MAC)
    page.wait_for_selector("text=1 device may take it")
    page.click("button:text('Try')")
    page.wait_for_selector("text=on trial with " + first)
    assert check(cloud, first, OLD).status == 200
    check(cloud, first, NEW)
    page.wait_for_selector("[data-did='%s'] .state.on:text('done')" % first)
    page.fill("#percent", "100")
    page.fill("#versions", OLD)
    # All day long, whatever the time is now.
    page.fill("#from", "00:00")
    page.fill("#to", "00:00")
    page.fill("#addresses", OTHER_MAC)
    page.click("button:text('Push')")
    page.wait_for_selector("#rules :text('1 address')")
    with mqtt_device(cloud, other) as device:
        assert check(cloud, other, OLD).status == 200
        body = build_progress(40, KIND_MCU, HARD, NEW, "installing")
        device.publish(encode_service(SERVICE_OTA_PROGRESS, body), "cli2ser_req")
        page.wait_for_selector("[data-did='%s'] .percent:text('40 %%')" % other)
        assert "1 under way, 1 done" in page.inner_text("#counts")
        picture(page, tmp_path / "firmware.png")
    with page.expect_download() as download:
        page.click("text=Save as CSV")
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["mac"], row["state"], row["percent"]) for row in rows] == [
        (OTHER_MAC, "under way", "40"),
        (MAC, "done", "100"),
    ]
    page.click("#rules button:text('Stop')")
    page.wait_for_selector("#rules :text('stopped')")
    assert check(cloud, other, OLD).status == 404
    page.goto("/#/operator/firmware")
    page.wait_for_selector("#firmware :text('verified')")
    picture(page, tmp_path / "images.png")


def test_what_cannot_be_is_said_in_words_and_an_image_is_removed(cloud, page, image):
    add(page, image)
    page.goto("/#/operator/firmware")
    page.wait_for_selector("text=localcloud ota keygen")
    page.set_input_files("#image", image)
    page.fill("#hard", HARD)
    page.fill("#soft", NEW)
    page.click("button:text('Add')")
    wait_for_notice(page, "already")
    page.click("#firmware a")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("text=Remove this image")
    page.wait_for_selector("text=No firmware yet")
    assert cloud.cloud.store.firmware.all() == []


def test_what_a_device_says_is_text_and_never_markup(cloud, page, image):
    did = cloud.register(MAC)
    check(cloud, did, OLD)
    add(page, image)
    page.click("button:text('Try')")
    page.wait_for_selector("text=on trial with")
    assert check(cloud, did, OLD).status == 200
    with mqtt_device(cloud, did) as device:
        body = build_progress(1, KIND_MCU, HARD, NEW, "<img src=x onerror=document.title='taken'>")
        device.publish(encode_service(SERVICE_OTA_PROGRESS, body), "cli2ser_req")
        page.wait_for_selector("[data-did] :text('<img src=x')")
    assert page.title() == "localcloud"


def test_every_button_and_field_of_them_has_a_name_for_who_cannot_see_it(cloud, page, image):
    add(page, image)
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, select, textarea, button, a, progress")]
            .filter((e) => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim())
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert PRODUCT_KEY in page.inner_text("main")
