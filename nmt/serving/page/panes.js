// The two texts: the source beneath what is typed, and the translation in words; hovering links them both ways.

// Redraws the text beneath the source, in which words are marked.
function drawSource() {
  const text = byId("source").value, mirror = byId("mirror"), parts = [];
  let at = 0;
  state.sentences.forEach((sentence, place) => {
    parts.push(text.slice(at, sentence.begin), sourceSentence(sentence, place));
    at = sentence.end;
  });
  mirror.replaceChildren(...parts, `${text.slice(at)}\n`);
}

function sourceSentence(sentence, place) {
  const { text } = sentence, parts = [];
  let at = 0;
  const units = unitsOfSentence(sentence)?.source ?? [];
  units.forEach(({ begin, end }, index) => {
    parts.push(text.slice(at, begin), make("span", { class: "word", "data-word": index }, text.slice(begin, end)));
    at = end;
  });
  return make("span", { class: "sentence", "data-sentence": place }, ...parts, text.slice(at));
}

function drawTranslation() {
  const count = byId("source").value.split("\n").length, lines = Array.from({ length: count }, () => make("p", { dir: "auto" }));
  state.sentences.forEach((sentence, place) => {
    const line = lines[sentence.line];
    if (line.childNodes.length) line.append(" ");
    line.append(make("span", { class: "sentence", "data-sentence": place }));
  });
  if (!state.sentences.length) lines[0].append(make("span", { class: "empty" }, "Translation"));
  byId("translation").replaceChildren(...lines);
  state.sentences.forEach((_, place) => drawSentence(place));
}

// Redraws a translation; the word that had the keyboard focus keeps it.
function drawSentence(place) {
  const sentence = state.sentences[place], host = sentenceOf("translation", place);
  if (!host) return;
  host.classList.toggle("stale", isOpen(sentence));
  host.lang = modelNow().target ?? "";
  if (state.writing?.sentence === sentence) return;
  const held = document.activeElement?.closest("[data-word]"), inside = host.contains(held);
  const { text, words } = translationOf(sentence);
  const kept = sentence.prefix.trimEnd(), parts = [];
  let at = 0;
  words.forEach(({ begin, end, logProb }, index) => {
    parts.push(text.slice(at, begin), translatedWord(text.slice(begin, end), index, logProb, end <= kept.length && text.startsWith(kept)));
    at = end;
  });
  parts.push(text.slice(at));
  if (sentence.record?.problem) parts.push(make("span", { class: "problem" }, `not translated: ${sentence.record.problem}`));
  if (!sentence.record) parts.push(make("span", { class: "waiting" }, "…"));
  host.replaceChildren(...parts);
  sentence.drawn = { record: sentence.record, rank: sentence.rank };
  if (inside) wordOf("translation", place, Math.min(Number(held.dataset.word), words.length - 1))?.focus();
  roveTranslation();
}

function translatedWord(text, index, logProb, kept) {
  const chance = percent(logProb);
  const word = make("span", {
    class: kept ? "word kept" : "word", role: "button", tabindex: "-1", "aria-haspopup": "menu", "data-word": index,
    "aria-label": [text, chance && `probability ${chance}`, kept && "kept"].filter(Boolean).join(", "), title: chance,
  }, text);
  if (chance) word.style.setProperty("--doubt", (1 - Math.exp(logProb)).toFixed(3));
  return word;
}

function sentenceOf(id, place) {
  return byId(id).querySelector(`[data-sentence="${place}"]`);
}

function wordOf(id, place, index) {
  return byId(id).querySelector(`[data-sentence="${place}"] [data-word="${index}"]`);
}

// Where a word of the panes is: its sentence, side and number.
function placeOf(target) {
  const word = target?.closest?.("[data-word]"), sentence = word?.closest("[data-sentence]");
  if (!sentence) return null;
  return { place: Number(sentence.dataset.sentence), side: byId("mirror").contains(word) ? "source" : "target", index: Number(word.dataset.word) };
}

