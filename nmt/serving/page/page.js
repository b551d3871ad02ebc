// The chosen sentence beneath the texts, keys, everything that can be clicked, and the beginning.

function show() {
  const current = chosen(), shown = Boolean(current?.record?.entry);
  for (const id of ["mirror", "translation"]) {
    for (const sentence of byId(id).querySelectorAll(".chosen")) sentence.classList.remove("chosen");
    if (state.sentences.length > 1) sentenceOf(id, state.place)?.classList.add("chosen");
  }
  if (current && (current.drawn?.record !== current.record || current.drawn.rank !== current.rank)) drawSentence(state.place);
  showButtons();
  byId("attention").hidden = !shown;
  if (!shown) {
    state.view = null;
    return;
  }
  byId("attention").classList.toggle("stale", isOpen(current));
  byId("chooser").hidden = state.sentences.length < 2;
  byId("which").textContent = `${state.place + 1} of ${state.sentences.length}`;
  const { note = "", targets } = current.record.entry;
  byId("note").textContent = note || (targets[0].layers ? "" : "This model has no attention to show.");
  byId("note").hidden = !byId("note").textContent;
  showMeasures(current.record.entry.targets[current.rank].measures);
  showControls();
  showPicture();
  byId("hypotheses").replaceChildren();
  showHypotheses(current.record.entry);
}

function showButtons() {
  const current = chosen(), text = byId("source").value, words = text.split(/\s+/u).filter(Boolean).length;
  byId("count").textContent = words ? `${words} word${words === 1 ? "" : "s"}` : "";
  byId("clear").hidden = !text;
  byId("copy").hidden = byId("write").hidden = !current?.record;
  byId("undo").hidden = !current?.history.length;
  byId("reset").hidden = !current || (!current.prefix && !current.rank);
}

function choosePlace(place) {
  if (place < 0 || place >= state.sentences.length || place === state.place) return;
  state.place = place;
  state.focus = null;
  show();
}

function showPhrases(on) {
  byId("phrases").hidden = !on;
  byId("phrases-button").setAttribute("aria-expanded", String(on));
}

function writeAtEnd() {
  write(state.place, translationOf(chosen()).text.length);
}

// ---- keys

const PLAIN = {
  "/": () => byId("source").focus(),
  e: writeAtEnd,
  c: () => copyText(translationText(), "Translation copied"),
  j: () => choosePlace(state.place + 1),
  k: () => choosePlace(state.place - 1),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event, command = event.ctrlKey || event.metaKey;
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const word = byId("translation").contains(target) ? placeOf(target) : null;
  let act = null;
  if (command && key.toLowerCase() === "z" && !target.matches("input, textarea") && !state.writing) act = undo;
  else if (command || event.altKey) return;
  else if (target.id === "source") act = key === "Escape" ? () => byId("translation").querySelector('[tabindex="0"]')?.focus() : null;
  else if (target.matches("input, select")) return;
  else if (word) act = onWord(word, key);
  else act = actOf(target, key, PLAIN);
  if (act) {
    event.preventDefault();
    act();
  }
});

// What a key does on a word of the translation.
function onWord({ place, index }, key) {
  const words = [...byId("translation").querySelectorAll(".word")], at = words.indexOf(wordOf("translation", place, index));
  const forward = forwardKey(words[at]), backward = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
  const { text, words: spans } = translationOf(state.sentences[place]);
  const to = { [forward]: at + 1, [backward]: at - 1, Home: 0, End: words.length - 1 }[key];
  if (to !== undefined) return () => words[to]?.focus();
  if (key === "Enter" || key === " " || key === "ArrowDown") return () => openMenu(place, index);
  if (key === "Escape") return () => byId("source").focus();
  if (key === "Backspace") return () => write(place, spans[Math.max(0, index - 1)].end);
  if ([...key].length === 1) return () => write(place, spans[index].begin, key);
  return null;
}

// ---- clicks

byId("translation").addEventListener("click", (event) => {
  const word = placeOf(event.target);
  if (word) openMenu(word.place, word.index);
  else if (chosen()?.record && !state.writing && getSelection().isCollapsed) {
    const place = Number(event.target.closest("[data-sentence]")?.dataset.sentence ?? state.place);
    write(place, translationOf(state.sentences[place]).text.length);
  }
});
byId("source").addEventListener("input", () => {
  if (location.hash) history.replaceState(null, "", location.pathname); // it says another text
  sourceChanged();
});
for (const id of ["constraints", "avoid"]) byId(id).addEventListener("input", settingsChanged);
byId("phrases-button").addEventListener("click", () => {
  showPhrases(byId("phrases").hidden);
  if (!byId("phrases").hidden) byId("constraints").focus();
});
byId("clear").addEventListener("click", () => {
  byId("source").value = "";
  sourceChanged();
  byId("source").focus();
});
byId("undo").addEventListener("click", undo);
byId("reset").addEventListener("click", reset);
byId("write").addEventListener("click", writeAtEnd);
byId("copy").addEventListener("click", () => copyText(translationText(), "Translation copied"));
byId("previous").addEventListener("click", () => choosePlace(state.place - 1));
byId("next").addEventListener("click", () => choosePlace(state.place + 1));
byId("link").addEventListener("click", copyLink);
byId("json-button").addEventListener("click", showJson);
byId("json-copy").addEventListener("click", () => copyText(recordsText(), "JSON copied"));
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("model").addEventListener("change", () => {
  setModel(byId("model").value);
  for (const sentence of state.sentences) Object.assign(sentence, { prefix: "", history: [] });
  sourceChanged();
});
addEventListener("hashchange", fromFragment);

// ---- models

function languageName(code) {
  if (!code) return "";
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

// A model by its languages, and by its name where these do not tell it from the others.
function titleOf(model) {
  const pair = model.source && model.target ? `${languageName(model.source)} → ${languageName(model.target)}` : "";
  const alike = state.models.filter((other) => other.source === model.source && other.target === model.target);
  if (!pair) return model.name;
  return alike.length > 1 ? `${pair} (${model.name})` : pair;
}

function setModel(name) {
  state.model = name;
  byId("model").value = name;
  const model = modelNow();
  byId("model-name").textContent = state.models.length > 1 ? "" : titleOf(model);
  byId("source").lang = model.source ?? "";
  byId("source-language").textContent = languageName(model.source) || "Source";
  byId("target-language").textContent = languageName(model.target) || "Translation";
}

async function begin() {
  drawTranslation();
  showButtons();
  try {
    state.models = (await asked("v1/models")).models;
  } catch (error) {
    trouble(error, begin);
    return;
  }
  trouble(null);
  byId("model").replaceChildren(...state.models.map((model) => make("option", { value: model.name }, titleOf(model))));
  byId("model-choice").hidden = state.models.length < 2;
  setModel(state.models[0].name);
  if (!fromFragment() && byId("source").value) sourceChanged(); // typed meanwhile, or kept by the browser
}

byId("source").focus();
begin();
