// One device: its attributes with their controls, its log, its QR code, its name.

import { open } from "./api.js";
import { control, reading, words } from "./controls.js";
import { deviceLog } from "./log.js";
import { nameOf, stateOf } from "./devices.js";
import { doing, drawing, field, h, notice, tabs } from "./dom.js";
import { attrs as known, live } from "./live.js";

const TABS = { "": controls, log: deviceLog, share, settings };
const ALARMS = ["alert", "fault"];
// How long a control may look as if it were on its way.
const PATIENCE_MS = 5000;

export async function devicePage(show, did, tab = "") {
  const device = await open("GET", "/app/devices/" + encodeURIComponent(did));
  const state = stateOf(device);
  const root = "#/device/" + did;
  const body = h("div");
  const mayShare = ["special", "owner"].includes(device.role);
  const onStatus = (event) => { if (event.detail.did === did) state.set(event.detail.online); };
  live.addEventListener("status", onStatus);
  show(
    h("div", { class: "row" }, h("h1", {}, nameOf(device)), state.element),
    tabs([[root, "Controls"], [root + "/log", "Log"], ...(mayShare ? [[root + "/share", "QR code"]] : []),
      [root + "/settings", "Settings"]], tab ? root + "/" + tab : root),
    body,
  );
  const left = await (TABS[tab] || controls)(device, body);
  return () => {
    live.removeEventListener("status", onStatus);
    left?.();
  };
}

async function controls(device, body) {
  const [definition, latest] = await Promise.all([
    open("GET", "/app/datapoint?product_key=" + device.product_key).catch(() => ({})),
    open("GET", "/app/devdata/" + device.did + "/latest"),
  ]);
  const rows = definition.entities?.flatMap((entity) => entity.attrs) || [];
  const waiting = new Map();
  const shown = new Map();

  async function send(attr, value) {
    const line = shown.get(attr.name).line;
    line.classList.add("waiting");
    clearTimeout(waiting.get(attr.name));
    waiting.set(attr.name, setTimeout(() => settle(), PATIENCE_MS));
    try {
      await open("POST", "/app/control/" + device.did, { attrs: { [attr.name]: value } });
    } catch (error) {
      notice(error.message, "bad");
      clearTimeout(waiting.get(attr.name));
      settle();
    }
  }

  // Back to what the device said last: what it was told and did not do is not shown as done.
  function settle() {
    for (const [name, { line, set }] of shown) {
      line.classList.remove("waiting");
      set(values[name]);
    }
  }

  const groups = { status_writable: [], status_readonly: [] };
  for (const attr of rows.filter((attr) => groups[attr.type])) {
    const made = attr.type === "status_writable" ? control(attr, (value) => send(attr, value)) : reading(attr);
    const line = h("div", { class: "line" },
      h("label", { class: "what", htmlFor: "attr-" + attr.name }, attr.display_name || attr.name,
        attr.desc && h("small", {}, attr.desc)),
      made.element);
    shown.set(attr.name, { line, set: made.set });
    groups[attr.type].push(line);
  }
  const alarms = h("div");
  let values = { ...latest.attr, ...known.get(device.did) };

  function update(news) {
    for (const [name, value] of Object.entries(news)) shown.get(name)?.set(value);
    const raised = rows.filter((attr) => ALARMS.includes(attr.type) && Number(values[attr.name]));
    alarms.replaceChildren(...raised.map((attr) =>
      h("p", { class: "card alarm" }, `${attr.type === "fault" ? "Fault" : "Alert"}: ${attr.display_name || attr.name}`)));
  }

  const onAttrs = (event) => {
    if (event.detail.did !== device.did) return;
    values = { ...values, ...event.detail.attrs };
    for (const name of Object.keys(event.detail.attrs)) {
      shown.get(name)?.line.classList.remove("waiting");
      clearTimeout(waiting.get(name));
    }
    update(event.detail.attrs);
  };
  live.addEventListener("attrs", onAttrs);
  body.replaceChildren(alarms,
    ...section("", groups.status_writable),
    ...section("Readings", groups.status_readonly),
    ...(rows.length ? [] : [rawForm(device)]));
  update(values);
  return () => {
    live.removeEventListener("attrs", onAttrs);
    for (const timer of waiting.values()) clearTimeout(timer);
  };
}

function section(title, lines) {
  if (!lines.length) return [];
  return [title && h("h2", {}, title), h("div", { class: "card" }, lines)].filter(Boolean);
}

// A product whose datapoints nobody has told the cloud: bytes are all there is.
function rawForm(device) {
  const input = h("input", { id: "raw", class: "hex", required: true, pattern: "([0-9a-fA-F]{2})+", spellcheck: false });
  const submit = doing(async () => {
    await open("POST", "/app/control/" + device.did, { raw: input.value, binary_coding: "hex" });
    notice("sent");
  });
  return h("form", { class: "card", onsubmit: submit },
    h("p", { class: "quiet" }, "The datapoints of this product are not known here. The operator can add its definition."),
    field("Bytes for the device, in hex", input), h("button", {}, "Send"));
}

async function share(device, body) {
  const { content, svg } = await open("GET", "/console/qr/" + device.did);
  body.replaceChildren(
    h("p", {}, "Whoever scans this code, and logs in here, gets this device too."),
    h("div", { class: "card qr" }, drawing(svg)),
    h("p", {}, h("code", {}, content)));
}

function settings(device, body) {
  const alias = h("input", { id: "alias", maxLength: 128, value: device.dev_alias });
  const rename = doing(async () => {
    await open("PUT", "/app/bindings/" + device.did, { dev_alias: alias.value.trim() });
    notice("renamed");
    location.hash = "#/device/" + device.did;
  });
  const unbind = doing(async () => {
    if (!confirm("Remove this device from your account?")) return;
    await open("DELETE", "/app/bindings", { devices: [{ did: device.did }] });
    location.hash = "#/devices";
  });
  const facts = [["did", device.did], ["MAC address", device.mac], ["Product", device.product_name], ["Role", device.role],
    ["Module", words(null, device.wifi_soft_version)], ["MCU", words(null, device.mcu_soft_version)]];
  body.replaceChildren(
    h("form", { class: "card", onsubmit: rename }, field("Name", alias), h("button", {}, "Rename")),
    h("div", { class: "card" }, facts.map(([name, value]) =>
      h("div", { class: "line" }, h("span", { class: "quiet" }, name), h("code", {}, value || "–")))),
    h("button", { class: "danger", onclick: unbind }, "Remove from my account"));
}
