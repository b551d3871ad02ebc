// Links and JSON. A link holds the text after its #, which browsers send nowhere.

function fragmentNow() {
  const fields = new URLSearchParams();
  if (state.models.length > 1) fields.set("model", state.model);
  fields.set("text", byId("source").value);
  state.sentences.forEach((sentence, place) => {
    if (sentence.prefix) fields.append("prefix", `${place}:${sentence.prefix}`);
  });
  for (const id of ["constraints", "avoid"]) if (byId(id).value) fields.set(id, byId(id).value);
  if (state.picture !== "lines") fields.set("picture", state.picture);
  return `#${fields}`;
}

// Takes up what a link says; returns whether it says a text.
function fromFragment() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (!fields.has("text")) return false;
  if (state.models.some((model) => model.name === fields.get("model"))) setModel(fields.get("model"));
  if (["lines", "matrix", "beam"].includes(fields.get("picture"))) state.picture = fields.get("picture");
  for (const id of ["constraints", "avoid"]) byId(id).value = fields.get(id) ?? "";
  if (byId("constraints").value || byId("avoid").value) showPhrases(true);
  byId("source").value = fields.get("text");
  settingsChanged();
  sourceChanged();
  for (const field of fields.getAll("prefix")) {
    const [, place, prefix] = /^(\d+):(.*)$/su.exec(field) ?? [];
    if (state.sentences[place]) state.sentences[place].prefix = prefix;
  }
  schedule(0);
  return true;
}

async function copyText(text, told) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page that did not come by https, or from this machine, has no clipboard
    const field = make("textarea", { class: "unseen" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) return;
  }
  clearTimeout(saying); // which would be said instead
  byId("status").textContent = told;
  toast(told);
}

let toasting = 0;

function toast(text) {
  document.querySelector(".toast")?.remove();
  const note = make("p", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(note);
  clearTimeout(toasting);
  toasting = setTimeout(() => note.remove(), 2000);
}

function copyLink() {
  history.replaceState(null, "", fragmentNow());
  return copyText(location.href, "Link copied");
}

function recordsText() {
  return state.sentences.filter((sentence) => sentence.record).map((sentence) => `${JSON.stringify(sentence.record)}\n`).join("");
}

let downloadAddress = null;

function showJson() {
  const text = recordsText();
  byId("json-text").textContent = state.sentences.map((sentence) => JSON.stringify(sentence.record, briefly, 1)).join("\n");
  if (downloadAddress) URL.revokeObjectURL(downloadAddress);
  downloadAddress = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  byId("json-download").href = downloadAddress;
  byId("json").showModal();
}

// What is shown of a record: the parts for pictures are long, and in the download.
function briefly(name, value) {
  return name === "entry" || name === "tree" ? "…" : value;
}
