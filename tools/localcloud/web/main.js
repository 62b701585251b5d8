// The console: which page the address names, the menu, and what a scanned code brought along.

import { forgetOperator, forgetUser, operator, user } from "./api.js";
import { addPage } from "./add.js";
import { devicePage } from "./device.js";
import { devicesPage } from "./devices.js";
import { h, notice, show } from "./dom.js";
import { connect, disconnect, live } from "./live.js";
import { loginPage } from "./login.js";
import { operatorPage } from "./operator.js";

// A page is a function: it draws with the first argument, and returns a function that clears away what it leaves behind.
let leave = null;
let turn = 0;

const PAGES = {
  login: loginPage,
  devices: devicesPage,
  device: devicePage,
  add: addPage,
  operator: operatorPage,
};
// Pages that everybody may open.
const OPEN = ["login", "operator"];

async function route() {
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (!PAGES[name] || (!OPEN.includes(name) && !user())) {
    location.hash = user() ? "#/devices" : "#/login";
    return;
  }
  const mine = ++turn;
  // What a page draws when the user has moved on is not shown.
  const showMine = (...children) => { if (mine === turn) show(...children); };
  leave?.();
  leave = null;
  menu();
  try {
    if (user()) connect();
    const left = await PAGES[name](showMine, ...rest);
    if (mine === turn) leave = left || null;
    else left?.();
  } catch (error) {
    showMine(h("p", { class: "card alarm" }, error.message));
  }
  menu();
}

function menu() {
  const items = [];
  if (user()) {
    items.push(h("span", { id: "link", class: "state", hidden: true }, "not connected"));
    items.push(h("a", { href: "#/devices" }, "Devices"), h("a", { href: "#/add" }, "Add"));
  }
  items.push(h("a", { href: "#/operator" }, "Operator"));
  if (user() || operator()) items.push(h("button", { class: "link", onclick: logOut }, "Log out"));
  document.getElementById("menu").replaceChildren(...items);
}

function logOut() {
  forgetUser();
  forgetOperator();
  disconnect();
  // Shown once: a second time would take away what was typed meanwhile.
  if (location.hash === "#/login") route();
  else location.hash = "#/login";
}

live.addEventListener("link", (event) => {
  const link = document.getElementById("link");
  if (link) link.hidden = event.detail.up;
  if (!event.detail.up) notice("connection lost, trying again …", "bad");
});

// A phone's camera opens the address in a device's QR code.
if (location.search) {
  sessionStorage.setItem("localcloud.code", location.search.slice(1));
  history.replaceState(null, "", location.pathname + "#/add");
}

window.addEventListener("hashchange", route);
route();
