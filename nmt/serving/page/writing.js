// Writing into a translation: what is typed stays, and the model goes on from it in grey.

// Begins to write in a sentence, at a position of its translation; while another one is awaited, after what that begins with.
function write(place, position, added = "") {
  leaveWriting(true);
  const sentence = state.sentences[place], host = sentenceOf("translation", place), awaited = isOpen(sentence);
  if (!host || !sentence.record || (awaited && !sentence.prefix)) return;
  const text = awaited ? sentence.prefix : translationOf(sentence).text, from = awaited ? text.length : position;
  if (place !== state.place) choosePlace(place);
  const typed = make("span", {
    class: "typed", contenteditable: "plaintext-only", role: "textbox", spellcheck: "false", "aria-label": "Beginning of the translation",
    "aria-describedby": "completion",
  }, text.slice(0, from));
  if (typed.contentEditable !== "plaintext-only") typed.contentEditable = "true";
  const completion = make("span", { class: "completion", id: "completion" });
  host.replaceChildren(typed, completion);
  state.writing = { sentence, typed, completion, before: snapshot(sentence), whole: text };
  completion.textContent = text.slice(from);
  typed.addEventListener("input", written);
  typed.addEventListener("keydown", writingKey);
  typed.addEventListener("blur", () => leaveWriting(true));
  typed.focus();
  typed.append(added);
  caretToEnd(typed);
  if (added) written();
  showButtons();
}

function caretToEnd(element) {
  getSelection().selectAllChildren(element);
  getSelection().collapseToEnd();
}

function typedText() {
  return state.writing.typed.textContent.replaceAll("\u00a0", " ").replaceAll("\n", " ");
}

function written() {
  const text = typedText();
  state.writing.sentence.prefix = text.trim() ? text : "";
  state.writing.sentence.rank = 0;
  showCompletion();
  schedule(WRITING_PAUSE);
}

// What the model makes of the rest; until it has answered, what it said before, if that still fits.
function showCompletion() {
  const { sentence, completion } = state.writing, typed = typedText();
  if (!isOpen(sentence)) state.writing.whole = translationOf(sentence).text;
  const { whole } = state.writing, begun = typed.trimEnd();
  const fits = typed.trim() ? whole.startsWith(begun) : true;
  const rest = fits ? whole.slice(typed.trim() ? begun.length : 0) : "";
  completion.textContent = typed !== begun || !typed.trim() ? rest.trimStart() : rest;
  completion.classList.toggle("stale", isOpen(sentence));
}

// Ends writing: the translation stays as completed, or goes back to what it was.
function leaveWriting(accepted) {
  const { writing } = state;
  if (!writing) return;
  state.writing = null; // first, since leaving the field ends here too
  const { sentence, before } = writing, place = state.sentences.indexOf(sentence);
  if (!accepted) {
    Object.assign(sentence, before);
    schedule(0);
  } else if (sentence.prefix !== before.prefix) sentence.history.push(before);
  if (place >= 0) drawSentence(place);
  show();
}

function writingKey(event) {
  if (event.isComposing) return;
  const { completion, typed, sentence } = state.writing, place = state.sentences.indexOf(sentence);
  const leave = (accepted) => {
    const at = wordAt(sentence, typedText().trimEnd().length);
    leaveWriting(accepted);
    wordOf("translation", place, at)?.focus();
  };
  let act = null;
  if ((event.key === "Tab" && !event.shiftKey) || event.key === "Enter") act = () => leave(true);
  else if (event.key === "Escape") act = () => leave(false);
  else if (event.key === forwardKey(typed) && !event.shiftKey && completion.textContent && caretAtEnd(typed)) {
    act = () => {
      const [word] = /^\s*\S+/u.exec(completion.textContent) ?? [completion.textContent];
      typed.textContent = typedText() + word;
      caretToEnd(typed);
      written();
    };
  }
  event.stopPropagation(); // letters are no commands here
  if (!act) return;
  event.preventDefault();
  act();
}

function forwardKey(element) {
  return getComputedStyle(element).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
}

function caretAtEnd(element) {
  const range = getSelection().getRangeAt(0).cloneRange();
  if (!range.collapsed) return false;
  range.setEndAfter(element.lastChild ?? element);
  return range.toString() === "";
}

function wordAt(sentence, at) {
  const { words } = translationOf(sentence), found = words.findIndex((word) => word.end >= at);
  return found < 0 ? words.length - 1 : found;
}

// ---- back to what was

function snapshot({ prefix, record, rank, question }) {
  return { prefix, record, rank, question };
}

function undo() {
  const sentence = chosen(), before = sentence?.history.pop();
  if (before) restore(before);
}

// Back to the model's own translation; that can be undone too.
function reset() {
  const sentence = chosen();
  if (!sentence || (!sentence.prefix && !sentence.rank)) return;
  sentence.history.push(snapshot(sentence));
  restore({ prefix: "", rank: 0 });
}

function restore(values) {
  Object.assign(chosen(), values);
  schedule(0);
  drawSentence(state.place);
  show();
  say();
}
