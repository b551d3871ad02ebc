// What is shown, and what clicks and keys change of it.

const entries = readEntries();
const names = namesOf(entries);
const layers = [...names.soft, ...names.links, ...(names.gold ? ["gold"] : [])];
const state = {
  list: [],
  place: -1,
  rank: 0,
  picture: "lines",
  unit: "words",
  // One soft layer at first: several at once are for comparing.
  shown: new Set([...names.soft.slice(0, 1), ...(names.gold ? ["gold"] : names.soft.length ? [] : names.links)]),
  pruned: false,
  focus: null,
  view: null,
  nodes: null,
};
const list = new SentenceList(byId("list"), (place) => choose(place));

function entry() {
  return state.list[state.place];
}

// ---- the list

function refresh() {
  const bound = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  const kept = entry();
  const measure = byId("measure").value;
  state.list = selected(entries, {
    query: byId("search").value,
    measure,
    least: bound("least"),
    most: bound("most"),
    reverse: byId("reverse").getAttribute("aria-pressed") === "true",
  });
  byId("count").textContent = state.list.length === entries.length
    ? `${entries.length}` : `${state.list.length} of ${entries.length}`;
  list.show(state.list, measure);
  const place = state.list.indexOf(kept);
  choose(place >= 0 ? place : Math.min(0, state.list.length - 1));
}

function choose(place) {
  const before = entry()?.position, same = place >= 0 && place === state.place && state.shownEntry === state.list[place];
  state.place = place;
  list.select(place);
  if (same || (place >= 0 && state.shownEntry === state.list[place])) return;
  state.shownEntry = state.list[place];
  state.rank = 0;
  state.focus = null;
  if (before !== undefined || place >= 0) remember();
  show();
}

function remember() {
  const number = entry() === undefined ? "" : `#${entry().position + 1}`;
  history.replaceState(null, "", number || location.pathname);
}

function move(steps) {
  if (state.list.length) choose(Math.min(state.list.length - 1, Math.max(0, state.place + steps)));
}

// ---- the sentence

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

// ---- controls

function options(id, choices, current) {
  byId(id).hidden = choices.length < 2;
  byId(id).replaceChildren(...choices.map(([value, name, key]) => make("button", {
    type: "button", role: "radio", "data-value": value, "aria-checked": value === current ? "true" : "false", title: `${name} (${key})`,
  }, name)));
}

function showControls() {
  const pictures = [["lines", "Lines", "l"], ["matrix", "Matrix", "m"]];
  if (entry().tree) pictures.push(["beam", "Beam", "b"]);
  options("pictures", pictures, pictureOf());
  const choices = names.pieces ? [["words", "Words", "p"], ["pieces", "Pieces", "p"]] : [];
  options("units", choices, unitOf());
  byId("layers").replaceChildren(...layers.map((name, index) => {
    const swatch = make("span", { class: `swatch ${swatchOf(name)}`, "aria-hidden": "true" });
    const pressed = state.shown.has(name) ? "true" : "false";
    return make("button", {
      type: "button", class: "chip", "data-layer": name, "aria-pressed": pressed, title: `${name} (${index + 1})`,
    }, swatch, name);
  }));
  byId("units").classList.toggle("off", pictureOf() === "beam");
  byId("layers").hidden = pictureOf() === "beam";
}

function swatchOf(name) {
  if (name === "gold") return "gold";
  const soft = names.soft.indexOf(name);
  return soft >= 0 ? `soft hue-${soft % HUES}` : `link set-${names.links.indexOf(name) % 3}`;
}

function toggle(name) {
  if (name === undefined || entry() === undefined) return;
  if (!state.shown.delete(name)) state.shown.add(name);
  again(`[data-layer="${CSS.escape(name)}"]`);
}

function setPicture(picture) {
  if (entry() === undefined || (picture === "beam" && !entry().tree)) return;
  if (picture === "beam" || state.picture === "beam") state.focus = null;
  state.picture = picture;
  again(`#pictures [data-value="${picture}"]`);
}

function setUnit(unit) {
  if (entry() === undefined) return;
  state.unit = unit;
  state.focus = null;
  again(`#units [data-value="${unit}"]`);
}

