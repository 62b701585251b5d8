// Firmware: the images, a new one, the device it is tried on, the rules by which it is pushed, how far every device is.

import { operate } from "./api.js";
import { doing, field, h, inOrder, notice, telling, when } from "./dom.js";

const LOOK_MS = 2000;
const FIND_MS = 250;
const PAGE = 200;
// Some browsers fetch what is saved only a moment later.
const PATIENCE_MS = 10000;
const KINDS = { module: "module", mcu: "MCU" };

export function firmware(body, id) {
  return id ? onePage(body, id) : listPage(body);
}

async function listPage(body) {
  const [{ firmware: images, key, max_size: most }, { products }] =
    await Promise.all([operate("GET", "/firmware"), operate("GET", "/products")]);
  body.replaceChildren(
    h("div", { class: "card", id: "firmware" }, images.length ? images.map(imageLine)
      : h("p", { class: "quiet" }, "No firmware yet.")),
    h("h2", {}, "Add an image"),
    h("p", { class: "quiet" }, key ? ["It is signed; devices know the signer as ", h("code", {}, key)]
      : "It is not signed. For a key, on the machine of this cloud run: localcloud ota keygen"),
    addForm(body, products, most));
}

function imageLine(image) {
  const size = `${image.size.toLocaleString()} bytes`;
  return h("a", { class: "line", href: "#/operator/firmware/" + image.id },
    h("span", { class: "what" }, `${image.product_name || "unknown product"}, ${KINDS[image.kind]} ${image.soft_version}`,
      h("small", {}, `for hardware ${image.hard_version} · ${size} · ${image.is_signed ? "signed" : "not signed"}`)),
    h("span", { class: image.is_verified ? "state on" : "state" }, trialOf(image)));
}

function trialOf(image) {
  if (image.is_verified) return "verified";
  return image.test_did ? "on trial" : "not verified";
}

function addForm(body, products, most) {
  const version = { required: true, minLength: 8, maxLength: 8, pattern: "[!-~]{8}", title: "8 characters, no spaces",
    autocomplete: "off", autocapitalize: "none", spellcheck: false };
  const file = h("input", { id: "image", type: "file", required: true });
  const product = h("select", { id: "product", required: true },
    products.map((one) => h("option", { value: one.product_key }, `${one.name} · ${one.product_key.slice(0, 8)}`)));
  const kind = h("select", { id: "kind" }, h("option", { value: "mcu" }, "MCU"), h("option", { value: "module" }, "module"));
  const hard = h("input", { id: "hard", ...version });
  const soft = h("input", { id: "soft", ...version });
  const submit = doing(async () => {
    const [image] = file.files;
    if (image.size > most) throw new Error(`the file has ${image.size} bytes, at most ${most} can be stored`);
    const query = new URLSearchParams({ product: product.value, kind: kind.value, hard: hard.value, soft: soft.value,
      name: image.name });
    notice("sending " + image.name + " …");
    const added = await operate("POST", "/firmware?" + query, image);
    notice("added");
    location.hash = "#/operator/firmware/" + added.id;
  });
  return h("form", { class: "card", onsubmit: submit },
    field("Image", file, "a .hex goes line by line to MCUs that ask so, everything else as bytes"),
    h("div", { class: "pair" }, field("Product", product), field("Of the", kind)),
    h("div", { class: "pair" }, field("Hardware version", hard, "the same as the device tells"),
      field("Software version", soft, "greater than the one that runs; the first 4 characters the same")),
    h("button", {}, "Add"));
}

async function onePage(body, id) {
  const path = "/firmware/" + encodeURIComponent(id);
  const title = h("h2");
  const facts = part({ class: "card" }, factLines);
  const progress = part({ class: "card", id: "progress" }, (found) => progressLines(found, turn));
  const rules = part({ class: "card", id: "rules" }, (rows) => rows.map((rule) => ruleLine(rule, load)));
  const needsTrial = h("p", { class: "quiet" }, "It can be pushed when it has run on one device.");
  const newRule = ruleForm(path, () => load());
  const ask = inOrder();
  let skip = 0;

  async function load() {
    const mayShow = ask();
    const from = skip;
    const { firmware: image, rules: rows, ...found } = await operate("GET", `${path}?skip=${from}`);
    if (!mayShow()) return;
    title.textContent = `${KINDS[image.kind]} firmware ${image.soft_version}`;
    facts.show(image);
    progress.show({ ...found, skip: from });
    rules.show(rows);
    newRule.hidden = !image.is_verified;
    needsTrial.hidden = image.is_verified;
  }

  function turn(by) {
    skip += by;
    telling(load());
  }

  const save = doing(async () => saveFile(await operate("GET", path + "/result"), `firmware-${id}.csv`));
  const remove = doing(async () => {
    if (!confirm("Remove this image with its rules and results? Devices in the middle of its download keep what they run.")) return;
    await operate("DELETE", path);
    location.hash = "#/operator/firmware";
  });
  await load();
  const trial = await trialForm(path, load);
  body.replaceChildren(title, facts.element,
    h("h2", {}, "Devices"), progress.element,
    h("p", {}, h("button", { class: "plain", onclick: save }, "Save as CSV")),
    h("h2", {}, "Try it on one device"), trial.element,
    h("h2", {}, "Push it to others"), rules.element, needsTrial, newRule,
    h("button", { class: "danger", onclick: remove }, "Remove this image"));
  const timer = setInterval(() => load().catch(() => {}), LOOK_MS);
  return () => {
    clearInterval(timer);
    trial.leave();
  };
}

