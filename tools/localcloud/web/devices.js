// The user's devices, each with its live status.

import { open } from "./api.js";
import { doing, h, inOrder, telling } from "./dom.js";
import { live, online } from "./live.js";

const PAGE = 100;

export function nameOf(device) {
  return device.dev_alias || device.product_name || "device " + (device.mac || device.did).slice(-4);
}

export function stateOf(device) {
  const element = h("span", { class: "state" });
  const set = (isOnline) => {
    element.textContent = isOnline ? "online" : "offline";
    element.classList.toggle("on", isOnline);
  };
  set(online.get(device.did) ?? device.is_online);
  return { element, set };
}

export async function devicesPage(show) {
  const states = new Map();
  const list = h("div", { class: "card", id: "devices" });
  const more = h("button", { class: "plain", hidden: true, onclick: doing(() => load(skip)) }, "More");
  const ask = inOrder();
  let skip = 0;

  async function load(from) {
    const mayShow = ask();
    const { devices } = await open("GET", `/app/bindings?limit=${PAGE}&skip=${from}`);
    if (!mayShow()) return;
    if (!from) {
      list.replaceChildren();
      states.clear();
    }
    for (const device of devices) {
      const state = stateOf(device);
      states.set(device.did, state);
      list.append(h("a", { class: "line", href: "#/device/" + device.did, data: { did: device.did } },
        h("span", { class: "what" }, nameOf(device),
          h("small", {}, [device.dev_alias && device.product_name, device.mac].filter(Boolean).join(" · "))),
        state.element));
    }
    skip = from + devices.length;
    more.hidden = devices.length < PAGE;
  }

  async function reload() {
    await load(0);
    show(h("h1", {}, "Devices"), skip ? list : empty(), more);
  }

  const onStatus = (event) => states.get(event.detail.did)?.set(event.detail.online);
  const onBindings = () => telling(reload());
  live.addEventListener("status", onStatus);
  live.addEventListener("bindings", onBindings);
  await reload();
  return () => {
    live.removeEventListener("status", onStatus);
    live.removeEventListener("bindings", onBindings);
  };
}

function empty() {
  return h("div", { class: "card" },
    h("p", {}, "No device is bound to this account yet."),
    h("p", {}, h("a", { class: "button", href: "#/add" }, "Add a device")));
}
