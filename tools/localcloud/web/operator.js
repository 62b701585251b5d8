// The operator's pages: codes that no sender took, devices and their QR codes, products, apps; firmware: firmware.js.

import { about, logInOperator, operate, operator } from "./api.js";
import { doing, drawing, field, h, inOrder, notice, tabs, telling, when } from "./dom.js";
import { firmware } from "./firmware.js";

const TABS = { "": codes, devices, products, firmware, apps };
const LOOK_MS = 3000;
const FIND_MS = 250;

export async function operatorPage(show, tab = "", which = "") {
  if (!operator()) return login(show);
  const body = h("div");
  show(h("h1", {}, "Operator"),
    tabs([["#/operator", "Codes"], ["#/operator/devices", "Devices"], ["#/operator/products", "Products"],
      ["#/operator/firmware", "Firmware"], ["#/operator/apps", "Apps"]], tab ? "#/operator/" + tab : "#/operator"),
    body);
  return (TABS[tab] || codes)(body, which);
}

async function login(show) {
  const { has_operator: hasOperator } = await about();
  const password = h("input", { id: "password", type: "password", required: true, maxLength: 128,
    autocomplete: "current-password" });
  const submit = doing(async () => {
    await logInOperator(password.value);
    // The same address again, now as the operator.
    window.dispatchEvent(new Event("hashchange"));
  });
  show(h("h1", {}, "Operator"),
    hasOperator ? "" : h("p", { class: "card alarm" },
      "No operator password is set. On the machine of this cloud run: localcloud console password"),
    h("form", { class: "card", onsubmit: submit },
      field("Operator password", password, "not that of a user: it was set with `localcloud console password`"),
      h("button", {}, "Log in")));
  password.focus();
}

async function codes(body) {
  const list = h("div", { class: "card", id: "codes" });
  async function load() {
    const found = (await operate("GET", "/codes")).codes;
    list.replaceChildren(...found.map((sent) => h("div", { class: "line" },
      h("span", { class: "what" }, sent.address, h("small", {}, `${sent.kind}, ${when(sent.at)}, good until ${when(sent.expire_at)}`)),
      h("span", { class: "code" }, sent.code))));
    if (!found.length) list.append(h("p", { class: "quiet" }, "No code waits to be read to anybody."));
  }
  body.replaceChildren(
    h("p", { class: "quiet" }, "Verification codes and links that would have been sent by SMS or e-mail: read them to the person."),
    list);
  await load();
  const timer = setInterval(() => load().catch(() => {}), LOOK_MS);
  return () => clearInterval(timer);
}

async function devices(body, did) {
  if (did) {
    const { content, svg } = await operate("GET", "/qr/" + encodeURIComponent(did));
    body.replaceChildren(h("p", {}, "A user who scans this code, and logs in here, gets the device ", h("code", {}, did)),
      h("div", { class: "card qr" }, drawing(svg)), h("p", {}, h("code", { id: "content" }, content)));
    return null;
  }
  const list = h("div", { class: "card", id: "all-devices" });
  const count = h("p", { class: "quiet" });
  const find = h("input", { id: "find", type: "search", placeholder: "did, MAC address or product key", autocapitalize: "none" });
  const more = h("button", { class: "plain", hidden: true, onclick: doing(() => load(shown)) }, "More");
  const ask = inOrder();
  let shown = 0;
  let timer = 0;

  async function load(from) {
    const mayShow = ask();
    const query = `/devices?skip=${from}&find=${encodeURIComponent(find.value.trim())}`;
    const { total, devices: found } = await operate("GET", query);
    if (!mayShow()) return;
    if (!from) list.replaceChildren();
    list.append(...found.map(deviceLine));
    shown = from + found.length;
    count.textContent = total === 1 ? "1 device" : `${total} devices`;
    more.hidden = shown >= total;
  }

  find.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => telling(load(0)), FIND_MS);
  });
  body.replaceChildren(field("Find", find), count, list, more);
  await load(0);
  return () => clearTimeout(timer);
}

function deviceLine(device) {
  const users = `${device.users} ${device.users === 1 ? "user" : "users"}`;
  return h("a", { class: "line", href: "#/operator/devices/" + device.did },
    h("span", { class: "what" }, device.product_name || "unknown product",
      h("small", {}, `${device.mac || "no MAC address yet"} · ${device.did} · ${users}`)),
    h("span", { class: device.is_online ? "state on" : "state" }, device.is_online ? "online" : "offline"));
}

async function products(body) {
  const { products: found } = await operate("GET", "/products");
  const file = h("input", { id: "definition-file", type: "file", accept: ".json,application/json" });
  const definition = h("textarea", { id: "definition", required: true, spellcheck: false });
  const secret = h("input", { id: "secret", required: true, pattern: "[0-9a-fA-F]{32}", title: "32 hex digits",
    autocomplete: "off" });
  const name = h("input", { id: "product-name", maxLength: 128 });
  file.addEventListener("change", async () => { definition.value = await file.files[0].text(); });
  const submit = doing(async () => {
    const sent = { definition: definition.value, secret: secret.value, name: name.value.trim() };
    const added = await operate("POST", "/products", sent);
    notice((added.is_new ? "added " : "replaced ") + added.name);
    await products(body);
  });
  body.replaceChildren(
    h("div", { class: "card", id: "products" }, found.map((product) =>
      h("div", { class: "line" },
        h("span", { class: "what" }, product.name, h("small", {}, h("code", {}, product.product_key))),
        h("span", { class: "quiet" }, product.attributes ? product.attributes + " attributes" : "transparent")))),
    h("h2", {}, "Add or replace a product"),
    h("form", { class: "card", onsubmit: submit },
      field("Definition", definition, "JSON, as GET /app/datapoint serves it"), field("or from a file", file),
      field("Product secret", secret, "32 hex digits; for a product of your own make one up"),
      field("Name", name, "empty: the definition's own"),
      h("button", {}, "Add")));
}

async function apps(body) {
  const { apps: found, is_listed: isListed } = await operate("GET", "/apps");
  const id = h("input", { id: "app-id", pattern: "[0-9a-fA-F]{32}", title: "32 hex digits", autocomplete: "off" });
  const name = h("input", { id: "app-name", maxLength: 128 });
  const submit = doing(async () => {
    const added = await operate("POST", "/apps", { app_id: id.value, name: name.value.trim() });
    notice("added " + added.app_id);
    await apps(body);
  });
  body.replaceChildren(
    h("p", { class: "quiet" }, isListed
      ? "Only these apps are let in."
      : "Any app id of 32 hex digits is let in; this list matters with the setting apps = \"listed\"."),
    h("div", { class: "card", id: "apps" }, found.map((app) =>
      h("div", { class: "line" }, h("span", { class: "what" }, app.name || "without a name"), h("code", {}, app.app_id)))),
    h("h2", {}, "Add an app"),
    h("form", { class: "card", onsubmit: submit },
      field("App id", id, "empty: a new one is made"), field("Name", name), h("button", {}, "Add")));
}
