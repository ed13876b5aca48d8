// The page of an exported model: photos go to /predict, and the answers are shown beside them.
const at = (id) => document.getElementById(id);
const say = (words, wrong) => {
  at("status").textContent = words;
  at("status").className = wrong ? "error" : "";
};
const add = (parent, tag, words, kind) => {
  const made = parent.appendChild(document.createElement(tag));
  if (words !== undefined) made.textContent = words;
  if (kind) made.className = kind;
  return made;
};
let token = sessionStorage.getItem("token") || "";

async function ask(path, options = {}) {
  const headers = token ? {authorization: `Bearer ${token}`} : {};
  const answer = await fetch(path, {...options, headers});
  at("ask").hidden = answer.status !== 401;
  const value = await answer.json();
  if (!answer.ok && !value.predictions) throw new Error(value.error);
  return value;
}

const limits = (own) => Object.entries(own).map(([label, from]) => `${label} from ${(from * 100).toFixed(1)}%`).join(", ");

const KINDS = { // by kind of export: the title of the page, what it says of the model, how it shows an answer
  classifier: {
    title: "Classify a photo",
    about: ({labels, threshold, thresholds: own, known_below: least}) =>
      `This model knows ${labels.length} classes: ${labels.join(", ")}.` +
      (threshold ? ` Below ${Math.round(threshold * 100)}% it says that it is not sure` +
        `${own ? " (classes with a threshold of their own follow that)" : ""}.` : "") +
      (own ? ` Thresholds of single classes: ${limits(own)}.` : "") +
      (least ? ` Below ${least.toFixed(3)} of known it says that a photo is unlike all of them.` : ""),
    show: classes,
  },
  detector: {
    title: "Find objects in a photo",
    about: ({labels, threshold}) =>
      `This model finds ${labels.join(", ")}, with a score of ${Math.round(threshold * 100)}% or more.`,
    show: boxes,
  },
  similarity: {
    title: "Find look-alikes of a photo",
    about: ({labels, photos, distance}) => `The nearest of ${photos} photos by ${distance} distance: ${labels.join(", ")}.`,
    show: alike,
  },
};
let kind;

async function describe() { // once, and again where that failed for want of a token
  const about = await ask("labels");
  kind = KINDS[about.kind];
  document.title = at("title").textContent = kind.title;
  at("about").textContent = kind.about(about);
}

async function introduce() {
  try {
    await describe();
  } catch (error) {
    at("about").textContent = error.message;
  }
}

const SVG = "http://www.w3.org/2000/svg";

function boxes(side, {boxes: found}, article) { // on the photo, and how many of each class
  article.className = "wide";
  const frame = article.querySelector("figure");
  const drawing = frame.appendChild(document.createElementNS(SVG, "svg"));
  drawing.setAttribute("viewBox", "0 0 1 1");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const counts = {};
  for (const box of found) {
    counts[box.label] = (counts[box.label] || 0) + 1;
    for (const layer of ["under", "over"]) {
      const mark = drawing.appendChild(document.createElementNS(SVG, "rect"));
      mark.setAttribute("class", layer);
      for (const [name, value] of [["x", box.left], ["y", box.top], ["width", box.width], ["height", box.height]])
        mark.setAttribute(name, value);
    }
  }
  const words = Object.entries(counts).map(([label, count]) => `${count} ${label}`).join(", ") || "nothing found";
  add(side, "p").appendChild(document.createElement("strong")).textContent = words;
  const table = add(side, "table");
  for (const box of found) {
    const line = add(table, "tr");
    add(line, "th", box.label).scope = "row";
    add(line, "td", `${(box.score * 100).toFixed(1)}%`, "number");
  }
  return words;
}

async function thumbnail(image, number) { // fetched, for an address in the page could not carry the token
  try {
    const headers = token ? {authorization: `Bearer ${token}`} : {};
    const answer = await fetch(`thumbnails/${number}.jpg`, {headers});
    if (!answer.ok) throw new Error("no thumbnail");
    image.src = URL.createObjectURL(await answer.blob());
  } catch {
    image.remove(); // the words under it say what it is
  }
}

function alike(side, {similar: rows}) { // the nearest photos, nearest first
  const list = add(side, "ol", undefined, "alike");
  for (const {number, path, label, distance} of rows) {
    const item = add(list, "li");
    const image = add(item, "img");
    image.alt = `${label}: ${path}`;
    thumbnail(image, number);
    add(item, "strong", label);
    add(item, "span", distance.toFixed(3), "number");
    add(item, "small", path);
  }
  return `nearest is ${rows[0].label}, at ${rows[0].distance.toFixed(3)}`;
}

function classes(side, {label, probability, sure, top, known, unlike}) { // the likeliest classes
  const why = [unlike && "unlike all classes", !sure && "unsure between classes"].filter(Boolean).join(", ");
  const words = why ? `${why} (${label}?)` : label;
  add(side, "p").appendChild(document.createElement("strong")).textContent = words;
  const table = add(side, "table");
  for (const [name, chance] of top) {
    const line = add(table, "tr");
    add(line, "th", name).scope = "row";
    add(line, "td", `${(chance * 100).toFixed(1)}%`, "number");
    const meter = add(add(line, "td"), "meter");
    meter.value = chance;
    meter.setAttribute("aria-hidden", "true");
  }
  if (known !== undefined)
    add(side, "small", `known ${known.toFixed(3)}: the share of validation photos less like the training photos`);
  return `${words}, ${(probability * 100).toFixed(1)}%`;
}

function show(photo, row) {
  const article = document.createElement("article");
  at("results").prepend(article);
  if (!row.error) {
    const image = add(add(article, "figure"), "img");
    image.alt = photo.name;
    image.src = URL.createObjectURL(photo);
  }
  const side = add(article, "div");
  add(side, "h2", photo.name);
  if (row.error) {
    add(side, "p", row.error, "error");
    return row.error;
  }
  return kind.show(side, row, article);
}

async function classify(photos) {
  if (!photos.length) return;
  const form = new FormData();
  for (const photo of photos) form.append("photos", photo);
  say(`Looking at ${photos.length === 1 ? photos[0].name : photos.length + " photos"}`);
  try {
    const {predictions} = await ask("predict", {method: "POST", body: form});
    if (!kind) await describe();
    const found = predictions.map((row, number) => `${photos[number].name}: ${show(photos[number], row)}`);
    say(found.join("; "), predictions.every((row) => row.error));
  } catch (error) {
    say(error.message || "No answer: is the server still running?", true);
  }
}

at("files").addEventListener("change", (event) => {
  classify([...event.target.files]);
  event.target.value = "";
});
at("files").addEventListener("keydown", (event) => event.key === "Enter" && at("files").click()); // as the space bar
at("enter").addEventListener("click", () => {
  token = at("token").value;
  sessionStorage.setItem("token", token);
  introduce();
});
at("token").addEventListener("keydown", (event) => event.key === "Enter" && at("enter").click());
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  at("zone").addEventListener(kind, (event) => {
    event.preventDefault();
    at("zone").classList.toggle("over", kind === "dragenter" || kind === "dragover");
  });
}
at("zone").addEventListener("drop", (event) => classify([...event.dataTransfer.files]));
document.addEventListener("paste", (event) => classify([...event.clipboardData.files]));
introduce();