// Draws anew; what had the focus of the keyboard gets it back.
function again(selector) {
  const inside = document.activeElement?.closest(".controls"), word = byId("picture").contains(document.activeElement);
  const { focus } = state; // which the old picture takes with it
  showControls();
  showPicture();
  if (inside) document.querySelector(selector)?.focus();
  else if (word) {
    state.focus = focus;
    firstFocus()?.focus();
  }
}

// ---- words and branches under the pointer or the focus

function elementOf(focus) {
  if (focus === null) return null;
  if (focus.node !== undefined) return byId("picture").querySelector(`[data-node="${focus.node}"]`);
  return byId("picture").querySelector(`[data-side="${focus.side}"][data-index="${focus.index}"]`);
}

function firstFocus() {
  return elementOf(state.focus) ?? byId("picture").querySelector("[data-side], .branch.winner, .branch");
}

// One word at a time can be reached by Tab; arrows go on from it.
function rove() {
  for (const word of byId("picture").querySelectorAll('[tabindex="0"]')) word.setAttribute("tabindex", "-1");
  firstFocus()?.setAttribute("tabindex", "0");
}

function focusOn(focus) {
  state.focus = focus;
  emphasise();
}

function emphasise() {
  const host = byId("picture"), { focus, view } = state;
  host.classList.toggle("focused", focus !== null);
  for (const marked of host.querySelectorAll(".on, .partner")) {
    if (marked.classList.contains("partner")) marked.style.removeProperty("--share");
    marked.classList.remove("on", "partner");
  }
  const svg = host.querySelector(".matrix");
  if (svg) band(svg, focus === null ? null : focus.side ? { [focus.side]: focus.index } : focus);
  if (focus === null) byId("reading").replaceChildren(hint());
  else if (focus.node !== undefined) emphasiseBranch(focus.node);
  else if (focus.side) emphasiseWord(focus, partnersOf(view, focus.side, focus.index));
  else readPair(focus);
}

function hint() {
  const what = pictureOf() === "beam" ? "a branch to read it" : "a word to see its links both ways";
  return make("p", { class: "hint" }, `Hover or focus ${what}.`);
}

function emphasiseWord({ side, index }, partners) {
  const host = byId("picture");
  elementOf({ side, index })?.classList.add("on");
  for (const edge of host.querySelectorAll(`.edge[data-${side}="${index}"]`)) edge.classList.add("on");
  const most = new Map();
  for (const layer of partners.soft) {
    for (const { place, share } of layer.weights) {
      if (share >= FAINTEST && share > (most.get(place)?.share ?? 0)) most.set(place, { share, hue: layer.hue });
    }
  }
  for (const set of [...partners.links, ...(partners.gold ? [{ ends: partners.gold }] : [])]) {
    for (const { place } of set.ends) if (!most.has(place)) most.set(place, { share: 0, hue: 0 });
  }
  for (const [place, { share, hue }] of most) {
    const word = elementOf({ side: partners.other, index: place });
    word?.classList.add("partner");
    word?.style.setProperty("--share", share.toFixed(3));
    word?.style.setProperty("--hue", `var(--hue-${hue})`);
  }
  readWord(side, index, partners);
}

function readWord(side, index, partners) {
  const { view } = state, word = view[side].labels[index], others = view[partners.other].labels;
  const rows = partners.soft.map((layer) => {
    const heaviest = layer.weights.filter(({ share }) => share >= 0.01).sort((a, b) => b.value - a.value).slice(0, 8);
    return reading(`soft hue-${layer.hue}`, layer.name, heaviest.map(({ place, value }) => [others[place].text, decimal(value)]));
  });
  const ends = (set) => set.map(({ place, sure }) => [others[place].text, sure ? "" : "possible"]);
  for (const set of partners.links) rows.push(reading(`link set-${set.hue % 3}`, set.name, ends(set.ends)));
  if (partners.gold) rows.push(reading("gold", "gold", ends(partners.gold)));
  const chance = side === "target" ? percent(view.target.logProbs?.[index]) : "";
  byId("reading").replaceChildren(make("p", { class: "head" }, make("bdi", {}, word.text),
    make("span", {}, chance ? `probability ${chance}` : side)), make("dl", {}, ...rows));
}

