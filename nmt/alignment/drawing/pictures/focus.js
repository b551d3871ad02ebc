// Words and branches under the pointer or the focus, and what is read off them.

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
  const grid = host.querySelector(".grid");
  if (grid) light(grid, focus, view);
  if (focus === null) byId("reading").replaceChildren(hint());
  else if (focus.node !== undefined) emphasiseBranch(focus.node);
  else if (focus.side) emphasiseWord(focus, partnersOf(view, focus.side, focus.index));
  else readPair(focus);
  host.dispatchEvent(new Event("emphasised"));
}

function hint() {
  const what = pictureOf() === "beam" ? "a branch to read it"
    : byId("picture").querySelector(".grid") ? "a word to see where it looks, or the picture to see which words look there"
      : "a word to see its links both ways";
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
