const KEYS = { r: "relabel", e: "exclude", k: "keep", u: "undo", d: "distinct" };
const HELP = "Keys: arrows go from photo to photo; Enter decides as suggested, R relabels, 1 to 9 relabel to that class, "
    + "E excludes, K keeps, D says that two photos are not copies, U takes the last decision back; space selects, "
    + "A selects the page; N and P turn the page.";

const sentence = (words) => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`;

function render({ model, el }) {
    const root = element("div", el, "cvtune-gallery");
    const many = element("div", root, "cvtune-gallery-many");
    const list = element("div", many, "cvtune-gallery-list", { role: "listbox", "aria-multiselectable": true });
    element("div", many, "cvtune-faint").textContent = HELP;
    const detail = element("div", root, "cvtune-gallery-detail", { role: "group", "aria-label": "The photo, large" });
    const large = element("div", detail, "cvtune-gallery-large"), about = element("div", detail);
    const actions = element("div", detail, "cvtune-gallery-actions");
    const others = element("div", detail, "cvtune-gallery-others");
    const button = (action, words, key) => {
        const made = element("button", actions, "", { type: "button", "data-lm-suppress-shortcuts": true });
        made.append(words, " ");
        if (key) element("kbd", made).textContent = key;
        made.addEventListener("click", () => act(action));
        return made;
    };
    const accept = button("accept", "As suggested", "Enter"), relabel = button("relabel", "Relabel to", "R");
    const label = element("select", actions, "", { "aria-label": "New label" });
    const buttons = { relabel, exclude: button("exclude", "Exclude", "E"), keep: button("keep", "Keep", "K"),
                      distinct: button("distinct", "Not a copy", "D"), undo: button("undo", "Undo", "U") };

    let photos = [], items = [], links = [], at = 0, shown = -1, waiting = false, sent = 0;
    let looks = new Map();  // the large photo and its neighbours, by place: asked for, or there
    const pending = new Map();  // by place: what is decided here and not yet confirmed by the kernel
    const history = [];  // the decisions made on this page of the browser, the last one at the end

    const state = (number) => pending.get(number)?.state ?? model.get("states")[number] ?? {};
    const chosen = (number) => model.get("selected").includes(photos[number].path);

    const drawItem = (number) => {
        const { words = "" } = state(number), photo = photos[number], item = items[number];
        item.dataset.decided = Boolean(words);
        item.setAttribute("aria-selected", chosen(number));
        item.setAttribute("aria-label", `${photo.path}, ${photo.about}. ${words || "not decided"}`);
        item.setAttribute("aria-current", number === at);
        item.tabIndex = number === at ? 0 : -1;
        item.querySelector("span").textContent = words ? `✓ ${words}` : photo.caption;
    };
    const picture = (into, bytes, alt, fallback) => {
        if (!bytes?.byteLength && !fallback) {
            element("div", into, "cvtune-faint").textContent = `${alt} can't be shown`;
            return;
        }
        const made = element("img", into, "", { alt });
        made.src = fallback || address(bytes);
        if (!fallback) made.onload = () => URL.revokeObjectURL(made.src);
    };
    const drawDetail = () => {
        const photo = photos[at];
        detail.hidden = !photo;
        if (!photo) return;
        const { words = "", action = "", apart = false } = state(at), look = looks.get(at);
        about.replaceChildren();
        element("b", about).textContent = photo.label ? `Labelled ${photo.label}` : "No label";
        about.append(`, score ${photo.score.toFixed(2)}`);
        element("div", about).textContent = [photo.detail, photo.suggestion].map(sentence).join(" ");
        element("div", about, "cvtune-faint").textContent = photo.path;
        element("div", about, "cvtune-gallery-state").textContent = words ? `✓ ${words}` : "not decided";
        actions.hidden = !photo.decidable;
        accept.disabled = !photo.suggested;
        buttons.distinct.hidden = !photo.pair;
        buttons.distinct.firstChild.textContent = apart ? "A copy after all" : "Not a copy";
        buttons.exclude.disabled = action === "exclude";
        buttons.keep.disabled = action === "keep";
        buttons.undo.disabled = !words && !history.length;
        const here = `${shown} ${at}`;
        if (drawDetail.here !== here) {  // else the label may have been chosen by hand
            drawDetail.here = here;
            label.value = model.get("classes").includes(photo.to) ? photo.to : photo.label;
        }
        if (drawDetail.of === `${here} ${Boolean(look?.length)}`) return;  // the pictures are there
        drawDetail.of = `${here} ${Boolean(look?.length)}`;
        large.replaceChildren();
        picture(large, look?.[0], `${photo.path}, ${photo.about}`, look?.length ? "" : links[at]);
        others.replaceChildren();
        photo.others.forEach((said, number) => {
            const figure = element("figure", others);
            if (look?.length) picture(figure, look[number + 1], said);
            element("figcaption", figure).textContent = said;
        });
    };
    const ask = () => {  // the large photo, and the next ones before they are looked at
        for (const number of [at, at + 1, at + 2]) {
            if (!photos[number] || looks.has(number)) continue;
            looks.set(number, []);
            model.send({ look: number, shown });
        }
    };
    const go = (to, focus = true) => {
        const before = at;
        at = limit(to, 0, photos.length - 1);
        for (const number of [before, at]) if (items[number]) drawItem(number);
        if (focus) items[at]?.focus();
        ask();
        drawDetail();
    };
    const turn = (page, to = 0) => {
        waiting = true;
        model.send({ turn: page, at: to });
    };
    const turnBy = (step) => {
        const page = model.get("page") + step;
        if (page >= 0 && page < model.get("pages")) turn(page, step < 0 ? photos.length - 1 : 0);
    };
    const onward = () => {
        if (at + 1 < photos.length) go(at + 1);
        else {
            go(at);
            turnBy(1);
        }
    };
    const send = (photo, action, to = "") => {
        sent += 1;
        model.send({ decide: action, to, sent, finding: photo.finding });
    };
    const decide = (action, to = "") => {
        const photo = photos[at], apart = action === "distinct" ? !state(at).apart : Boolean(state(at).apart);
        if (!photo.decidable || (action === "distinct" && !photo.pair)) return;
        const done = { relabel: `relabelled to ${to}`, exclude: "excluded", keep: "kept" }[action] ?? "";
        const words = [apart ? "not a copy" : "", done].filter(Boolean).join(", ");
        history.push({ photo, listing: model.get("listing"), page: model.get("page"), at, action });
        send(photo, action, to);
        pending.set(at, { state: { words, action: done ? action : "", apart }, sent });
        drawItem(at);
        onward();
    };
    const undo = () => {  // what was decided about this photo; where nothing was, the last decision
        const here = state(at), decided = (one) => one.photo.path === photos[at].path;
        const number = here.words ? history.findLastIndex(decided) : history.length - 1;
        const [last] = number < 0 ? [] : history.splice(number, 1);
        if (!last && !here.words) return;
        const action = here.words && !here.action ? "distinct" : last?.action;  // the pair is all that was decided
        const photo = here.words ? photos[at] : last.photo;
        const same = (one) => one.path === photo.path && one.finding.other === photo.finding.other;
        const there = here.words ? at : photos.findIndex(same);  // the list may be another than it was then
        send(photo, action === "distinct" ? "distinct" : "undo");
        if (there >= 0) {
            pending.set(there, { state: {}, sent });
            go(there);
        } else if (last.listing === model.get("listing") && last.page !== model.get("page")) turn(last.page, last.at);
    };
    const act = (action) => {
        const photo = photos[at];
        if (!photo || waiting) return;
        if (action === "accept") action = photo.suggested;
        if (action === "undo") undo();
        else if (action === "relabel") decide(action, label.value);
        else if (action) decide(action);
    };
    const load = () => {
        const focused = root.contains(document.activeElement) && !detail.contains(document.activeElement);
        links.forEach((link) => URL.revokeObjectURL(link));
        photos = model.get("photos");
        links = model.get("images").map(address);
        [shown, at, looks] = [model.get("shown"), model.get("at"), new Map()];
        pending.clear();
        label.replaceChildren();
        model.get("classes").forEach((name, number) => {
            const option = element("option", label, "", { value: name });
            option.textContent = number < 9 ? `${number + 1} ${name}` : name;
        });
        items = photos.map((photo, number) => {
            const item = element("div", null, "", { role: "option", "data-lm-suppress-shortcuts": true });
            element("img", item, "", { alt: "", draggable: "false" }).src = links[number];
            item.title = `${photo.path}: ${photo.about}`;
            element("span", item);
            element("i", item, "", { "aria-hidden": true }).textContent = "✓";
            item.addEventListener("click", (event) => event.target.matches("i") ? select(number) : go(number));
            return item;
        });
        list.replaceChildren(...items);
        list.setAttribute("aria-label", `${model.get("name")}. ${HELP}`);
        items.forEach((_, number) => drawItem(number));
        go(at, focused || waiting);
        waiting = false;
    };
    const select = (number) => {
        if (photos[number].decidable) model.send({ select: photos[number].path, on: !chosen(number) });
    };
    const states = () => {
        for (const [number, one] of pending) if (one.sent <= model.get("answered")) pending.delete(number);
        items.forEach((_, number) => drawItem(number));
        drawDetail();
    };
    root.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.target === label || !photos.length) return;
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, class_ = model.get("classes")[key - 1];
        const to = place(items, at, key), pressed = event.target.matches("button") && ["Enter", " "].includes(key);
        if (pressed || !(key in KEYS || class_ || to !== undefined || key === "Enter" || key === " ")) return;
        event.preventDefault();
        event.stopPropagation();
        if (waiting || (event.repeat && to === undefined)) return;
        if (items[to]) go(to);
        else if (to !== undefined) turnBy({ ArrowLeft: -1, ArrowRight: 1 }[key]);
        else if (key === " ") select(at);
        else if (key === "Enter") act("accept");
        else if (class_) decide("relabel", class_);
        else act(KEYS[key]);
    });
    const looked = ({ look, of }, buffers) => {
        if (look === undefined || of !== shown) return;
        looks.set(look, buffers);
        if (look === at) drawDetail();
    };
    model.on("change:shown", load);
    model.on("change:states change:answered change:selected", states);
    model.on("msg:custom", looked);
    load();
    return () => {
        links.forEach((link) => URL.revokeObjectURL(link));
        model.off("msg:custom", looked);
    };
}
export default { render };
