function render({ model, el }) {
    const grid = element("div", el, "cvtune-grid", { role: "listbox" });
    let chosen = new Set(), links = [], shown = 0;

    const make = (photo, number) => {
        const item = element("div", null, "", {
            role: "option",
            "aria-label": photo.said || photo.caption,
            "data-lm-suppress-shortcuts": true,
            "data-key": photo.key,
            "data-mark": photo.mark ?? "",
            tabindex: number ? -1 : 0,
            title: photo.caption,
        });
        links.push(address(model.get("images")[number]));
        element("img", item, "", { src: links[number], alt: "", draggable: "false" });  // the option says what it shows
        element("span", item).textContent = photo.caption;
        if (model.get("choosable")) element("i", item, "", { "aria-hidden": "true" }).textContent = "✓";
        return item;
    };
    const draw = () => {
        if (!model.get("choosable")) return;
        for (const item of grid.children) item.setAttribute("aria-selected", chosen.has(item.dataset.key));
    };
    const load = () => {
        const focused = grid.contains(document.activeElement) ? document.activeElement : null;
        const seen = focused?.matches(":focus-visible"), old = links, choosable = model.get("choosable");
        links = [];
        shown = model.get("shown");
        chosen = new Set(model.get("selected"));
        grid.replaceChildren(...model.get("photos").map(make));
        old.forEach((link) => URL.revokeObjectURL(link));
        grid.setAttribute("aria-multiselectable", choosable);
        const keys = [model.get("opens") ? "Enter: search with the photo" : "",
                      choosable ? "space: select it; Ctrl+A: all or none" : ""].filter(Boolean).join("; ");
        grid.setAttribute("aria-label", `${model.get("name")}. ${keys}`);
        draw();
        if (!focused) return;  // else it stays in the grid, without moving the page under the mouse
        const same = [...grid.children].find((item) => item.dataset.key === focused.dataset.key);
        (same ?? grid.firstElementChild)?.focus({ preventScroll: !seen });
    };
    const choose = (items, on) => {
        if (!model.get("choosable")) return;
        items.forEach((item) => chosen[on ? "add" : "delete"](item.dataset.key));
        draw();
        const keys = [...grid.children].map((item) => item.dataset.key);
        model.send({ selected: keys.filter((key) => chosen.has(key)), shown });
    };
    const turn = (item) => choose([item], !chosen.has(item.dataset.key));
    const open = (item) => model.get("opens") ? model.send({ open: item.dataset.key, shown }) : turn(item);
    grid.addEventListener("focusin", ({ target }) => {  // Tab comes back to where it left
        if (target === grid) return;
        for (const item of grid.children) item.tabIndex = item === target ? 0 : -1;
    });
    for (const kind of ["dragover", "dragleave", "drop"]) grid.addEventListener(kind, (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();  // else the browser leaves the page for the file
        event.stopPropagation();
        grid.classList.toggle("over", kind === "dragover");
        const [file] = kind === "drop" ? event.dataTransfer.files : [];
        file?.arrayBuffer().then((content) => model.send({ dropped: file.name }, undefined, [content]));
    });
    grid.addEventListener("click", (event) => {
        const item = event.target.closest("[role=option]");
        if (!item) return;
        if (event.target.matches("i")) turn(item);
        else if (event.detail < 2) open(item);  // the second of a double click may meet the next photos
    });
    grid.addEventListener("keydown", (event) => {
        const all = [...grid.children], here = all.indexOf(event.target), last = all.length - 1;
        if (here < 0 || event.altKey) return;
        if (event.ctrlKey || event.metaKey) {
            if (event.key.toLowerCase() !== "a" || !model.get("choosable")) return;
            choose(all, all.some((item) => !chosen.has(item.dataset.key)));
        } else if (event.key === "Enter") {
            if (!event.repeat) open(all[here]);
        } else if (event.key === " ") {
            if (!event.repeat) turn(all[here]);
        } else {
            const to = place(all, here, event.key);
            if (to === undefined) return;
            all[to]?.focus();
        }
        event.preventDefault();
        event.stopPropagation();
    });
    model.on("change:shown", load);
    model.on("change:choosable change:opens", load);
    load();
    return () => links.forEach((link) => URL.revokeObjectURL(link));
}
export default { render };
