// Calls of the Open API and of the console's own paths, and who is logged in.

const USER = "localcloud.user";
const OPERATOR = "localcloud.operator";

let facts = null;

// What the server says of itself: app id and ports.
export async function about() {
  if (!facts) facts = await call("GET", "/console/about");
  return facts;
}

export class Refused extends Error {
  constructor(status, body) {
    super(body.detail_message || body.error_message || "the server answered " + status);
    this.status = status;
    this.code = body.error_code || 0;
  }
}

function kept(key) {
  const text = localStorage.getItem(key);
  const login = text ? JSON.parse(text) : null;
  if (login && login.expire_at * 1000 > Date.now()) return login;
  localStorage.removeItem(key);
  return null;
}

function keep(key, login) {
  if (login) localStorage.setItem(key, JSON.stringify(login));
  else localStorage.removeItem(key);
}

export const user = () => kept(USER);
export const operator = () => kept(OPERATOR);
export const forgetUser = () => keep(USER, null);
export const forgetOperator = () => keep(OPERATOR, null);

// A token that is no longer good ends the login.
const LOST = [9004, 9006];

// A file is sent as it is, everything else as JSON; the answer is JSON, or the text of a table.
async function call(method, path, body, headers = {}) {
  const isPlain = body === undefined || body instanceof Blob;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: isPlain ? headers : { ...headers, "Content-Type": "application/json" },
      body: isPlain ? body : JSON.stringify(body),
    });
  } catch (_error) {
    throw new Error("the cloud does not answer: is it running, are you on its network?");
  }
  const text = await response.text();
  if (response.ok && response.headers.get("Content-Type")?.startsWith("text/csv")) return text;
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch (_error) {
    answer = { error_message: "the answer is no JSON" };
  }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// A call of the Open API, as the user who is logged in.
export async function open(method, path, body) {
  const login = user();
  const headers = { "X-Gizwits-Application-Id": (await about()).app_id };
  if (login) headers["X-Gizwits-User-token"] = login.token;
  try {
    return await call(method, path, body, headers);
  } catch (error) {
    if (login && LOST.includes(error.code)) {
      forgetUser();
      location.hash = "#/login";
    }
    throw error;
  }
}

// A call of the operator's paths.
export async function operate(method, path, body) {
  const login = operator();
  try {
    return await call(method, "/console/operator" + path, body, login ? { "X-Console-Token": login.token } : {});
  } catch (error) {
    if (login && LOST.includes(error.code)) {
      forgetOperator();
      location.hash = "#/operator";
    }
    throw error;
  }
}

export async function logIn(username, password) {
  const login = await open("POST", "/app/login", { username, password, lang: "en" });
  keep(USER, { ...login, username });
}

export async function signUp(username, password) {
  const login = await open("POST", "/app/users", { username, password, lang: "en" });
  keep(USER, { ...login, username });
}

export async function logInOperator(password) {
  keep(OPERATOR, await call("POST", "/console/operator", { password }));
}
