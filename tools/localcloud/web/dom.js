// Building the page: elements from names, properties and children. Text is always text, never markup.

export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") element.className = value;
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function show(...children) {
  document.getElementById("page").replaceChildren(...children);
}

// A drawing the server made; it is parsed as XML and holds no script the page would run.
export function drawing(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return document.importNode(svg, true);
}

let noticeTimer = 0;

// One line at the bottom of the page that goes away by itself; `kind` is "good" or "bad".
export function notice(text, kind = "good") {
  const line = document.getElementById("notice");
  line.textContent = text;
  line.className = kind;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { line.textContent = ""; line.className = ""; }, 4000);
}

// Answers overtake each other. Called when something is asked for, it gives a function that says, when the answer is
// there, whether it is still to be shown: nothing asked for later was shown before.
export function inOrder() {
  let asked = 0;
  let shown = 0;
  return () => {
    const mine = ++asked;
    return () => {
      if (mine < shown) return false;
      shown = mine;
      return true;
    };
  };
}

// For what nobody waits for: its error is told.
export function telling(promise) {
  promise.catch((error) => notice(error.message, "bad"));
}

// Does what a button asks for, with the button off meanwhile and the error told.
export function doing(action) {
  return async (event) => {
    event.preventDefault();
    const target = event.submitter || event.currentTarget;
    target.disabled = true;
    try {
      await action(event);
    } catch (error) {
      notice(error.message, "bad");
    } finally {
      target.disabled = false;
    }
  };
}

export function field(label, input, help = "") {
  return h("label", { class: "field" }, h("span", {}, label), input, help && h("small", {}, help));
}

export function tabs(items, current) {
  return h("nav", { class: "tabs" }, items.map(([href, text]) =>
    h("a", { href, ...(href === current ? { "aria-current": "page" } : {}) }, text)));
}

export function when(seconds) {
  if (!seconds) return "never";
  const time = new Date(seconds * 1000);
  const day = time.toDateString() === new Date().toDateString() ? "" : time.toLocaleDateString() + " ";
  return day + time.toLocaleTimeString([], { hour12: false });
}
