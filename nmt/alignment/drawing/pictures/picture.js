// The picture of the sentence that is shown, and its measures. Where the source is a picture, words are not joined by lines
// to the names of its cells: they light it.

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
  else if (entry().picture) drawGrid(host, state.view, entry().picture);
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

let drawnWidth = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (state.view && Math.abs(contentRect.width - drawnWidth) > 1) {
    drawnWidth = contentRect.width;
    showPicture();
  }
}).observe(byId("picture"));

// Lines are drawn for a width, so they are redrawn for that of paper.
addEventListener("beforeprint", () => {
  byId("picture").style.width = "660px";
  if (state.view) showPicture();
});
addEventListener("afterprint", () => {
  byId("picture").style.width = "";
  if (state.view) showPicture();
});

function showMeasures(measures) {
  byId("measures").replaceChildren(...Object.entries(measures).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, decimal(value)))));
}