function reading(swatch, name, words) {
  const parts = words.flatMap(([text, figure]) => [make("span", { class: "pair" }, make("bdi", {}, text),
    figure === "" ? "" : make("span", { class: "figure" }, figure))]);
  return make("div", {}, make("dt", {}, make("span", { class: `swatch ${swatch}` }), name),
    make("dd", {}, ...(parts.length ? parts : ["–"])));
}

function readPair({ source, target }) {
  const { view } = state;
  const from = view.source.labels[source], to = view.target.labels[target];
  elementOf({ side: "source", index: source })?.classList.add("on");
  elementOf({ side: "target", index: target })?.classList.add("on");
  const has = (links) => links.find((link) => link.source === source && link.target === target);
  const rows = view.soft.map((layer) => {
    const inside = target < layer.rows && source < layer.columns;
    return reading(`soft hue-${layer.hue}`, layer.name, [[decimal(inside ? layer.at(target, source) : 0), ""]]);
  });
  for (const set of view.links) rows.push(reading(`link set-${set.hue % 3}`, set.name, [[has(set.links) ? "linked" : "–", ""]]));
  if (view.gold) {
    const link = has(view.gold);
    rows.push(reading("gold", "gold", [[link ? (link.sure ? "sure" : "possible") : "–", ""]]));
  }
  byId("reading").replaceChildren(make("p", { class: "head" }, make("bdi", {}, from.text), make("span", {}, "–"), make("bdi", {}, to.text)),
    make("dl", {}, ...rows));
}

function emphasiseBranch(index) {
  const host = byId("picture"), path = pathOf(state.nodes, index), node = state.nodes[index];
  for (const { index: at } of path) {
    for (const part of host.querySelectorAll(`[data-node="${at}"], [data-stem="${at}"]`)) part.classList.add("on");
  }
  const figures = [["piece", `${decimal(node.logProb, 3)} (${percent(node.logProb)})`], ["sum", decimal(node.total, 3)],
    ["score", decimal(node.score, 3)], ["fate", node.rank === null ? MEANINGS[node.fate] : `${MEANINGS[node.fate]}, returned as #${node.rank + 1}`]];
  byId("reading").replaceChildren(make("p", { class: "head" }, make("bdi", {}, textOf(path) || "(empty)")),
    make("dl", {}, ...figures.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text)))));
}

function focusAt(target) {
  const part = target.closest?.("[data-side], [data-node]");
  if (!part || !byId("picture").contains(part)) return null;
  if (part.dataset.node !== undefined) return { node: Number(part.dataset.node) };
  return { side: part.dataset.side, index: Number(part.dataset.index) };
}

byId("picture").addEventListener("pointerover", (event) => {
  const focus = focusAt(event.target);
  if (focus) focusOn(focus);
});
byId("picture").addEventListener("pointermove", (event) => {
  if (event.target.classList.contains("pane")) focusOn(cellAt(event.target, event));
});
byId("picture").addEventListener("pointerout", (event) => {
  if (!focusAt(event.target) && !event.target.classList.contains("pane")) return;
  focusOn(focusAt(document.activeElement));
});
byId("picture").addEventListener("focusin", (event) => {
  const focus = focusAt(event.target);
  if (!focus) return;
  focusOn(focus);
  rove();
});
byId("picture").addEventListener("focusout", () => focusOn(null));
byId("picture").addEventListener("click", (event) => {
  if (focusAt(event.target)) event.target.closest("[tabindex]").focus();
});

// Where an arrow leads from a word or a branch.
function stepped(focus, key) {
  if (focus.node !== undefined) return steppedBranch(focus.node, key);
  const { view } = state, along = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
  if (along) {
    const forward = view[focus.side].rtl && pictureOf() === "lines" ? -along : along;
    const index = focus.index + forward;
    return index >= 0 && index < view[focus.side].labels.length ? { side: focus.side, index } : focus;
  }
  const partners = partnersOf(view, focus.side, focus.index);
  const [first] = partners.soft[0]?.weights.toSorted((a, b) => b.share - a.share) ?? [];
  const place = first?.share > 0 ? first.place : [...partners.links.flatMap((set) => set.ends), ...(partners.gold ?? [])][0]?.place;
  return place === undefined ? focus : { side: partners.other, index: place };
}

