// The communication log of a device, decoded by the server, the newest first.

import { open } from "./api.js";
import { doing, h, inOrder, telling, when } from "./dom.js";
import { live } from "./live.js";

const PAGE = 50;
// A burst of reports is one look at the log.
const REST_MS = 400;
const WAYS = { up: "device →", down: "→ device", online: "●", offline: "○" };

function line(row) {
  const attrs = Object.entries(row.attrs).map(([name, value]) => `${name} = ${value}`).join(", ");
  return h("div", { class: "line" },
    h("span", { class: "way" }, WAYS[row.way], h("br"), when(row.at)),
    h("span", { class: "what" }, row.words + (row.source ? ` (${row.source.replace("_", " ")})` : ""), attrs && h("small", {}, attrs)),
    row.hex && h("details", {}, h("summary", {}, "bytes"), h("code", {}, row.hex)));
}

export async function deviceLog(device, body) {
  const list = h("div", { class: "card log", id: "log" });
  const older = h("button", { class: "plain", onclick: doing(() => load(false)) }, "Older");
  let oldest = "";
  let timer = 0;
  const ask = inOrder();

  async function load(isFresh) {
    const mayShow = ask();
    const { rows } = await open("GET", `/console/log/${device.did}?limit=${PAGE}&before=${isFresh ? "" : oldest}`);
    if (!mayShow()) return;
    if (isFresh) list.replaceChildren();
    list.append(...rows.map(line));
    if (!list.childElementCount) list.append(h("p", { class: "quiet" }, "Nothing has crossed the cloud yet."));
    if (rows.length) oldest = rows[rows.length - 1].at - 0.001;
    older.hidden = rows.length < PAGE;
  }

  const onTraffic = (event) => {
    // Not under the eyes of somebody who reads further down.
    if (event.detail.did !== device.did || window.scrollY > 200) return;
    clearTimeout(timer);
    timer = setTimeout(() => telling(load(true)), REST_MS);
  };
  live.addEventListener("traffic", onTraffic);
  body.replaceChildren(list, older);
  await load(true);
  return () => {
    clearTimeout(timer);
    live.removeEventListener("traffic", onTraffic);
  };
}
