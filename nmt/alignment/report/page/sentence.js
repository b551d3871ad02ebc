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