// One word can be reached by Tab, and arrows go on from it.
function roveTranslation(word = null) {
  const host = byId("translation"), now = host.querySelector('.word[tabindex="0"]');
  if (now && !word) return;
  now?.setAttribute("tabindex", "-1");
  (word ?? host.querySelector(".word"))?.setAttribute("tabindex", "0");
}

// ---- links between the two

function unmark() {
  for (const id of ["mirror", "translation"]) {
    for (const word of byId(id).querySelectorAll(".on, .partner")) {
      word.classList.remove("on", "partner");
      word.style.removeProperty("--share");
    }
  }
}

const PANES = { source: "mirror", target: "translation" };

function markWords({ place, side, index }) {
  const units = unitsOfSentence(state.sentences[place]), other = side === "source" ? "target" : "source";
  wordOf(PANES[side], place, index)?.classList.add("on");
  if (!units?.[side][index]) return;
  units[other].forEach((_, at) => {
    const share = side === "source" ? shareOf(units, at, index) : shareOf(units, index, at);
    const word = share >= FAINTEST ? wordOf(PANES[other], place, at) : null;
    word?.classList.add("partner");
    word?.style.setProperty("--share", share.toFixed(3));
  });
}

// A word under the pointer or the caret; the picture follows where it shows the same sentence.
function touch(word) {
  const units = word && word.place === state.place && state.view && pictureOf() !== "beam" ? unitsOfSentence(chosen()) : null;
  const pictured = units ? inPicture(units, word.side, word.index) : -1;
  if (pictured >= 0) focusOn({ side: word.side, index: pictured });
  else {
    if (state.focus) focusOn(null);
    unmark();
    if (word) markWords(word);
  }
}

byId("picture").addEventListener("emphasised", () => {
  unmark();
  const { focus } = state;
  const units = unitsOfSentence(chosen());
  if (!units || !focus || focus.node !== undefined) return;
  if (focus.side) markWords({ place: state.place, side: focus.side, index: ofPicture(units, focus.side, focus.index) });
  else {
    for (const side of ["source", "target"]) wordOf(PANES[side], state.place, ofPicture(units, side, focus[side]))?.classList.add("on");
  }
});

let underPointer = null; // the word there, of either text

function pointAt(word) {
  if (word === underPointer) return;
  underPointer = word;
  touch(placeOf(word));
}

// Not pointerover, which comes too where a new translation appears under a pointer that rests.
byId("translation").addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse") pointAt(event.target.closest(".word"));
});
byId("translation").addEventListener("pointerleave", () => {
  underPointer = null;
  touch(placeOf(document.activeElement));
});
byId("translation").addEventListener("focusin", (event) => {
  const word = placeOf(event.target);
  if (!word) return;
  roveTranslation(event.target);
  if (word.place !== state.place) choosePlace(word.place);
  touch(word);
});
byId("translation").addEventListener("focusout", (event) => {
  if (!byId("menu").contains(event.relatedTarget)) touch(null);
});

// The word of the source at a point. The text that is typed lies over the words, so they are found by their boxes.
function sourceWordAt(x, y) {
  for (const word of byId("mirror").querySelectorAll(".word")) {
    for (const box of word.getClientRects()) {
      if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) return word;
    }
  }
  return null;
}

byId("source").addEventListener("pointermove", (event) => pointAt(sourceWordAt(event.clientX, event.clientY)));
byId("source").addEventListener("pointerleave", () => {
  underPointer = null;
  touch(null);
});

// The caret chooses the sentence that it is in, and shows the word's links.
document.addEventListener("selectionchange", () => {
  const source = byId("source");
  if (document.activeElement !== source || source.selectionStart !== source.selectionEnd) return;
  const at = source.selectionStart;
  const place = state.sentences.findIndex((sentence) => at >= sentence.begin && at <= sentence.end);
  if (place < 0) return;
  if (place !== state.place) choosePlace(place);
  const { begin: first } = state.sentences[place], units = unitsOfSentence(state.sentences[place])?.source ?? [];
  const index = units.findIndex(({ begin, end }) => at >= first + begin && at < first + end);
  touch(index < 0 ? null : { place, side: "source", index });
});