// A part of the page that is built anew only when its data is: nothing moves away under a finger.
function part(properties, lines) {
  const element = h("div", properties);
  let last = "";
  const show = (data) => {
    const text = JSON.stringify(data);
    if (text !== last) element.replaceChildren(...lines(data));
    last = text;
  };
  return { element, show };
}

function factLines(image) {
  const rows = [["Trial", image.standing], ["For hardware", image.hard_version], ["File", `${image.name}, ${image.size.toLocaleString()} bytes`],
    ["MD5", image.md5], ["Signed", image.is_signed ? "yes" : "no"], ["Product", image.product_key], ["Added", when(image.added_at)]];
  return rows.map(([name, value]) => h("div", { class: "line" }, h("span", { class: "quiet" }, name), h("code", {}, value)));
}

function progressLines(found, turn) {
  if (!found.total) return [h("p", { class: "quiet" }, "No device was told yet.")];
  const counts = Object.entries(found.counts).map(([state, count]) => `${count} ${state}`).join(", ");
  return [
    h("div", { class: "total" },
      h("progress", { max: 100, value: found.percent, "aria-label": "all devices" }),
      h("span", { id: "counts" }, `${found.percent} % · ${counts}`)),
    ...found.devices.map(deviceLine),
    found.total > PAGE && h("div", { class: "line" },
      h("button", { class: "plain", disabled: !found.skip, onclick: () => turn(-PAGE) }, "Before"),
      h("span", { class: "quiet" }, `${found.skip + 1} to ${found.skip + found.devices.length} of ${found.total}`),
      h("button", { class: "plain", disabled: found.skip + PAGE >= found.total, onclick: () => turn(PAGE) }, "After")),
  ].filter(Boolean);
}

function deviceLine(device) {
  const mood = { done: " on", failed: " bad" }[device.state] || "";
  return h("div", { class: "line", data: { did: device.did } },
    h("span", { class: "what" }, device.mac || device.did,
      h("small", {}, [device.detail, when(device.at)].filter(Boolean).join(" · "))),
    h("span", { class: "far" },
      h("progress", { max: 100, value: device.percent, "aria-label": device.mac || device.did }),
      h("span", { class: "percent" }, device.percent + " %"),
      h("span", { class: "state" + mood }, device.state)));
}

async function trialForm(path, load) {
  const find = h("input", { id: "find", type: "search", placeholder: "did or MAC address", autocapitalize: "none" });
  const choice = h("select", { id: "trial", required: true });
  const count = h("p", { class: "quiet" });
  const ask = inOrder();
  let timer = 0;

  async function look() {
    const mayShow = ask();
    const { total, devices } = await operate("GET", `${path}/devices?find=${encodeURIComponent(find.value.trim())}`);
    if (!mayShow()) return;
    choice.replaceChildren(...devices.map((device) => h("option", { value: device.did },
      `${device.mac || device.did} · ${device.soft_version || "version not known"} · ${device.is_online ? "online" : "offline"}`)));
    count.textContent = total === 1 ? "1 device may take it" : `${total} devices may take it`;
  }

  find.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => telling(look()), FIND_MS);
  });
  const submit = doing(async () => {
    await operate("POST", path + "/trial", { did: choice.value });
    notice("it gets it as soon as it asks");
    await load();
  });
  await look();
  return {
    element: h("form", { class: "card", onsubmit: submit }, field("Find", find), field("Device", choice), count,
      h("button", {}, "Try")),
    leave: () => clearTimeout(timer),
  };
}

function ruleLine(rule, load) {
  const turn = doing(async () => {
    await operate("PUT", "/rules/" + rule.id, { is_running: !rule.is_running });
    await load();
  });
  return h("div", { class: "line" },
    h("span", { class: "what" }, "Rule " + rule.id, h("small", {}, rule.words)),
    h("span", { class: rule.is_running ? "state on" : "state" }, rule.is_running ? "running" : "stopped"),
    h("button", { class: "plain", onclick: turn }, rule.is_running ? "Stop" : "Start"));
}

function ruleForm(path, load) {
  const percent = h("input", { id: "percent", type: "number", min: 1, max: 100, value: 100, required: true });
  const versions = h("input", { id: "versions", autocapitalize: "none", spellcheck: false });
  const addresses = h("textarea", { id: "addresses", spellcheck: false });
  const since = h("input", { id: "since", type: "datetime-local" });
  const until = h("input", { id: "until", type: "datetime-local" });
  const from = h("input", { id: "from", type: "time" });
  const to = h("input", { id: "to", type: "time" });
  const seconds = (input) => (input.value ? Math.floor(new Date(input.value).getTime() / 1000) : 0);
  const submit = doing(async () => {
    if (Boolean(from.value) !== Boolean(to.value)) throw new Error("hours: give both, or none for the whole day");
    await operate("POST", path + "/rules", {
      percent: Number(percent.value), from_versions: versions.value.split(/\s+/).filter(Boolean),
      addresses: addresses.value, window: from.value ? `${from.value}-${to.value}` : "",
      starts_at: seconds(since), ends_at: seconds(until) });
    notice("devices on line are told within seconds");
    await load();
  });
  return h("form", { class: "card", hidden: true, onsubmit: submit },
    field("To how many of a hundred devices", percent),
    field("Only from these software versions", versions, "separated by spaces; empty: from all older ones"),
    field("Only to these MAC addresses", addresses, "one a line; empty: to all"),
    h("div", { class: "pair" }, field("Not before", since, "empty: now"), field("Not after", until, "empty: no end")),
    h("div", { class: "pair" }, field("Only from", from, "hours of the cloud's day"), field("to", to)),
    h("button", {}, "Push"));
}

function saveFile(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), PATIENCE_MS);
}
