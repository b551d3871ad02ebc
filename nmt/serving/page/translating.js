// From typing to a drawn translation.

const PAUSE = 180; // milliseconds without typing, before the server is asked
const WRITING_PAUSE = 120;
const AT_ONCE = 8; // sentences in one request, so that the first ones of a long text are there soon
const ALTERNATIVES = 5;
const KEPT = 300; // answers, for what is typed and taken back

const answers = new Map();
let waiting = 0; // the timer
let running = null; // what stops the request on its way

// Asks about lines; returns their records.
async function translated(questions, { signal, tree = false } = {}) {
  // As the model searches by itself, but for what the page shows of it.
  const own = modelNow().search, beam = own?.strategy === "beam" ? own.beam_size : 0;
  const search = { strategy: "beam", beam_size: Math.max(ALTERNATIVES, beam), n_best: tree ? ALTERNATIVES : 1 };
  const body = { lines: questions.map((question) => ({ ...question, search })), tree, entry: true };
  if (state.model) body.model = state.model;
  const answer = await asked("v1/translate", { body, signal });
  return answer.lines;
}

function schedule(pause = PAUSE) {
  stopTranslating();
  waiting = setTimeout(translateAll, pause);
}

function stopTranslating() {
  clearTimeout(waiting);
  running?.abort();
  running = null;
}

// Translates what is not yet; the chosen sentence first.
async function translateAll() {
  stopTranslating();
  trouble(null);
  const known = state.sentences.filter((sentence) => isOpen(sentence) && answers.has(keyOf(questionOf(sentence))));
  if (known.length) arrive(known, known.map((sentence) => answers.get(keyOf(questionOf(sentence)))));
  const open = state.sentences.filter(isOpen);
  busy(open.length > 0);
  if (!open.length) return;
  const own = running = new AbortController();
  open.sort((one, other) => (other === chosen()) - (one === chosen()));
  try {
    while (open.length) {
      const some = open.splice(0, AT_ONCE), records = await translated(some.map(questionOf), { signal: own.signal, tree: true });
      if (running !== own) return;
      arrive(some, records);
    }
    busy(false);
    say();
  } catch (error) {
    if (running !== own) return;
    busy(false);
    trouble(error);
  }
}

// Answers of the server: kept, and drawn at once. How long drawing takes stands in the browser's timeline as "draw".
function arrive(sentences, records) {
  const begin = performance.now();
  sentences.forEach((sentence, index) => {
    const record = records[index], question = keyOf(questionOf(sentence));
    answers.delete(question);
    answers.set(question, record);
    if (answers.size > KEPT) answers.delete(answers.keys().next().value);
    const first = !sentence.record;
    Object.assign(sentence, { record, question, rank: 0 });
    if (first && unitsOfSentence(sentence)?.words === false) state.unit = "pieces"; // words would be whole sentences
  });
  drawSource();
  for (const sentence of sentences) drawSentence(state.sentences.indexOf(sentence));
  if (state.writing && sentences.includes(state.writing.sentence)) showCompletion();
  if (sentences.includes(chosen())) show();
  void document.body.offsetHeight; // the layout counts too
  performance.measure("draw", { start: begin });
}

function busy(on) {
  byId("translation").setAttribute("aria-busy", String(on));
  document.body.classList.toggle("busy", on);
}

// What went wrong in plain words, with a button that does it again; where the server says when to come back, the page does.
function trouble(error, again = translateAll) {
  const host = byId("trouble");
  host.hidden = error === null;
  host.replaceChildren();
  if (error === null) return;
  const now = make("button", { type: "button" }, "Try now");
  now.addEventListener("click", again);
  const told = error instanceof Refused ? error.message : `The page made a mistake: ${error.message}`;
  const sentence = told.charAt(0).toLocaleUpperCase() + told.slice(1);
  if (error.retryAfter === null || error.retryAfter === undefined) host.append(make("span", {}, sentence), now);
  else {
    host.append(make("span", {}, `${sentence.replace(/[.;]?$/, ".")} Trying again in ${decimal(error.retryAfter)} s.`), now);
    clearTimeout(waiting);
    waiting = setTimeout(again, 1000 * error.retryAfter);
  }
}

// Tells a screen reader once nothing more comes.
let saying = 0;

function say() {
  clearTimeout(saying);
  saying = setTimeout(() => {
    byId("status").textContent = translationText();
  }, 600);
}

function translationText() {
  const lines = [];
  for (const sentence of state.sentences) {
    while (lines.length <= sentence.line) lines.push([]);
    lines[sentence.line].push(translationOf(sentence).text);
  }
  return lines.map((texts) => texts.join(" ")).join("\n");
}

// ---- what is typed

function sourceChanged() {
  leaveWriting(true);
  closeMenu(false);
  const source = byId("source");
  const after = sentencesOf(source.value, modelNow().source || undefined);
  state.sentences = carriedOver(state.sentences, after);
  const at = state.sentences.findIndex((sentence) => source.selectionStart >= sentence.begin && source.selectionStart <= sentence.end);
  state.place = at >= 0 ? at : Math.max(0, Math.min(state.place, state.sentences.length - 1));
  drawSource();
  drawTranslation();
  show();
  schedule();
}

function settingsChanged() {
  leaveWriting(true);
  const phrases = (id) => byId(id).value.split(";").map((phrase) => phrase.trim()).filter(Boolean);
  state.constraints = phrases("constraints");
  state.avoid = phrases("avoid");
  state.sentences.forEach((_, place) => drawSentence(place));
  schedule();
}
