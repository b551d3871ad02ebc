// Questions to the server that this page came from. Its paths are relative, so that a proxy may add to them.

let key = ""; // of the API, kept no longer than the page

class Refused extends Error {
  constructor(message, status, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds
  }
}

const UNSENDABLE = /[^\x20-\x7e\xa0-\xff]/; // no header can carry it

async function ask(path, { body, signal } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (UNSENDABLE.test(key)) throw new Refused("the API key has letters that a browser cannot send; ask for one of Latin letters and digits", 403);
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer, text;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: JSON.stringify(body), signal });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("The server does not answer. Is it running?", 0, 3);
  }
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // told below
  }
  if (answer.ok && value !== null) return value;
  const told = typeof value?.error === "string" ? value.error : `it answered ${answer.status} ${answer.statusText}`.trim();
  const wait = answer.status === 503 ? Number(answer.headers.get("Retry-After")) || 2 : null;
  throw new Refused(told, answer.status, wait);
}

async function asked(path, options) {
  for (;;) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (error.status !== 401 && !(error.status === 403 && error.message.startsWith("the API key"))) throw error;
      await askForKey(error.message);
      if (!key) throw error;
    }
  }
}

let keyAsked = null; // one dialog for all who wait

function askForKey(reason) {
  keyAsked ??= new Promise((resolve) => {
    byId("key-reason").textContent = `This server wants a key: ${reason}.`;
    byId("key-value").value = "";
    byId("key").addEventListener("close", () => {
      key = byId("key-value").value.trim();
      keyAsked = null;
      resolve();
    }, { once: true });
    byId("key").showModal();
  });
  return keyAsked;
}
