// Logging in as a user, and making an account.

import { logIn, signUp } from "./api.js";
import { doing, field, h } from "./dom.js";

export function loginPage(show, kind) {
  const isNew = kind === "new";
  const name = h("input", { id: "name", autocomplete: "username", required: true, autocapitalize: "none", maxLength: 128 });
  const password = h("input", { id: "password", type: "password", required: true, maxLength: 128,
    autocomplete: isNew ? "new-password" : "current-password" });
  const submit = doing(async () => {
    await (isNew ? signUp : logIn)(name.value.trim(), password.value);
    location.hash = sessionStorage.getItem("localcloud.code") ? "#/add" : "#/devices";
  });
  show(
    h("h1", {}, isNew ? "New account" : "Log in"),
    h("form", { class: "card", onsubmit: submit },
      field(isNew ? "User name" : "User name, phone or e-mail", name),
      field("Password", password, isNew ? "8 characters or more, of three kinds: upper case, lower case, digits, others" : ""),
      h("button", {}, isNew ? "Make account" : "Log in")),
    h("p", {}, isNew
      ? h("a", { href: "#/login" }, "I have an account")
      : h("a", { href: "#/login/new" }, "Make an account")),
  );
  name.focus();
}
