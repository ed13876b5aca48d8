const STEP = 0.01, LEAST = 0.008, CORNER = 9;
function render({ model, el }) {
    const attributes = { tabindex: 0, role: "group", "data-lm-suppress-shortcuts": true };
    const frame = element("div", el, "cvtune-drawing", attributes);
    const photo = element("img", frame, "", { draggable: "false" });
    photo.onload = () => {  // as large as there is room
        const wide = Math.max(el.parentElement?.clientWidth ?? 0, 480), high = Math.max(0.72 * window.innerHeight, 360);
        const scale = Math.min(wide / photo.naturalWidth, high / photo.naturalHeight);
        photo.style.width = `${photo.naturalWidth * scale}px`;
    };
    let boxes = [], chosen = -1, drag = null, later = 0, shown = "", sent = "";

    const draw = () => {
        frame.querySelectorAll("div").forEach((mark) => mark.remove());
        boxes.forEach((box, number) => {
            const mark = element("div", frame, number === chosen ? "chosen" : "");
            ["left", "top", "width", "height"].forEach((side, i) => mark.style[side] = `${100 * box[i + 1]}%`);
            if (box[0]) element("span", mark).textContent = box[0];
            element("i", mark);
        });
        const there = `${boxes.length} ${boxes.length === 1 ? "box" : "boxes"}`;
        const one = boxes[chosen];
        const [wide, high] = (one ?? []).slice(3).map((side) => `${Math.round(100 * side)}%`);
        const what = one?.[0] ? `${one[0]}, ` : "";
        const now = one ? `; selected: ${what}${wide} wide and ${high} high` : "";
        frame.setAttribute("aria-label", `${model.get("name")}, ${there}${now}. Enter: a box; space: the next box; `
            + "arrows: move it; Shift and arrows: its size; digits: its label; Delete: remove it");
    };
    const save = () => {
        clearTimeout(later);
        const now = JSON.stringify([boxes, chosen]);
        if (now !== sent) model.send({ photo: shown, boxes, chosen });
        sent = now;
    };
    const load = () => {
        clearTimeout(later);
        const old = photo.src;
        photo.src = address(model.get("image"));
        if (old) URL.revokeObjectURL(old);
        photo.alt = model.get("name");
        shown = model.get("photo");
        boxes = model.get("boxes").map((box) => [...box]);
        chosen = model.get("chosen");
        sent = JSON.stringify([boxes, chosen]);
        drag = null;
        draw();
    };
    const add = (box) => {
        if (model.get("single")) boxes = [];
        chosen = boxes.push(box) - 1;
    };
    const place = (event) => {
        const area = photo.getBoundingClientRect();
        return [limit((event.clientX - area.left) / area.width, 0, 1),
                limit((event.clientY - area.top) / area.height, 0, 1)];
    };
    const inside = ([x, y], [, left, top, wide, high]) =>
        x >= left && x <= left + wide && y >= top && y <= top + high;
    const at = (point) => {  // the smallest one there, for a large one may lie behind it
        const there = boxes.map((box, number) => number).filter((number) => inside(point, boxes[number]));
        return there.sort((a, b) => boxes[a][3] * boxes[a][4] - boxes[b][3] * boxes[b][4])[0] ?? -1;
    };
    const corner = ([x, y]) => {
        const one = boxes[chosen], area = photo.getBoundingClientRect();
        return one && Math.abs(x - one[1] - one[3]) * area.width < CORNER
            && Math.abs(y - one[2] - one[4]) * area.height < CORNER;
    };
    frame.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        frame.focus();
        frame.setPointerCapture(event.pointerId);
        const from = place(event), one = boxes[chosen];
        const what = corner(from) ? "size" : one && inside(from, one) ? "move" : "draw";
        drag = { from, what, was: one ? [...one] : null, far: false };
        event.preventDefault();
    });
    frame.addEventListener("pointermove", (event) => {
        if (!drag) return;
        const to = place(event), { from, was } = drag;
        const wide = Math.abs(to[0] - from[0]), high = Math.abs(to[1] - from[1]);
        const little = drag.what === "draw" ? wide < LEAST || high < LEAST : Math.max(wide, high) < LEAST / 2;
        if (!drag.far && little) return;  // a click
        if (drag.what === "draw") {
            if (!drag.far) add([model.get("label")]);
            boxes[chosen] = [boxes[chosen][0], Math.min(from[0], to[0]), Math.min(from[1], to[1]),
                             Math.max(LEAST, wide), Math.max(LEAST, high)];
        } else if (drag.what === "move") {
            boxes[chosen] = [was[0], limit(was[1] + to[0] - from[0], 0, 1 - was[3]),
                             limit(was[2] + to[1] - from[1], 0, 1 - was[4]), was[3], was[4]];
        } else {
            boxes[chosen] = [was[0], was[1], was[2], limit(to[0] - was[1], LEAST, 1 - was[1]),
                             limit(to[1] - was[2], LEAST, 1 - was[2])];
        }
        drag.far = true;
        draw();
    });
    const up = () => {
        if (!drag) return;
        if (!drag.far) chosen = at(drag.from);
        drag = null;
        draw();
        save();
    };
    frame.addEventListener("pointerup", up);
    frame.addEventListener("pointercancel", up);
    frame.addEventListener("blur", save);
    frame.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
        const by = step[event.key], one = boxes[chosen], label = model.get("labels")[Number(event.key) - 1];
        if (event.key === "Enter") {
            add([model.get("label"), 0.4, 0.4, 0.2, 0.2]);
        } else if (event.key === " ") {
            if (boxes.length) chosen = (chosen + (event.shiftKey ? boxes.length : 2) - 1) % boxes.length;
        } else if (event.key === "Delete" || event.key === "Backspace") {
            if (!one) return save();
            boxes.splice(chosen, 1);
            chosen = Math.min(chosen, boxes.length - 1);
        } else if (by && one) {
            if (event.shiftKey) boxes[chosen] = [one[0], one[1], one[2],
                limit(one[3] + by[0], LEAST, 1 - one[1]), limit(one[4] + by[1], LEAST, 1 - one[2])];
            else boxes[chosen] = [one[0], limit(one[1] + by[0], 0, 1 - one[3]),
                limit(one[2] + by[1], 0, 1 - one[4]), one[3], one[4]];
        } else if (label && one) boxes[chosen] = [label, ...one.slice(1)];
        else if (!by) return save();  // perhaps a key that turns to the next photo
        else return;
        event.preventDefault();
        event.stopPropagation();
        draw();
        clearTimeout(later);
        later = setTimeout(save, 400);
    });
    model.on("change:shown", load);
    load();
    return () => URL.revokeObjectURL(photo.src);
}
export default { render };
