// One datapoint on the page: its value, and for a writable one the control that fits its type.

import { h } from "./dom.js";

// Numbers are shown as raw * ratio + addition; the definition bounds the raw value.
function bounds(spec) {
  const ratio = spec.ratio ?? 1;
  const addition = spec.addition ?? 0;
  const ends = [(spec.min ?? 0) * ratio + addition, (spec.max ?? 0) * ratio + addition].sort((a, b) => a - b);
  const digits = (String(ratio).split(".")[1] || "").length;
  return { low: Number(ends[0].toFixed(6)), high: Number(ends[1].toFixed(6)), step: Math.abs(ratio) || 1, digits };
}

function hex(value) {
  return Array.isArray(value) ? value.map((n) => n.toString(16).padStart(2, "0")).join("") : String(value ?? "");
}

// Each: (attr, send) -> {element, set(value)}. `send(value)` asks the device for a value.
const CONTROLS = {
  bool(attr, send) {
    const input = h("input", { type: "checkbox", role: "switch", id: "attr-" + attr.name,
      onchange: () => send(input.checked) });
    return { element: input, set: (value) => { input.checked = Boolean(value); } };
  },

  enum(attr, send) {
    const labels = attr.enum || [];
    const input = h("select", { id: "attr-" + attr.name, onchange: () => send(input.value) },
      labels.map((label) => h("option", { value: label }, label)));
    return { element: input, set: (value) => { input.value = typeof value === "number" ? labels[value] : value; } };
  },

  number(attr, send) {
    const { low, high, step } = bounds(attr.uint_spec || {});
    const limits = { min: low, max: high, step };
    const exact = h("input", { type: "number", id: "attr-" + attr.name, ...limits,
      onchange: () => { if (exact.reportValidity()) send(Number(exact.value)); } });
    const slider = h("input", { type: "range", ...limits, "aria-label": attr.display_name || attr.name,
      oninput: () => { exact.value = slider.value; }, onchange: () => send(Number(slider.value)) });
    return { element: h("span", { class: "number" }, slider, exact),
      set: (value) => { exact.value = value ?? ""; slider.value = value ?? low; } };
  },

  binary(attr, send) {
    const input = h("input", { type: "text", id: "attr-" + attr.name, class: "hex", pattern: "([0-9a-fA-F]{2})*",
      title: "hex digits", spellcheck: false });
    const form = h("form", { class: "row",
      onsubmit: (event) => { event.preventDefault(); send(input.value); } }, input, h("button", {}, "Set"));
    return { element: form, set: (value) => { input.value = hex(value); } };
  },
};

export function isNumber(attr) {
  return attr.data_type.startsWith("uint");
}

export function control(attr, send) {
  const make = CONTROLS[isNumber(attr) ? "number" : attr.data_type] || CONTROLS.binary;
  const made = make(attr, send);
  // While a person is typing or pulling, a report does not take that away.
  let isTyping = false;
  made.element.addEventListener("input", () => { isTyping = true; });
  made.element.addEventListener("change", () => { isTyping = false; });
  return { element: made.element, set: (value) => { if (!isTyping) made.set(value); } };
}

export function reading(attr) {
  const element = h("output", { id: "attr-" + attr.name }, "–");
  const set = (value) => { element.textContent = words(attr, value); };
  return { element, set };
}

export function words(attr, value) {
  if (value === undefined || value === null) return "–";
  if (attr?.data_type === "bool") return Number(value) ? "on" : "off";
  if (attr?.data_type === "binary") return hex(value);
  return String(value);
}
