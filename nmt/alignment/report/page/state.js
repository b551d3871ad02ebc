// What is shown: the sentences found, one of them, and how it is drawn.

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
