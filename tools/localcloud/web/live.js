// The WebSocket API: what devices report and whether they are online, told to whoever listens on the page.
//
// Events on `live`: "status" {did, online}, "attrs" {did, attrs}, "traffic" {did}, "bindings" {}, "link" {up}.

import { about, user } from "./api.js";

const HEARTBEAT_S = 180;
const PING_MS = 55000;
const WAITS_MS = [1000, 2000, 5000, 10000];

export const live = new EventTarget();
export const online = new Map();
export const attrs = new Map();

let socket = null;
let failures = 0;
let pings = 0;
let retry = 0;

function tell(name, detail) {
  live.dispatchEvent(new CustomEvent(name, { detail }));
}

const HANDLERS = {
  login_res(message) {
    if (!message.data.success) return;
    failures = 0;
    tell("link", { up: true });
  },
  s2c_online_status(message) {
    online.set(message.data.did, message.data.online);
    tell("status", message.data);
    tell("traffic", message.data);
  },
  s2c_noti(message) {
    const { did, attrs: news } = message.data;
    attrs.set(did, { ...attrs.get(did), ...news });
    tell("attrs", { did, attrs: news });
    tell("traffic", { did });
  },
  s2c_raw(message) { tell("traffic", message.data); },
  s2c_ack(message) { tell("traffic", { did: message.did }); },
  s2c_binding_changed() { tell("bindings", {}); },
};

export async function connect() {
  const login = user();
  if (!login || socket) return;
  const facts = await about();
  const secure = location.protocol === "https:";
  const port = secure ? facts.wss_port : facts.ws_port;
  if (!port || socket) return;
  const mine = new WebSocket(`${secure ? "wss" : "ws"}://${location.hostname}:${port}/ws/app/v1`);
  socket = mine;
  mine.addEventListener("open", () => {
    const data = { appid: facts.app_id, uid: login.uid, token: login.token, p0_type: "attrs_v4",
      heartbeat_interval: HEARTBEAT_S, auto_subscribe: true };
    mine.send(JSON.stringify({ cmd: "login_req", data }));
    pings = setInterval(() => mine.send('{"cmd":"ping"}'), PING_MS);
  });
  mine.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    HANDLERS[message.cmd]?.(message);
  });
  mine.addEventListener("close", () => {
    if (socket !== mine) return;
    stop();
    tell("link", { up: false });
    retry = setTimeout(connect, WAITS_MS[Math.min(failures, WAITS_MS.length - 1)]);
    failures += 1;
  });
}

// Ends the connection; nothing is told any more.
export function disconnect() {
  const old = socket;
  stop();
  online.clear();
  attrs.clear();
  old?.close();
}

function stop() {
  clearInterval(pings);
  clearTimeout(retry);
  socket = null;
}
