// The sentence that is shown: its picture, its measures, its hypotheses.

function show() {
  const current = entry();
  byId("hypotheses").replaceChildren();
  byId("measures").replaceChildren();
  byId("note").hidden = true;
  byId("heading").textContent = current === undefined ? "Nothing found" : `Sentence ${current.name}`;
  if (current === undefined) {
    byId("picture").replaceChildren();
    byId("reading").replaceChildren();
    return;
  }
  if (current.note) {
    byId("note").textContent = current.note;
    byId("note").hidden = false;
  }
  showMeasures(current.targets[state.rank].measures);
  showControls();
  showPicture();
  showHypotheses(current);
}

function showMeasures(measures) {
  byId("measures").replaceChildren(...Object.entries(measures).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, decimal(value)))));
}

function unitOf() {
  const { source, targets } = entry();
  return source.pieces && targets[state.rank].pieces ? state.unit : "words";
}

function pictureOf() {
  return state.picture === "beam" && !entry().tree ? "lines" : state.picture;
}

function showPicture() {
  const host = byId("picture"), picture = pictureOf();
  state.nodes = null;
  state.view = viewOf(entry(), state.rank, unitOf(), names, state.shown);
  const drawable = state.view.source.labels.length && state.view.target.labels.length;
  host.className = picture;
  if (picture === "beam") {
    state.nodes = drawTree(host, entry().tree, state.pruned);
    host.prepend(treeKey());
  } else if (!drawable) host.replaceChildren(make("p", { class: "empty" }, "Nothing to draw: a side is empty."));
  else if (picture === "matrix") drawMatrix(host, state.view);
  else drawLines(host, state.view);
  rove();
  emphasise();
}

function treeKey() {
  const count = state.nodes.filter((node) => node.fate === "pruned").length;
  const toggle = make("button", { type: "button", class: "chip", id: "pruned", "aria-pressed": String(state.pruned), title: "x" },
    `${count} pruned branches`);
  toggle.addEventListener("click", () => {
    state.pruned = !state.pruned;
    state.focus = null;
    const focused = document.activeElement === toggle;
    showPicture();
    if (focused) byId("pruned").focus();
  });
  return make("p", { class: "key" }, toggle,
    make("span", {}, "Boxes lived on, rounded ones finished, dashed ones were in the beam when the search ended. Figures are "
      + "log-probabilities of pieces, and scores of what finished."));
}

function showHypotheses(current) {
  if (current.targets.length < 2) return;
  const best = current.targets[0].words;
  byId("hypotheses").replaceChildren(make("h3", {}, `${current.targets.length} best`), make("ol", {},
    ...current.targets.map((target, rank) => {
      const different = rank ? differing(target.words, best) : new Set();
      const words = target.words.flatMap((word, index) => [different.has(index) ? make("mark", {}, word) : word, " "]);
      const figures = ["score", "confidence"].filter((name) => name in target.measures)
        .map((name) => make("span", { class: "figure", title: name }, decimal(target.measures[name])));
      return make("li", {}, make("button", {
        type: "button", "data-rank": rank, "aria-pressed": rank === state.rank ? "true" : "false",
      }, make("span", { class: "rank" }, `${rank + 1}`), make("span", { class: "text", dir: target.rtl ? "rtl" : "ltr" }, ...words), ...figures));
    })));
}

function chooseRank(rank) {
  const { targets } = entry();
  state.rank = (rank + targets.length) % targets.length;
  state.focus = null;
  show();
}
