"""THE TABLE of the web console: its files, and what they ask beyond the Open API."""

from . import console, console_files, console_firmware, console_login
from .auth import anyone, user
from .console_login import operator
from .ota_orders import MAX_IMAGE
from .routes import Route

CONSOLE_ROUTES = (
    Route("GET", "/", console_files.index, anyone),
    Route("GET", "/web/{name}", console_files.file, anyone),
    Route("GET", "/console/about", console.about, anyone),
    Route("GET", "/console/log/{did}", console.log, user),
    Route("GET", "/console/qr/{did}", console.qr, user),
    # The operator's pages
    Route("POST", "/console/operator", console_login.login, anyone),
    Route("GET", "/console/operator/codes", console.codes, operator),
    Route("GET", "/console/operator/products", console.products, operator),
    Route("POST", "/console/operator/products", console.add_product, operator),
    Route("GET", "/console/operator/apps", console.apps, operator),
    Route("POST", "/console/operator/apps", console.add_app, operator),
    Route("GET", "/console/operator/devices", console.devices, operator),
    Route("GET", "/console/operator/qr/{did}", console.device_qr, operator),
    Route("GET", "/console/operator/firmware", console_firmware.firmware, operator),
    Route("POST", "/console/operator/firmware", console_firmware.add, operator, MAX_IMAGE),
    Route("GET", "/console/operator/firmware/{id}", console_firmware.one, operator),
    Route("DELETE", "/console/operator/firmware/{id}", console_firmware.remove, operator),
    Route("GET", "/console/operator/firmware/{id}/devices", console_firmware.devices, operator),
    Route("POST", "/console/operator/firmware/{id}/trial", console_firmware.trial, operator),
    Route("POST", "/console/operator/firmware/{id}/rules", console_firmware.push, operator, console_firmware.MAX_RULE),
    Route("PUT", "/console/operator/rules/{id}", console_firmware.switch, operator),
    Route("GET", "/console/operator/firmware/{id}/result", console_firmware.result, operator),
)