function steppedBranch(index, key) {
  const node = state.nodes[index];
  if (key === "ArrowLeft") return { node: node.parent >= 0 ? node.parent : index };
  if (key === "ArrowRight") return { node: node.shown[0]?.index ?? index };
  const column = state.nodes.filter((other) => other.depth === node.depth && other.level !== undefined && elementOf({ node: other.index }))
    .sort((a, b) => a.level - b.level);
  const next = column.indexOf(node) + (key === "ArrowDown" ? 1 : -1);
  return { node: (column[next] ?? node).index };
}

// ---- keys

const PLAIN = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => byId("search").select(),
  s: () => byId("measure").focus(),
  r: () => byId("reverse").click(),
  l: () => setPicture("lines"),
  m: () => setPicture("matrix"),
  b: () => setPicture("beam"),
  p: () => setUnit(state.unit === "words" ? "pieces" : "words"),
  n: () => entry() && chooseRank(state.rank + 1),
  N: () => entry() && chooseRank(state.rank - 1),
  x: () => byId("pruned")?.click(),
  t: () => byId("theme").click(),
  h: () => byId("help").showModal(),
  "?": () => byId("help").showModal(),
};
const IN_LIST = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(list.page),
  PageUp: () => move(-list.page),
  Home: () => move(-Infinity),
  End: () => move(Infinity),
  Enter: () => firstFocus()?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const { target, key } = event, writing = target.matches("input, select");
  let act = null;
  if (key === "Escape") act = () => byId("list").focus();
  else if (writing) act = target.id === "search" && key === "Enter" ? () => byId("list").focus() : null;
  else if (target.id === "list" && key in IN_LIST) act = IN_LIST[key];
  else if (focusAt(target) && key.startsWith("Arrow")) act = () => elementOf(stepped(focusAt(target), key))?.focus();
  else if (/^[1-9]$/.test(key)) act = () => toggle(layers[Number(key) - 1]);
  else act = PLAIN[key] ?? null;
  if (act) {
    event.preventDefault();
    act();
  }
});

// ---- everything else that can be clicked

function picked(id, act) {
  byId(id).addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act(button.dataset);
  });
}

picked("pictures", ({ value }) => setPicture(value));
picked("units", ({ value }) => setUnit(value));
picked("layers", ({ layer }) => toggle(layer));
picked("hypotheses", ({ rank }) => chooseRank(Number(rank)));
for (const id of ["search", "least", "most"]) byId(id).addEventListener("input", refresh);
byId("measure").addEventListener("change", () => {
  byId("least").value = byId("most").value = ""; // bounds of another measure
  refresh();
});
byId("reverse").addEventListener("click", () => {
  const pressed = byId("reverse").getAttribute("aria-pressed") !== "true";
  byId("reverse").setAttribute("aria-pressed", String(pressed));
  byId("reverse").textContent = pressed ? "descending" : "ascending";
  refresh();
});
byId("finder").addEventListener("submit", (event) => event.preventDefault());
byId("help-button").addEventListener("click", () => byId("help").showModal());

const THEMES = ["system", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = { system: "Auto", light: "Light", dark: "Dark" }[theme];
}

byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});

let drawnWidth = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (state.view && Math.abs(contentRect.width - drawnWidth) > 1) {
    drawnWidth = contentRect.width;
    showPicture();
  }
}).observe(byId("picture"));

// Lines are drawn for a width, so they are drawn anew for that of paper.
addEventListener("beforeprint", () => {
  byId("picture").style.width = "660px";
  if (state.view) showPicture();
});
addEventListener("afterprint", () => {
  byId("picture").style.width = "";
  if (state.view) showPicture();
});

function fromAddress() {
  const wanted = entries[Number(location.hash.slice(1)) - 1];
  const place = state.list.indexOf(wanted);
  if (place >= 0) choose(place);
}

addEventListener("hashchange", fromAddress);
setTheme("system");
byId("measure").append(...[FILE_ORDER, ...names.measures].map((name) => make("option", { value: name }, name)));
state.list = entries;
const addressed = location.hash;
refresh();
if (addressed) {
  history.replaceState(null, "", addressed);
  fromAddress();
}
byId("list").focus({ preventScroll: true });
