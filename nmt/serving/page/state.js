// What is shown: sentences with their translations, and one of them chosen for the picture.

const names = { soft: ["attention"], links: ["links"], measures: [], gold: false, pieces: true, trees: true };
const layers = [...names.soft, ...names.links];
const state = {
  sentences: [], // see sentences.js
  place: 0, // of the chosen one
  model: null, // its name
  models: [],
  constraints: [],
  avoid: [],
  writing: null, // see writing.js
  picture: "lines",
  unit: "words",
  shown: new Set(["attention"]),
  pruned: false,
  focus: null,
  view: null,
  nodes: null,
  // Of the chosen sentence, for the pictures: which of its translations is shown.
  get rank() {
    return chosen()?.rank ?? 0;
  },
  set rank(rank) {
    chosen().rank = rank;
  },
};

function chosen() {
  return state.sentences[state.place];
}

function entry() {
  return chosen()?.record?.entry;
}

function modelNow() {
  return state.models.find((model) => model.name === state.model) ?? {};
}
