// What the widgets that show photos have in common.

/** A new element inside `into`. Attributes whose value is false or undefined are left out. */
function element(tag, into, className = "", attributes = {}) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    for (const [name, value] of Object.entries(attributes))
        if (value !== false && value !== undefined) made.setAttribute(name, value);
    into?.append(made);
    return made;
}

/** `value`, or the end of low..high that is nearer to it. */
const limit = (value, low, high) => Math.min(Math.max(value, low), high);

/** The address of a JPEG that came as bytes; release it with URL.revokeObjectURL. */
const address = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));

/** Where a key leads from place `here` in a grid of items: undefined for keys that lead nowhere. */
function place(items, here, key) {
    const row = items.filter((item) => item.offsetTop === items[0].offsetTop).length;
    const last = items.length - 1, below = items[last].offsetTop > items[here].offsetTop;
    return { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - row,
             ArrowDown: below ? Math.min(here + row, last) : here, Home: 0, End: last }[key];
}
