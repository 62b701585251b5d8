// Binding a device: with the text of its QR code, or with its did and passcode.

import { open } from "./api.js";
import { doing, field, h, notice } from "./dom.js";

const CODE = "localcloud.code";

async function bind(content) {
  await open("POST", "/app/bind_latest", { qr_content: content });
  sessionStorage.removeItem(CODE);
  notice("the device is yours");
  location.hash = "#/devices";
}

export function addPage(show) {
  const scanned = sessionStorage.getItem(CODE) || "";
  const code = h("input", { id: "code", required: true, maxLength: 512, value: scanned, autocapitalize: "none" });
  const did = h("input", { id: "did", required: true, maxLength: 22, minLength: 22, autocapitalize: "none" });
  const passcode = h("input", { id: "passcode", required: true, maxLength: 32, autocapitalize: "none" });
  const byPasscode = doing(() =>
    bind("did=" + encodeURIComponent(did.value.trim()) + "&passcode=" + encodeURIComponent(passcode.value.trim())));
  show(
    h("h1", {}, "Add a device"),
    h("form", { class: "card", onsubmit: doing(() => bind(code.value.trim())) },
      field("Text of its QR code", code, scanned
        ? "scanned: one more touch and it is yours"
        : "a phone's camera brings you here by itself: point it at the code on the operator's or another user's screen"),
      h("button", {}, "Add")),
    h("h2", {}, "Without a code"),
    h("form", { class: "card", onsubmit: byPasscode },
      field("did", did, "the 22 letters and digits under which the device registered"),
      field("Passcode", passcode),
      h("button", { class: "plain" }, "Add")),
  );
}
